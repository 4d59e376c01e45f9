"""Metrics of a ranking, resampled over few cells instead of all rows.

A ranking is judged by the order of positives and negatives alone. Negatives between two positives
that follow each other can change places, and so can all that have one score: how often the rows of
such a cell were drawn together is all that there is to know of them.
"""

from collections.abc import Sequence

import numpy as np

from modelling.judgement.metrics.metric import Metric, Scored, Weighted
from modelling.judgement.metrics.ranking import weighted_average_precision, weighted_roc_auc

OF_RANKINGS = (weighted_roc_auc, weighted_average_precision)
MOST_IN_A_BYTE = 255


def resampled_together(metrics: Sequence[Metric], scored: Scored) -> Weighted:
    """``Metric.resampled`` of several metrics at once, equal to the last bit.

    Parameters
    ----------
    metrics : sequence of k Metric
    scored : Scored of n rows

    Returns
    -------
    callable
        From weights (n, b), whole numbers that say how often each row was drawn, to values (b, k).

    Raises
    ------
    ValueError
        Where one of the metrics can't be resampled.
    """
    by_cell = [metric.weighted in OF_RANKINGS for metric in metrics]
    cells, drawn_of_cells = rank_cells(scored) if any(by_cell) else (scored, None)
    functions = [
        metric.resampled(cells if of_cells else scored)
        for metric, of_cells in zip(metrics, by_cell, strict=True)
    ]

    def values(weights: np.ndarray) -> np.ndarray:
        drawn = drawn_of_cells(weights) if drawn_of_cells else weights
        pairs = zip(functions, by_cell, strict=True)
        return np.stack([of(drawn if of_cells else weights) for of, of_cells in pairs], axis=1)

    return values


def rank_cells(scored: Scored) -> tuple[Scored, Weighted]:
    """A row for each cell, and how often the cells were drawn: from (n, b) to (cells, b).

    The cells are, at each score that a positive has, the negatives below it, down to the next such
    score, those tied with it, and its positives.
    """
    from scipy.sparse import csr_array

    is_positive = scored.target == 1
    levels = np.unique(scored.outputs[is_positive])
    level = np.searchsorted(levels, scored.outputs)
    kind = np.where(is_positive, 2, np.isin(scored.outputs, levels))
    cell = 3 * level + kind
    order = np.argsort(cell, kind="stable")
    starts = np.unique(cell[order], return_index=True)[1]
    count, rows = len(order), np.arange(len(order), dtype=np.int32)
    in_cell = csr_array(
        (np.ones(count, dtype=np.int32), rows, np.append(starts, count)), (len(starts), count)
    )

    def drawn(weights: np.ndarray) -> np.ndarray:
        # As bytes they fit the cache, in which taking them in any order costs next to nothing.
        fits = weights.max(initial=0) <= MOST_IN_A_BYTE
        narrow = weights.astype(np.uint8) if fits else weights
        return in_cell @ narrow.take(order, axis=0)

    return Scored(scored.target[order[starts]], scored.outputs[order[starts]]), drawn
