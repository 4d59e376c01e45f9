"""How right probabilities are in themselves, not only in their order."""

import numpy as np

from modelling.judgement.metrics.metric import Metric, Scored, Weighted, weighted_mean


def log_loss(scored: Scored) -> float:
    """scikit-learn's ``log_loss``; defined where only one class occurs, too."""
    from sklearn.metrics import log_loss as mean_log_loss

    outputs = normalised(scored.outputs) if scored.outputs.ndim > 1 else scored.outputs
    return float(mean_log_loss(scored.target, outputs, labels=scored.class_codes))


def weighted_log_loss(scored: Scored) -> Weighted:
    """Mean negative log-likelihood; probabilities are kept off 0 and 1, as in scikit-learn."""
    outputs = scored.outputs.astype(np.float64)
    if outputs.ndim == 1:
        outputs = np.column_stack([1 - outputs, outputs])
    of_target = normalised(outputs)[np.arange(len(outputs)), scored.target.astype(np.intp)]
    return weighted_mean(-np.log(of_target.clip(np.finfo(np.float64).eps)))


def normalised(probabilities: np.ndarray) -> np.ndarray:
    """Rows of probabilities (n, classes) as float64 that sum to 1: float32 misses it by rounding.

    Rows of zeros become NaN.
    """
    probabilities = probabilities.astype(np.float64)
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def brier(scored: Scored) -> float:
    """scikit-learn's ``brier_score_loss``."""
    from sklearn.metrics import brier_score_loss

    return float(brier_score_loss(scored.target, scored.outputs))


def weighted_brier(scored: Scored) -> Weighted:
    """Mean squared distance of the probability to the outcome."""
    return weighted_mean((scored.outputs.astype(np.float64) - scored.target) ** 2)


def expected_calibration_error(
    occurred: np.ndarray, probabilities: np.ndarray, bins: int = 10
) -> float:
    """Mean distance between predicted and observed rate, over bins of equal width.

    Parameters
    ----------
    occurred : ndarray of shape (n,)
        1 where the event occurred, else 0.
    probabilities : ndarray of shape (n,)
        The predicted probability of the event, from 0 to 1.
    bins : int

    Returns
    -------
    float
        The sum over the bins of (rows in the bin / n) * |mean probability - share of events|:
        0 is perfect, 1 the worst. NaN without rows.

    Raises
    ------
    ValueError
        Where a probability is NaN.

    References
    ----------
    Naeini, Cooper and Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI.
    """
    if np.isnan(probabilities).any():
        raise ValueError("a probability is NaN")
    which = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    predicted = np.bincount(which, weights=probabilities, minlength=bins)
    observed = np.bincount(which, weights=occurred, minlength=bins)
    return float(np.abs(predicted - observed).sum() / len(occurred))


METRICS = (
    Metric(
        name="log_loss",
        problems=("binary", "multiclass"),
        higher_is_better=False,
        title="log loss",
        unit="nats",
        plain=log_loss,
        weighted=weighted_log_loss,
        default_headline_of=("multiclass",),
    ),
    Metric(
        name="brier",
        problems=("binary",),
        higher_is_better=False,
        title="Brier score",
        plain=brier,
        weighted=weighted_brier,
    ),
    Metric(
        name="expected_calibration_error",
        problems=("binary",),
        higher_is_better=False,
        title="expected calibration error",
        plain=lambda scored: expected_calibration_error(scored.target, scored.outputs),
    ),
)
