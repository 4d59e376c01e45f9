"""Judge outputs against what happened, on rows that training never saw."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    cohen_kappa_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
)

from modelling.declaration import AlertBudget, UseCase
from modelling.judgement.deciding import amounts_of, cards, cost_of
from modelling.judgement.metrics.alerts import card_precision, money_caught
from modelling.judgement.metrics.volatility_metrics import qlike


def evaluate(
    rows: pd.DataFrame, outputs: np.ndarray, decided: np.ndarray, use_case: UseCase
) -> dict[str, float]:
    """The problem's metrics by name.

    ``rows``: n rows with their target. ``outputs``: (n,) probabilities of the positive class or
    forecasts, or (n, classes) probabilities. ``decided``: (n,) class codes, not read for
    regression. A metric that is not defined on these rows (one class only) is NaN. Raises
    ValueError where ``outputs`` hold NaN.
    """
    target = rows[use_case.target].to_numpy()
    if use_case.problem == "regression":
        return _regression(target, outputs, use_case)
    if use_case.problem == "multiclass":
        return _multiclass(target, outputs, decided, use_case)
    money = _money(rows, decided == 1, use_case) if use_case.costs is not None else {}
    alerts = _alerts(rows, outputs, use_case.decision, use_case)
    return {**_binary(target, outputs, decided), **alerts, **money}


def _regression(target: np.ndarray, forecasts: np.ndarray, use_case: UseCase) -> dict[str, float]:
    metrics = {
        "rmse": float(mean_squared_error(target, forecasts) ** 0.5),
        "mae": float(mean_absolute_error(target, forecasts)),
        "r2": float(r2_score(target, forecasts)),
    }
    if use_case.target_kind == "log_variance":
        metrics["qlike"] = qlike(target, forecasts)
    return metrics


def _binary(target: np.ndarray, probabilities: np.ndarray, decided: np.ndarray) -> dict[str, float]:
    auc = float(roc_auc_score(target, probabilities))
    return {
        "roc_auc": auc,
        "gini": 2 * auc - 1,
        "ks": ks(target, probabilities),
        "average_precision": float(average_precision_score(target, probabilities)),
        "log_loss": float(log_loss(target, probabilities, labels=[0, 1])),
        "brier": float(brier_score_loss(target, probabilities)),
        "expected_calibration_error": expected_calibration_error(target, probabilities),
        "accuracy": float(accuracy_score(target, decided)),
        "precision": float(precision_score(target, decided, zero_division=0)),
        "recall": float(recall_score(target, decided)),
    }


def _multiclass(
    target: np.ndarray, outputs: np.ndarray, decided: np.ndarray, use_case: UseCase
) -> dict[str, float]:
    codes = list(range(len(use_case.classes)))
    normalised = outputs.astype(np.float64) / outputs.sum(axis=1, keepdims=True)
    metrics = {
        "log_loss": float(log_loss(target, normalised, labels=codes)),
        "accuracy": float(accuracy_score(target, decided)),
        "f1_macro": float(f1_score(target, decided, average="macro", labels=codes)),
        "brier": float(brier_score_loss(target, normalised, labels=codes)),
        "expected_calibration_error": expected_calibration_error(*claims(target, normalised)),
    }
    if use_case.ordered:
        metrics["quadratic_weighted_kappa"] = float(
            cohen_kappa_score(target, decided, weights="quadratic", labels=codes)
        )
        metrics["within_one_notch"] = float((np.abs(target - decided) <= 1).mean())
    return metrics


def _alerts(
    rows: pd.DataFrame, probabilities: np.ndarray, budget: object, use_case: UseCase
) -> dict[str, float]:
    """What a team that can look at so many cards a day would catch."""
    if not isinstance(budget, AlertBudget):
        return {}
    scored = (*cards(rows, budget), rows[use_case.target].to_numpy(), probabilities)
    metrics = {"card_precision": card_precision(*scored, alerts_a_day=budget.alerts_a_day)}
    if use_case.costs is not None and use_case.costs.amount is not None:
        amounts = amounts_of(rows, use_case)
        metrics["money_caught"] = money_caught(*scored, amounts, budget.alerts_a_day)
    return metrics


def _money(rows: pd.DataFrame, refused: np.ndarray, use_case: UseCase) -> dict[str, float]:
    """In the unit of the costs, over all rows; ``savings`` as a share of the cheaper of accepting
    all and refusing all (Bahnsen et al. 2014): 1 is no cost, below 0 is worse than no model."""
    everyone = np.ones(len(rows), dtype=bool)
    cost = cost_of(rows, refused, use_case)
    accepting, refusing = cost_of(rows, ~everyone, use_case), cost_of(rows, everyone, use_case)
    return {
        "cost": cost,
        "saved_against_accept_all": accepting - cost,
        "saved_against_refuse_all": refusing - cost,
        "savings": 1 - cost / cheaper if (cheaper := min(accepting, refusing)) else float("nan"),
    }


def ks(target: np.ndarray, probabilities: np.ndarray) -> float:
    """Kolmogorov-Smirnov statistic: the largest distance between the two classes' score curves."""
    from scipy.stats import ks_2samp

    return float(ks_2samp(probabilities[target == 1], probabilities[target == 0]).statistic)


def claims(target: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What came true, and with which probability it was claimed, both (n,).

    Of two classes: whether the second happened. Of more, ``outputs`` (n, classes): whether the most
    probable one did (Guo et al. 2017).
    """
    if outputs.ndim == 1:
        return target, outputs
    return (target == outputs.argmax(axis=1)).astype(np.int64), outputs.max(axis=1)


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


class RequirementResult(NamedTuple):
    """What the gate says of a model, and why."""

    passed: bool
    reason: str


NO_GATE = RequirementResult(False, "no gate declared")  # where there is none, nothing has passed it


def gate_state(gate: RequirementResult) -> str:
    """``passed``, ``failed``, or ``none`` where no gate is declared."""
    if gate == NO_GATE:
        return "none"
    return "passed" if gate.passed else "failed"


def judge_gate(metrics: dict[str, float], use_case: UseCase) -> RequirementResult:
    """Whether the use case's gate is passed on the test metrics, and why, in a few words."""
    gate = use_case.gate
    if gate is None:
        return NO_GATE
    value = metrics[gate.metric]
    bounds = [f"at least {gate.at_least:g}"] if gate.at_least is not None else []
    bounds += [f"at most {gate.at_most:g}"] if gate.at_most is not None else []
    reason = f"{gate.metric} {value:.4f}, wanted {' and '.join(bounds)}"
    return RequirementResult(gate.passes(value), reason)
