"""Metrics as functions of row weights, so that one sort serves a thousand bootstrap resamples.

Each maker takes ``target`` (n,) and ``outputs`` (n,) or (n, classes) and returns a function from
weights (n, b), how often each row was drawn in each of b resamples, to values (b,). With all
weights 1 the value is the metric itself. Where it is not defined (one class only) it is NaN.
"""

from collections.abc import Callable

import numpy as np

Weighted = Callable[[np.ndarray], np.ndarray]


def weighted_roc_auc(target: np.ndarray, probabilities: np.ndarray) -> Weighted:
    """Area under the ROC curve: the chance that a positive outranks a negative, ties half."""
    order, starts = _ties(probabilities)
    is_positive = target[order] == 1

    def value(weights: np.ndarray) -> np.ndarray:
        positives, negatives = _by_tie(weights[order], is_positive, starts)
        below = negatives.cumsum(axis=0) - negatives
        won = (positives * (below + negatives / 2)).sum(axis=0)
        with np.errstate(invalid="ignore"):
            return won / (positives.sum(axis=0) * negatives.sum(axis=0))

    return value


def weighted_average_precision(target: np.ndarray, probabilities: np.ndarray) -> Weighted:
    """Mean of the precision at each recalled positive, from the highest probability down."""
    order, starts = _ties(-probabilities)
    is_positive = target[order] == 1

    def value(weights: np.ndarray) -> np.ndarray:
        positives, negatives = _by_tie(weights[order], is_positive, starts)
        true, alarms = positives.cumsum(axis=0), (positives + negatives).cumsum(axis=0)
        with np.errstate(invalid="ignore"):
            precision = true / np.maximum(alarms, 1)
            return (positives * precision).sum(axis=0) / positives.sum(axis=0)

    return value


def _ties(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ascending order of the scores and where each run of equal scores starts in it."""
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    return order, np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])


def _by_tie(
    weights: np.ndarray, is_positive: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if len(starts) == len(weights):  # no ties: nothing to add up
        positives = weights * is_positive[:, None]
        return positives, weights - positives
    everyone = np.add.reduceat(weights, starts, axis=0)
    positives = np.add.reduceat(weights * is_positive[:, None], starts, axis=0)
    return positives, everyone - positives


def weighted_log_loss(target: np.ndarray, outputs: np.ndarray) -> Weighted:
    """Mean negative log-likelihood in nats; probabilities are kept off 0 and 1, as in sklearn."""
    outputs = outputs.astype(np.float64)
    if outputs.ndim == 1:
        outputs = np.column_stack([1 - outputs, outputs])
    outputs = outputs / outputs.sum(axis=1, keepdims=True)
    chosen = outputs[np.arange(len(target)), target.astype(np.intp)]
    return _mean(-np.log(chosen.clip(np.finfo(np.float64).eps)))


def weighted_brier(target: np.ndarray, probabilities: np.ndarray) -> Weighted:
    """Mean squared distance of the probability to the outcome."""
    return _mean((probabilities.astype(np.float64) - target) ** 2)


def weighted_rmse(target: np.ndarray, forecasts: np.ndarray) -> Weighted:
    """Root of the mean squared error, in the target's unit."""
    mean_square = _mean((forecasts.astype(np.float64) - target) ** 2)
    return lambda weights: np.sqrt(mean_square(weights))


def weighted_qlike(target: np.ndarray, forecasts: np.ndarray) -> Weighted:
    """Quasi-likelihood loss of log-variance forecasts (Patton 2011, equation 25 with its minimum
    at 0): mean of r - log r - 1, r being realised over forecast variance."""
    log_ratio = target - forecasts.astype(np.float64)
    return _mean(np.exp(log_ratio) - log_ratio - 1)


def weighted_kappa(target: np.ndarray, outputs: np.ndarray) -> Weighted:
    """Quadratic weighted kappa of argmax decisions (Cohen 1968): 1 agreement, 0 chance."""
    classes = outputs.shape[1]
    decided = outputs.argmax(axis=1)
    cell = target.astype(np.intp) * classes + decided
    rows, columns = np.indices((classes, classes))
    distance = (rows - columns) ** 2

    def value(weights: np.ndarray) -> np.ndarray:
        seen = np.stack([np.bincount(cell, one, classes * classes) for one in weights.T])
        seen = seen.reshape(-1, classes, classes)
        by_chance = seen.sum(axis=2)[:, :, None] * seen.sum(axis=1)[:, None, :]
        total = seen.sum(axis=(1, 2))
        with np.errstate(invalid="ignore"):
            disagreed = (seen * distance).sum(axis=(1, 2))
            return 1 - disagreed * total / (by_chance * distance).sum(axis=(1, 2))

    return value


def _mean(per_row: np.ndarray) -> Weighted:
    return lambda weights: per_row @ weights / weights.sum(axis=0)


HIGHER_IS_BETTER = {"roc_auc", "average_precision", "card_precision", "quadratic_weighted_kappa"}
WEIGHTED: dict[str, Callable[[np.ndarray, np.ndarray], Weighted]] = {
    "roc_auc": weighted_roc_auc,
    "average_precision": weighted_average_precision,
    "log_loss": weighted_log_loss,
    "brier": weighted_brier,
    "rmse": weighted_rmse,
    "qlike": weighted_qlike,
    "quadratic_weighted_kappa": weighted_kappa,
}
