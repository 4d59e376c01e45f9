"""How well probabilities of two classes rank the rows, whatever their level."""

from collections.abc import Callable

import numpy as np

from modelling.judgement.metrics.metric import Metric, Scored, Weighted


def roc_auc(scored: Scored) -> float:
    """scikit-learn's ``roc_auc_score``; NaN where only one class occurs."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(scored.target, scored.outputs))


def weighted_roc_auc(scored: Scored) -> Weighted:
    """Area under the ROC curve: the chance that a positive outranks a negative, ties half."""
    steps = _steps(scored.target, scored.outputs)

    def value(weights: np.ndarray) -> np.ndarray:
        positives, tied, between = steps(weights)
        below = (between + tied).cumsum(axis=0) - tied
        won = (positives * (below + tied / 2)).sum(axis=0)
        negatives = between.sum(axis=0) + tied.sum(axis=0)
        with np.errstate(invalid="ignore"):
            return won / (positives.sum(axis=0) * negatives)

    return value


def kolmogorov_smirnov(scored: Scored) -> float:
    """The largest distance between the two classes' distribution functions of the score; NaN where
    only one class occurs."""
    from scipy.stats import ks_2samp

    is_positive = scored.target == 1
    return float(ks_2samp(scored.outputs[is_positive], scored.outputs[~is_positive]).statistic)


def average_precision(scored: Scored) -> float:
    """scikit-learn's ``average_precision_score``; 0 without positives."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(scored.target, scored.outputs))


def weighted_average_precision(scored: Scored) -> Weighted:
    """Mean of the precision at each recalled positive, from the highest probability down."""
    steps = _steps(scored.target, -scored.outputs)

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
    row holds what lies above the last step. One sparse product adds them up: scikit-learn would
    sort the rows again for each of a thousand resamples.
    """
    from scipy.sparse import csr_array

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


METRICS = (
    Metric(
        name="roc_auc",
        problems=("binary",),
        verb="ranks",
        higher_is_better=True,
        title="area under the ROC curve",
        plain=roc_auc,
        weighted=weighted_roc_auc,
        default_headline_of=("binary",),
    ),
    Metric(
        name="gini",
        problems=("binary",),
        verb="ranks",
        higher_is_better=True,
        title="Gini coefficient",
        plain=lambda scored: 2 * roc_auc(scored) - 1,
    ),
    Metric(
        name="ks",
        problems=("binary",),
        verb="ranks",
        higher_is_better=True,
        title="Kolmogorov-Smirnov statistic",
        plain=kolmogorov_smirnov,
    ),
    Metric(
        name="average_precision",
        problems=("binary",),
        verb="ranks",
        higher_is_better=True,
        title="average precision",
        plain=average_precision,
        weighted=weighted_average_precision,
        default_headline_of=("binary",),
    ),
)
