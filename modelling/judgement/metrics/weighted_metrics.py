"""Metrics as functions of row weights, so that one sort serves a thousand bootstrap resamples.

Each maker takes ``target`` (n,) and ``outputs`` (n,) or (n, classes) and returns a function from
weights (n, b), how often each row was drawn in each of b resamples, to values (b,). With all
weights 1 the value is the metric itself. Where it is not defined (one class only) it is NaN.
"""

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array

Weighted = Callable[[np.ndarray], np.ndarray]


def weighted_roc_auc(target: np.ndarray, probabilities: np.ndarray) -> Weighted:
    """Area under the ROC curve: the chance that a positive outranks a negative, ties half."""
    steps = _steps(target, probabilities)

    def value(weights: np.ndarray) -> np.ndarray:
        positives, tied, between = steps(weights)
        below = (between + tied).cumsum(axis=0) - tied
        won = (positives * (below + tied / 2)).sum(axis=0)
        negatives = between.sum(axis=0) + tied.sum(axis=0)
        with np.errstate(invalid="ignore"):
            return won / (positives.sum(axis=0) * negatives)

    return value


def weighted_average_precision(target: np.ndarray, probabilities: np.ndarray) -> Weighted:
    """Mean of the precision at each recalled positive, from the highest probability down."""
    steps = _steps(target, -probabilities)

    def value(weights: np.ndarray) -> np.ndarray:
        positives, tied, between = steps(weights)
        true, false = positives.cumsum(axis=0), (between + tied).cumsum(axis=0)
        with np.errstate(invalid="ignore"):
            precision = true / np.maximum(true + false, 1)
            return (positives * precision).sum(axis=0) / positives.sum(axis=0)

    return value


def _steps(
    target: np.ndarray, scores: np.ndarray
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """All that a ranking's metrics need: from weights (n, b) to three arrays (steps + 1, b).

    A step is a score that a positive has, in ascending order: the weight of its positives, of the
    negatives tied with them, and of the negatives between the step before and this one. The last
    row holds what lies above the last step. One sparse product adds them up, without a sort.
    """
    is_positive = target == 1
    levels = np.unique(scores[is_positive])
    step = np.searchsorted(levels, scores)
    is_tied = np.isin(scores, levels)
    kind = np.where(is_positive, 0, np.where(is_tied, 1, 2))
    count = len(levels) + 1
    cells = csr_array(
        (np.ones(len(scores)), (kind * count + step, np.arange(len(scores)))),
        shape=(3 * count, len(scores)),
    )
    return lambda weights: tuple((cells @ weights).reshape(3, count, -1))


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
