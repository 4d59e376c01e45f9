"""Fit calibration on validation rows: outputs become probabilities, or variances, that can be
relied on; ``modelling.scorer.scoring.calibrated`` applies it."""

from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from modelling.declaration import UseCase
from modelling.judgement.metrics.forecasts import level_shift
from modelling.scorer.scoring import calibrated, log_odds

FOLDS = 5
NONE: dict[str, Any] = {"method": "none"}


def fit_calibration(target: np.ndarray, outputs: np.ndarray, use_case: UseCase) -> dict[str, Any]:
    """Choose a calibration, and fit it, on validation rows.

    For probabilities of two classes: none, temperature, Platt or isotonic; of more classes: none or
    temperature. Each is cross-validated inside the validation rows; one that does not lower the log
    loss by more than a standard error is noise, and none is kept. Each point of an isotonic curve
    comes from ``minimum_rows_per_value`` rows or more. For log variances: the level at which QLIKE
    is lowest. For other values: none.

    Parameters
    ----------
    target : ndarray of shape (n,)
        Of the validation rows: class codes, or values.
    outputs : ndarray of shape (n,) or (n, classes)
        Probabilities of the positive class or forecasts, without NaN; or of each class.
    use_case : UseCase

    Returns
    -------
    dict
        ``method`` and its numbers, as plain data. None is fitted where a class has fewer than
        ``2 * FOLDS`` rows.

    References
    ----------
    Platt (1999), "Probabilistic outputs for support vector machines"; Zadrozny and Elkan (2002),
    "Transforming classifier scores into accurate multiclass probability estimates", KDD; Guo et al.
    (2017), "On calibration of modern neural networks", ICML.
    """
    outputs = outputs.astype(np.float64)
    if use_case.problem == "regression":
        if use_case.target_kind == "value":
            return NONE
        return {"method": "level", "offset": level_shift(target, outputs)}
    isotonic = partial(_isotonic, least=use_case.minimum_rows_per_value)
    methods = (_temperature, _platt, isotonic) if outputs.ndim == 1 else (_temperature,)
    smallest = np.bincount(target.astype(np.intp)).min()
    if smallest < 2 * FOLDS:
        return NONE
    losses = {method: _cross_validated_losses(method, target, outputs) for method in methods}
    best = min(losses, key=lambda method: losses[method].mean())
    gain = _log_losses(target, outputs) - losses[best]
    if gain.mean() <= gain.std() / np.sqrt(len(gain)):
        return NONE
    return best(target, outputs)


def _cross_validated_losses(method: Any, target: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    losses = np.empty(len(target))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for fitted_on, held_out in folds.split(outputs, target):
        state = method(target[fitted_on], outputs[fitted_on])
        losses[held_out] = _log_losses(target[held_out], calibrated(outputs[held_out], state))
    return losses


def _log_losses(target: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    if outputs.ndim == 1:
        outputs = np.column_stack([1 - outputs, outputs])
    return -np.log(outputs[np.arange(len(target)), target.astype(np.intp)].clip(1e-12))


def _temperature(target: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
    def loss(log_slope: float) -> float:
        state = {"method": "temperature", "slope": np.exp(log_slope)}
        return float(_log_losses(target, calibrated(outputs, state)).mean())

    slope = np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x)
    return {"method": "temperature", "slope": float(slope)}


def _platt(target: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    fitted = LogisticRegression(C=1e6).fit(log_odds(probabilities)[:, None], target)
    slope, offset = fitted.coef_[0, 0], fitted.intercept_[0]
    return {"method": "platt", "slope": float(slope), "offset": float(offset)}


def _isotonic(target: np.ndarray, probabilities: np.ndarray, least: int) -> dict[str, Any]:
    order, groups = np.argsort(probabilities, kind="stable"), max(len(target) // least, 1)
    group = np.arange(len(target)) * groups // len(target)
    rows = np.bincount(group)
    predicted, observed = (
        np.bincount(group, values[order]) / rows for values in (probabilities, target)
    )
    # A step at exactly 0 or 1 would be certainty from a handful of rows.
    margin = 1 / (len(target) + 2)
    fitted = IsotonicRegression(y_min=margin, y_max=1 - margin).fit(predicted, observed, rows)
    return {
        "method": "isotonic",
        "from": fitted.X_thresholds_.tolist(),
        "to": fitted.y_thresholds_.tolist(),
    }
