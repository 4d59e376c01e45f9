"""Package a trained network with all that turns raw rows into decisions, as plain files."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from modelling import scorer
from modelling.data.reading.cells import zero_or_one
from modelling.data.reading.number_text import TextFormat
from modelling.data.splitting import Parts
from modelling.declaration import Column, Source, UseCase
from modelling.explanation.coalition_network import write_coalition_network
from modelling.explanation.reference import reasons_state
from modelling.features.preprocessing import Preprocessed
from modelling.judgement.calibration import NONE, fit_calibration
from modelling.judgement.decisions.decision_rule import decision_rule
from modelling.scorer.model import Model
from modelling.scorer.scoring import Scorer, calibrated
from modelling.scorer.transformer import Transformer

LAYOUT = {"delimiter", "encoding", "header_line", "sheet"}  # of a file
CONTRACT = ("name", "kind", "minimum", "maximum", "special_codes", "categories", "unknown_at_most")
REQUIRED = ("mlflow-skinny", "numpy", "onnxruntime", "pandas")


@dataclass(frozen=True)
class Package:
    """A folder with the modules of ``modelling.scorer``, ``scorer.json``, ``network.onnx``,
    ``first_layer.onnx``, ``coalitions.onnx`` and ``network.keras``.

    ``inputs`` are the raw columns, ``outputs`` the columns of the answer with their pandas type,
    ``example`` is one made-up row.
    """

    name: str
    folder: Path
    inputs: tuple[str, ...]
    outputs: dict[str, str]
    example: pd.DataFrame
    requirements: tuple[str, ...]

    def address(self, version: str | None) -> dict[str, str]:
        """Where the registry has this package as ``version``; empty without one."""
        if version is None:
            return {}
        return {"name": self.name, "version": version, "uri": f"models:/{self.name}/{version}"}


def package_model(
    network_folder: Path,
    features: Preprocessed,
    parts: Parts,
    use_case: UseCase,
    folder: Path,
    units: Mapping[str, str] = {},
) -> Package:
    """Write the package into the new folder ``folder``, with the files of ``network_folder``;
    ``units`` are those that columns were written in.

    Calibration and cut-off are fitted here, on the outputs for the raw validation rows.
    """
    # With the usual permissions: whoever may read the registry may load the model, and the process
    # that trained it wrote files for its own account alone.
    shutil.copytree(network_folder, folder, copy_function=shutil.copyfile)
    for module in Path(str(scorer.__file__)).parent.glob("[!_]*.py"):
        shutil.copy(module, folder)
    write_coalition_network(folder / "network.onnx", folder)
    state = {
        "use_case": use_case.name,
        "problem": use_case.problem,
        "classes": list(use_case.classes),
        "calibration": NONE,
        "cut_off": 0.5,
        "costs": _costs(use_case),
        "target_offset": features.target_offset,
        "target_scale": features.target_scale,
        "transformer": features.transformer.state,
        "reasons": reasons_state(parts.train, features.transformer, use_case),
        "contract": contract_of(
            use_case, parts.train, unnamed_labels(features.transformer, parts, use_case), units
        ),
    }
    (folder / "scorer.json").write_text(json.dumps(state))
    state |= _fitted_on_validation(Scorer(folder).outputs(parts.validation), parts, use_case)
    (folder / "scorer.json").write_text(json.dumps(state))
    example = synthetic_example(use_case, features.transformer)
    answers = Model(folder, version="").answer(example)
    return Package(
        name=use_case.name,
        folder=folder,
        inputs=tuple(column.name for column in use_case.features),
        outputs={str(name): str(dtype) for name, dtype in answers.dtypes.items()},
        example=example,
        requirements=tuple(f"{package}=={version(package)}" for package in REQUIRED),
    )


def _costs(use_case: UseCase) -> dict[str, Any] | None:
    """The costs, where rows are decided by them."""
    if use_case.costs is None or not decision_rule(use_case).by_cost:
        return None
    return use_case.costs.model_dump()


def _fitted_on_validation(outputs: np.ndarray, parts: Parts, use_case: UseCase) -> dict[str, Any]:
    target = parts.validation[use_case.target].to_numpy()
    calibration = fit_calibration(target, outputs, use_case)
    if use_case.problem != "binary":
        return {"calibration": calibration}
    probabilities = calibrated(outputs, calibration)
    cut_off = decision_rule(use_case).choose_cut_off(parts, probabilities, use_case)
    return {"calibration": calibration, "cut_off": cut_off}


def unnamed_labels(transformer: Transformer, parts: Parts, use_case: UseCase) -> dict[str, float]:
    """The share of rows, by column, with a label that the model does not name because fewer than
    ``minimum_rows_per_value`` training rows had it. It counts as that many rows at least: a smaller
    share could reveal a single customer."""
    shares = {}
    for name, positions, _, _ in transformer.categories:
        labels = parts.train[name].dropna()
        if len(unnamed := labels[~labels.isin(list(positions))]):
            found = [part[name].isin(unnamed).mean() for part in (parts.train, parts.validation)]
            shares[name] = max(*found, use_case.minimum_rows_per_value / len(parts.train))
    return shares


def contract_of(
    use_case: UseCase,
    train: pd.DataFrame,
    unnamed: Mapping[str, float] = {},
    units: Mapping[str, str] = {},
) -> dict[str, Any]:
    """The rules of the raw columns, as ``modelling.scorer.contract`` reads them.

    A label that the model does not name is unknown to it when rows are scored. So the share of
    ``unnamed`` ones is added to what a column allows: the training file itself can be scored.
    """
    columns = [
        {
            **column.model_dump(include=set(CONTRACT)),
            "required": column.missing_at_most == 0,
            "unknown_at_most": min(column.unknown_at_most + unnamed.get(column.name, 0.0), 1.0),
            "zero_or_one": column.kind == "number" and zero_or_one(train[column.name]),
            "written_in": units.get(column.name),
        }
        for column in use_case.features
    ]
    source = use_case.source
    layout = source.model_dump(include=LAYOUT) if isinstance(source, Source) else {}
    return {
        "off_contract": use_case.off_contract,
        "columns": columns,
        "written": asdict(TextFormat.of(source)),
        "layout": {name: setting for name, setting in layout.items() if setting is not None},
    }


def synthetic_example(use_case: UseCase, transformer: Transformer) -> pd.DataFrame:
    """One made-up row within the rules: the medians of the training rows, and the first label of
    each category that the model names, which is a declared or a frequent one. A column without a
    known value gets the allowed value nearest to zero, its first declared category, or ``other``.
    """
    medians = dict(zip(transformer.numeric, transformer.medians.tolist(), strict=False))
    labels = {name: next(iter(positions), None) for name, positions, *_ in transformer.categories}

    def cell(column: Column) -> float | str:
        if column.kind == "number":
            low, high = column.minimum, column.maximum
            return float(np.clip(medians[column.name], low, high))
        return labels[column.name] or next(iter(column.categories or ("other",)))

    return pd.DataFrame([{column.name: cell(column) for column in use_case.features}])
