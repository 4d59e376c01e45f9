"""What the shipped use cases reach on the full, real data: means over five splits, test rows.

Beside them stands gradient boosting on the same rows and columns: scikit-learn's with its defaults,
and LightGBM with small steps and early stopping on the validation rows.
"""

import keras
import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.preprocessing import StandardScaler
from small_models import prepared

from benchmarks.trained_network import packaged_network
from modelling.data.splitting import Parts, split_table
from modelling.declaration import UseCase
from modelling.declaration.overrides import override
from modelling.features.preprocessing import preprocess
from modelling.judgement.baseline_predictions import predict_baselines
from modelling.judgement.evaluation import evaluate
from modelling.judgement.judging import judge
from modelling.scorer.scoring import Scorer
from use_cases import find_use_case

SEEDS = range(1, 6)


def ours(parts: Parts, use_case: UseCase, folder) -> np.ndarray:
    """What the packaged model answers to the raw test rows."""
    package = packaged_network(parts, use_case, folder)
    return Scorer(package.folder).outputs(parts.test)


def boosted(parts: Parts, use_case: UseCase) -> dict[str, np.ndarray]:
    """The test rows' probabilities of both boosting libraries, on the raw columns."""
    train, validation, test = (_raw_columns(part, use_case) for part in parts)
    target, stop = (part[use_case.target].to_numpy() for part in parts[:2])
    seed = use_case.training.seed
    theirs = HistGradientBoostingClassifier(random_state=seed, categorical_features="from_dtype")
    light = lightgbm.LGBMClassifier(
        n_estimators=3000, learning_rate=0.03, num_leaves=15, min_child_samples=50, subsample=0.8,
        subsample_freq=1, colsample_bytree=0.7, reg_lambda=5.0, random_state=seed, verbose=-1,
        n_jobs=1,  # threads that wait for each other's turn would take ten times as long
    )  # fmt: skip
    theirs.fit(train, target)
    early = lightgbm.early_stopping(100, verbose=False)
    light.fit(train, target, eval_X=validation, eval_y=stop, callbacks=[early])
    fitted = {"HistGradientBoosting": theirs, "LightGBM": light}
    positive = 1 if use_case.problem == "binary" else slice(None)
    return {name: np.asarray(one.predict_proba(test))[:, positive] for name, one in fitted.items()}


def _raw_columns(part: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    kinds = {c.name: "category" for c in use_case.features if c.kind == "category"}
    return part[[column.name for column in use_case.features]].astype(kinds)


def judged(name: str, folder) -> pd.DataFrame:
    """The mean test metrics over the splits of ``SEEDS``, one row a model."""
    declared = find_use_case(name)
    table = prepared(declared).table
    rows = []
    for seed in SEEDS:
        use_case = override(declared, {"split.seed": seed, "training.seed": seed})
        parts = split_table(table, use_case)
        outputs = {"ours": ours(parts, use_case, folder / str(seed)), **boosted(parts, use_case)}
        for model, answered in outputs.items():
            binary = use_case.problem == "binary"
            decided = answered >= 0.5 if binary else answered.argmax(axis=1)
            metrics = evaluate(parts.test, answered, decided, use_case)
            rows.append({"model": model, **metrics})
    means = pd.DataFrame(rows).groupby("model").mean()
    print(f"\n{name}, mean of {len(SEEDS)} splits\n{means.round(4).to_string()}")
    return means


@pytest.mark.evidence
def test_credit_scoring_ranks_as_gradient_boosting_does(tmp_path):
    means = judged("credit_scoring", tmp_path)
    auc = means["roc_auc"]
    assert auc["ours"] >= auc["HistGradientBoosting"]
    assert auc["ours"] >= auc["LightGBM"] - 0.001
    assert means.loc["ours", "expected_calibration_error"] <= 0.006


@pytest.mark.evidence
def test_credit_grade_is_as_good_as_gradient_boosting(tmp_path):
    means = judged("credit_grade", tmp_path)
    assert means.loc["ours", "log_loss"] <= 1.18
    assert means.loc["ours", "log_loss"] <= means["log_loss"].min() + 0.01
    assert means.loc["ours", "quadratic_weighted_kappa"] >= 0.57


def textbook(parts: Parts, use_case: UseCase) -> np.ndarray:
    """The recipe of every tutorial: standard scaling, Dense 32-16-1, Adam, 20 epochs of 32 rows."""
    names = [column.name for column in use_case.features]
    scaler = StandardScaler().fit(parts.train[names])
    keras.utils.set_random_seed(use_case.training.seed)
    layers = [keras.layers.Dense(units, "relu") for units in (32, 16)]
    network = keras.Sequential([*layers, keras.layers.Dense(1, "sigmoid")])
    network.compile("adam", "binary_crossentropy", steps_per_execution=64)  # the same, sooner
    target = parts.train[use_case.target].to_numpy()
    network.fit(scaler.transform(parts.train[names]), target, epochs=20, batch_size=32, verbose=0)
    return network.predict(scaler.transform(parts.test[names]), verbose=0)[:, 0]


@pytest.mark.evidence
def test_fraud_detection_is_no_worse_than_forest_and_boosting(tmp_path):
    """The handbook's protocol, mean of five seeds: the paired intervals by customer include 0 or
    lie above it, and the textbook's network is beaten."""
    declared = find_use_case("fraud_detection")
    table = prepared(declared).table
    rows, advantages = [], []
    for seed in SEEDS:
        use_case = override(declared, {"split.seed": seed, "training.seed": seed})
        parts = split_table(table, use_case)
        features = preprocess(parts, use_case)
        package = packaged_network(parts, use_case, tmp_path / str(seed), features)
        baselines = predict_baselines(table, parts, features, use_case)
        judgement = judge(package, parts, use_case, baselines)
        answered = textbook(parts, use_case)
        theirs = evaluate(parts.test, answered, answered >= 0.5, use_case)
        by_model = {"ours": judgement.metrics, "textbook": theirs, **judgement.baseline_metrics}
        rows += [{"model": name, **metrics} for name, metrics in by_model.items()]
        advantages += [
            {"over": name, "metric": metric, **interval._asdict()}
            for (metric, name), interval in judgement.advantages.items()
        ]
    means = pd.DataFrame(rows).groupby("model").mean()
    paired = pd.DataFrame(advantages).groupby(["metric", "over"]).mean()
    print(f"\nfraud_detection, mean of {len(SEEDS)} seeds\n{means.round(4).to_string()}")
    print(paired.round(4).to_string())
    for metric in ("average_precision", "card_precision"):
        for baseline in ("random_forest", "boosting"):
            assert paired.loc[(metric, baseline), "high"] >= 0, (baseline, metric)
        assert means.loc["ours", metric] > means.loc["textbook", metric]
