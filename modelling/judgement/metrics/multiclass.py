"""Metrics of three or more classes, ordered or not."""

import numpy as np

from modelling.judgement.metrics.metric import Metric, Scored, Weighted, weighted_mean
from modelling.judgement.metrics.probabilities import expected_calibration_error, normalised


def brier(scored: Scored) -> float:
    """scikit-learn's ``brier_score_loss``: from 0, perfect, to 2."""
    from sklearn.metrics import brier_score_loss

    outputs, labels = normalised(scored.outputs), scored.class_codes
    return float(brier_score_loss(scored.target, outputs, labels=labels))


def weighted_brier(scored: Scored) -> Weighted:
    """Mean over the rows of the squared distances, summed over the classes (Brier 1950)."""
    occurred = scored.target[:, None] == np.array(scored.class_codes)
    return weighted_mean(((normalised(scored.outputs) - occurred) ** 2).sum(axis=1))


def top_label(target: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether the most probable class is the right one, and the probability given to it.

    Parameters
    ----------
    target : ndarray of shape (n,)
        Class codes.
    outputs : ndarray of shape (n, classes)
        Probabilities. NaN counts as the largest, as in ``numpy.argmax``.

    Returns
    -------
    is_right : ndarray of shape (n,)
        0 or 1.
    confidence : ndarray of shape (n,)

    References
    ----------
    Guo, Pleiss, Sun and Weinberger (2017), "On calibration of modern neural networks", ICML.
    """
    return (target == outputs.argmax(axis=1)).astype(np.int64), outputs.max(axis=1)


def top_label_calibration_error(scored: Scored) -> float:
    """Whether the most probable class is right as often as its probability says."""
    return expected_calibration_error(*top_label(scored.target, normalised(scored.outputs)))


def quadratic_weighted_kappa(scored: Scored) -> float:
    """scikit-learn's ``cohen_kappa_score`` of the decided classes; NaN where there is but one."""
    from sklearn.metrics import cohen_kappa_score

    target, decided, labels = scored.target, scored.decided, scored.class_codes
    return float(cohen_kappa_score(target, decided, weights="quadratic", labels=labels))


def weighted_quadratic_weighted_kappa(scored: Scored) -> Weighted:
    """Agreement of the most probable class beyond chance (Cohen 1968): 1 is perfect, 0 chance."""
    classes = scored.outputs.shape[1]
    cell = scored.target.astype(np.intp) * classes + scored.outputs.argmax(axis=1)
    rows, columns = np.indices((classes, classes))
    distance = (rows - columns) ** 2

    def value(weights: np.ndarray) -> np.ndarray:
        counts = [np.bincount(cell, drawn, classes * classes) for drawn in weights.T]
        observed = np.stack(counts).reshape(-1, classes, classes)
        by_chance = observed.sum(axis=2)[:, :, None] * observed.sum(axis=1)[:, None, :]
        total = observed.sum(axis=(1, 2))
        with np.errstate(invalid="ignore"):
            disagreement = (observed * distance).sum(axis=(1, 2))
            return 1 - disagreement * total / (by_chance * distance).sum(axis=(1, 2))

    return value


def within_one_notch(scored: Scored) -> float:
    """The share of the rows whose decided class is the right one or a neighbour of it."""
    return float((np.abs(scored.target - scored.decided) <= 1).mean())


METRICS = (
    Metric(
        name="brier",
        problems=("multiclass",),
        higher_is_better=False,
        title="Brier score",
        plain=brier,
        weighted=weighted_brier,
    ),
    Metric(
        name="expected_calibration_error",
        problems=("multiclass",),
        higher_is_better=False,
        title="expected calibration error",
        plain=top_label_calibration_error,
    ),
    Metric(
        name="quadratic_weighted_kappa",
        problems=("multiclass",),
        higher_is_better=True,
        title="quadratic weighted kappa",
        plain=quadratic_weighted_kappa,
        weighted=weighted_quadratic_weighted_kappa,
        needs=("ordered=True",),
    ),
    Metric(
        name="within_one_notch",
        problems=("multiclass",),
        higher_is_better=True,
        title="share within one class of the right one",
        plain=within_one_notch,
        needs=("ordered=True",),
    ),
)
