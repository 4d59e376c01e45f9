"""Fit calibration on validation rows: outputs become probabilities, or variances, that can be
relied on; ``modelling.scorer.scoring.calibrated`` applies it."""

from functools import partial
from typing import Any

import numpy as np

from modelling.declaration import UseCase
from modelling.judgement.metrics.forecasts import level_shift
from modelling.scorer.scoring import calibrated, log_odds

FOLDS = 5
# A step function of a few hundred rows, or of a few dozen of the rarer class among many, follows
# their noise: two numbers are all that they can fit.
ISOTONIC_FROM_ROWS, ISOTONIC_FROM_RARER = 1000, 200
NONE: dict[str, Any] = {"method": "none"}


def fit_calibration(target: np.ndarray, outputs: np.ndarray, use_case: UseCase) -> dict[str, Any]:
    """Choose a calibration, and fit it, on validation rows.

    For probabilities of two classes: none, temperature, Platt or, from ``ISOTONIC_FROM_ROWS`` rows
    on, of which ``ISOTONIC_FROM_RARER`` of the rarer class, isotonic; of more classes: none or
    temperature. Each is cross-validated inside the validation rows; one that does not lower the log
    loss by more than a standard error is noise, and none is kept. Nor is one that turns the order
    of the probabilities around. Each point of an isotonic curve comes from
    ``minimum_rows_per_value`` rows or more. For log variances: the level at which QLIKE is lowest.
    For other values: none.

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
    classes = 2 if outputs.ndim == 1 else outputs.shape[1]
    rarest = np.bincount(target.astype(np.intp), minlength=classes).min()
    if rarest < 2 * FOLDS:
        return NONE
    methods: list[Any] = [_temperature]
    if outputs.ndim == 1:
        methods.append(_platt)
        if len(target) >= ISOTONIC_FROM_ROWS and rarest >= ISOTONIC_FROM_RARER:
            methods.append(partial(_isotonic, least=use_case.minimum_rows_per_value))
    losses = {method: _cross_validated_losses(method, target, outputs) for method in methods}
    best = min(losses, key=lambda method: losses[method].mean())
    gain = _log_losses(target, outputs) - losses[best]
    if gain.mean() <= gain.std() / np.sqrt(len(gain)):
        return NONE
    fitted: dict[str, Any] = best(target, outputs)
    return fitted if fitted.get("slope", 1.0) > 0 else NONE


def _cross_validated_losses(method: Any, target: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    from sklearn.model_selection import StratifiedKFold

    losses = np.empty(len(target))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for fitted_on, held_out in folds.split(outputs, target):
        state = method(target[fitted_on], outputs[fitted_on])
        losses[held_out] = _log_losses(target[held_out], calibrated(outputs[held_out], state))
    return losses


def _log_losses(target: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    of_class = _by_class(outputs)[np.arange(len(target)), target.astype(np.intp)]
    return -np.log(of_class.clip(1e-12))


def _by_class(outputs: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - outputs, outputs]) if outputs.ndim == 1 else outputs


def _soft_targets(target: np.ndarray, classes: int) -> np.ndarray:
    """(n, classes): the class of a row is less than certain, the fewer rows it has the less.

    Platt (1999), section 2.2. Otherwise a few rows that a network tells apart without an error
    would make its probabilities as steep as they can be.
    """
    rows = np.bincount(target.astype(np.intp), minlength=classes)[target.astype(np.intp)]
    of_own = np.eye(classes)[target.astype(np.intp)] * rows[:, None]
    return (of_own + 1) / (rows + classes)[:, None]


def _temperature(target: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
    from scipy.optimize import minimize_scalar

    wanted = _soft_targets(target, 2 if outputs.ndim == 1 else outputs.shape[1])

    def loss(log_slope: float) -> float:
        state = {"method": "temperature", "slope": np.exp(log_slope)}
        logs = np.log(_by_class(calibrated(outputs, state)).clip(1e-12))
        return float(-(wanted * logs).sum(axis=1).mean())

    slope = np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x)
    return {"method": "temperature", "slope": float(slope)}


def _platt(target: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression

    odds, wanted = np.tile(log_odds(probabilities)[:, None], (2, 1)), _soft_targets(target, 2)
    happened = np.repeat([0, 1], len(target))
    fitted = LogisticRegression(C=1e6).fit(odds, happened, sample_weight=wanted.T.ravel())
    slope, offset = fitted.coef_[0, 0], fitted.intercept_[0]
    return {"method": "platt", "slope": float(slope), "offset": float(offset)}


def _isotonic(target: np.ndarray, probabilities: np.ndarray, least: int) -> dict[str, Any]:
    order, groups = np.argsort(probabilities, kind="stable"), max(len(target) // least, 1)
    group = np.arange(len(target)) * groups // len(target)
    rows = np.bincount(group)
    predicted, observed = (
        np.bincount(group, values[order]) / rows for values in (probabilities, target)
    )
    from sklearn.isotonic import IsotonicRegression

    # A step at exactly 0 or 1 would be certainty from a handful of rows.
    margin = 1 / (len(target) + 2)
    fitted = IsotonicRegression(y_min=margin, y_max=1 - margin).fit(predicted, observed, rows)
    return {
        "method": "isotonic",
        "from": fitted.X_thresholds_.tolist(),
        "to": fitted.y_thresholds_.tolist(),
    }
