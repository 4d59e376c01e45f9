"""Small real models, packaged and registered without Keras: seconds instead of minutes."""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from onnx import helper
from sklearn.linear_model import LogisticRegression

from modelling.data.fingerprint import fingerprint
from modelling.data.splitting import Parts
from modelling.declaration import Gate, Source, UseCase, amount, category, count, number
from modelling.features.preprocessing import Preprocessed, preprocess
from modelling.judgement.baseline_predictions import predict_baselines
from modelling.judgement.fitness import promotion_requirements
from modelling.judgement.judging import Judgement, judge
from modelling.judgement.packaging import Package, package_model
from modelling.judgement.promotion import comparison_tags, doubts_tag
from modelling.learning_curve.diagnosis import Diagnosis
from modelling.learning_curve.history import History
from modelling.watching.profile import keep_profile

COLUMNS = (
    count("age", maximum=120, missing_at_most=0),
    amount("income"),
    number("balance"),
    category("housing", "own", "rent", "free"),
    category("region", missing_at_most=0),
)


def prepared(use_case: UseCase, table: pd.DataFrame | None = None):
    """The rows of ``use_case``, or of another ``table`` in its place, prepared as everywhere."""
    from tasks.preparation import prepare

    if table is not None:
        use_case = use_case.model_copy(update={"source": lambda: table})
    return prepare(use_case)


def drafted(table: pd.DataFrame, target: str, **wanted):
    """What a draft finds in ``table``."""
    from modelling.drafting.columns.findings import Wanted
    from modelling.drafting.drafting import draft_table

    return draft_table(table.copy(), Source(uri="table.csv"), (), Wanted("x", target, **wanted))


def loans(**declared) -> UseCase:
    """A binary use case with every kind of rule in its columns."""
    usual = {
        "name": "loans",
        "title": "Loans",
        "problem": "binary",
        "source": Source(uri="loans.csv"),
        "target": "default",
        "columns": COLUMNS,
        "baselines": ("constant",),
        "gate": Gate(metric="roc_auc", at_least=0.55),
    }
    return UseCase(**{**usual, **declared})


def sample(**declared) -> UseCase:
    """A use case without a table, for rows and features that a test makes."""
    usual = {
        "name": "sample",
        "title": "Sample",
        "problem": "binary",
        "source": Source(uri="none"),
        "target": "y",
        "columns": (number("x"),),
    }
    return UseCase(**{**usual, **declared})


def loan_table(rows: int = 2000, seed: int = 7) -> pd.DataFrame:
    """Made-up borrowers; the poorer and the deeper in the red, the likelier a default."""
    generator = np.random.default_rng(seed)
    income, balance = generator.gamma(2, 900, rows), generator.normal(0, 500, rows)
    odds = -1 - (income - 1800) / 900 - balance / 500
    codes = np.random.default_rng(seed + 1).integers(1, 12, rows)
    return pd.DataFrame(
        {
            "branch": [f"{code:03d}" for code in codes],
            "age": generator.integers(18, 90, rows),
            "income": np.where(generator.random(rows) < 0.2, np.nan, income),
            "balance": balance,
            "housing": generator.choice(["own", "rent", "free"], rows),
            "region": generator.choice(["1", "2", "3"], rows),
            "default": (generator.random(rows) < 1 / (1 + np.exp(-odds))).astype(int),
        }
    )


def write_network(folder: Path, features: Preprocessed, noise: float) -> Path:
    """A logistic regression, its weights shaken by ``noise``, as ONNX."""
    folder.mkdir()
    fitted = LogisticRegression().fit(features.train.features, features.train.target)
    weights, bias = fitted.coef_[0], fitted.intercept_
    weights = weights + noise * np.random.default_rng(1).normal(size=len(weights))
    float32 = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["features", "weights", "bias"], ["odds"]),
            helper.make_node("Sigmoid", ["odds"], ["output"]),
        ],
        "network",
        [helper.make_tensor_value_info("features", float32, [None, len(weights)])],
        [helper.make_tensor_value_info("output", float32, [None, 1])],
        [
            onnx.numpy_helper.from_array(weights.astype(np.float32)[:, None], "weights"),
            onnx.numpy_helper.from_array(bias.astype(np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "network.onnx")
    return folder


@dataclass(frozen=True)
class Trained:
    """What the flow knows of a training, as far as registering needs it."""

    use_case: UseCase
    validation_outputs: np.ndarray
    history: History
    diagnosis: Diagnosis


@dataclass(frozen=True)
class Small:
    """A packaged model with the rows that it was fitted on."""

    package: Package
    parts: Parts
    judgement: Judgement
    trained: Trained
    data_hash: str

    def register(self, run) -> str:
        """Through the stages of the flow, up to the registered version."""
        from tasks.registry.registration import register_model

        tags = comparison_tags(self.trained.use_case, self.data_hash) | doubts_tag(self.fitness)
        gate, validation = self.judgement.gate, self.parts.validation
        return register_model.fn(run, self.package, gate, self.trained, validation, tags)

    @property
    def fitness(self):
        """What the model must meet to become champion by itself."""
        return promotion_requirements(self.judgement, self.trained.diagnosis)

    def judge(self, run, version: str):
        """The last stage of the flow, in a flow of its own: compare with the champion."""
        from prefect import flow

        from tasks.registry.promotion import judge_challenger

        @flow(name="judge", persist_result=False)
        def judge():
            return judge_challenger.fn(
                run, self.package, version, self.trained, self.judgement, self.fitness
            )

        return judge()


def small_model(
    folder: Path, noise: float = 0.0, table: pd.DataFrame | None = None, **declared
) -> Small:
    """A packaged model in the new folder ``folder``; the more ``noise``, the worse it is."""
    use_case = loans(**declared)
    table, parts, *_ = prepared(use_case, loan_table() if table is None else table)
    features = preprocess(parts, use_case)
    folder.mkdir(exist_ok=True)
    network = write_network(folder / "network", features, noise)
    package = package_model(network, features, parts, use_case, folder / "scorer")
    baselines = predict_baselines(table, parts, features, use_case)
    judgement = judge(package, parts, use_case, baselines)
    keep_profile(package, judgement)
    session = onnxruntime.InferenceSession(str(network / "network.onnx"))
    outputs = session.run(None, {"features": features.validation.features})[0]
    history = History({"loss": [0.5], "val_loss": [0.5]}, 1.0, 1.0)
    diagnosis = Diagnosis("healthy", "fell and stayed down", (), None, None)
    trained = Trained(use_case, outputs, history, diagnosis)
    return Small(package, parts, judgement, trained, fingerprint(table))


@contextmanager
def run_of(use_case: UseCase):
    """A tracked run, as the flow opens one."""
    from tasks.tracking.runs import tracked_run

    with tracked_run(use_case, {}) as run:
        yield run


def register_and_judge(noise: float = 0.0, **declared):
    """From a packaged model to the decision: (version, decision)."""
    from tasks.workers.fresh_process import start_fresh_process

    start_fresh_process()
    with TemporaryDirectory() as folder:
        small = small_model(Path(folder) / "model", noise, **declared)
        with run_of(small.trained.use_case) as run:
            version = small.register(run)
            return version, small.judge(run, version)
