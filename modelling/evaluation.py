"""Judge outputs against what happened, on rows that training never saw."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
)

from modelling.declaration import UseCase
from modelling.overrides import nearest
from modelling.packaging import Package
from modelling.refusals import UsageError
from modelling.scoring import Scorer

HEADLINE = {"regression": "rmse", "binary": "roc_auc", "multiclass": "log_loss"}


def evaluate_package(package: Package, test: pd.DataFrame, use_case: UseCase) -> dict[str, float]:
    """The metrics of the packaged model, from raw test rows on: what is judged is what ships."""
    outputs = Scorer(package.folder).outputs(test)
    return evaluate(test[use_case.target].to_numpy(), outputs, use_case)


def evaluate(target: np.ndarray, outputs: np.ndarray, use_case: UseCase) -> dict[str, float]:
    """The problem's metrics by name.

    ``target``: (n,) class codes or values. ``outputs``: (n,) probabilities of the positive class
    or forecasts, or (n, classes) probabilities. A metric that is not defined on these rows (one
    class only) is NaN. Raises ValueError where ``outputs`` hold NaN.
    """
    judge = {"regression": _regression, "binary": _binary, "multiclass": _multiclass}
    return judge[use_case.problem](target, outputs, use_case)


def _regression(target: np.ndarray, outputs: np.ndarray, _: UseCase) -> dict[str, float]:
    return {
        "rmse": float(mean_squared_error(target, outputs) ** 0.5),
        "mae": float(mean_absolute_error(target, outputs)),
        "r2": float(r2_score(target, outputs)),
    }


def _binary(target: np.ndarray, outputs: np.ndarray, use_case: UseCase) -> dict[str, float]:
    decided = outputs >= use_case.cut_off
    auc = float(roc_auc_score(target, outputs))
    return {
        "roc_auc": auc,
        "gini": 2 * auc - 1,
        "ks": ks(target, outputs),
        "average_precision": float(average_precision_score(target, outputs)),
        "log_loss": float(log_loss(target, outputs, labels=[0, 1])),
        "brier": float(brier_score_loss(target, outputs)),
        "expected_calibration_error": expected_calibration_error(target, outputs),
        "accuracy": float(accuracy_score(target, decided)),
        "precision": float(precision_score(target, decided, zero_division=0)),
        "recall": float(recall_score(target, decided)),
    }


def _multiclass(target: np.ndarray, outputs: np.ndarray, use_case: UseCase) -> dict[str, float]:
    decided = outputs.argmax(axis=1)
    codes = range(len(use_case.classes))
    normalised = outputs.astype(np.float64) / outputs.sum(axis=1, keepdims=True)
    return {
        "log_loss": float(log_loss(target, normalised, labels=list(codes))),
        "accuracy": float(accuracy_score(target, decided)),
        "f1_macro": float(f1_score(target, decided, average="macro", labels=list(codes))),
    }


def ks(target: np.ndarray, probabilities: np.ndarray) -> float:
    """Kolmogorov-Smirnov statistic: the largest distance between the two classes' score curves."""
    from scipy.stats import ks_2samp

    return float(ks_2samp(probabilities[target == 1], probabilities[target == 0]).statistic)


def expected_calibration_error(
    target: np.ndarray, probabilities: np.ndarray, bins: int = 10
) -> float:
    """Mean distance between forecast and observed rate, over ``bins`` of equal width.

    Naeini, Cooper and Hauskrecht (2015): sum over bins of (rows in bin / n) * |mean forecast -
    share of positives|. Both arguments have shape (n,); 0 is perfect, 1 the worst.
    """
    which = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    forecast = np.bincount(which, weights=probabilities, minlength=bins)
    observed = np.bincount(which, weights=target, minlength=bins)
    return float(np.abs(forecast - observed).sum() / len(target))


class Verdict(NamedTuple):
    """What the gate says of a model, and why."""

    passed: bool
    reason: str


def judge_gate(metrics: dict[str, float], use_case: UseCase) -> Verdict:
    """Whether the use case's gate is passed on the test metrics, and why, in a few words.

    Raises UsageError where the gate names a metric that this problem does not have.
    """
    gate = use_case.gate
    if gate is None:
        return Verdict(True, "no gate declared")
    if gate.metric not in metrics:
        raise UsageError(f"unknown gate.metric '{gate.metric}'{nearest(gate.metric, metrics)}")
    value = metrics[gate.metric]
    bounds = [f"at least {gate.at_least:g}"] if gate.at_least is not None else []
    bounds += [f"at most {gate.at_most:g}"] if gate.at_most is not None else []
    reason = f"{gate.metric} {value:.4f}, wanted {' and '.join(bounds)}"
    return Verdict(gate.passes(value), reason)
