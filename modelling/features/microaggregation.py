"""Microaggregation: replace customers' numbers by means over at least ``minimum_rows`` rows each.

The sorted values are cut into groups of ``minimum_rows`` rows or more, and each value is replaced
by the mean of its group. A median, a quantile or an extreme of the result is then not the value of
one customer, but an aggregate over ``minimum_rows`` rows (k-anonymity).

References
----------
Defays and Nanopoulos (1993), "Panels of enterprises and confidentiality: the small aggregates
method"; Domingo-Ferrer and Mateo-Sanz (2002), "Practical data-oriented microaggregation for
statistical disclosure control".
"""

import numpy as np


def microaggregate(values: np.ndarray, minimum_rows: int) -> np.ndarray:
    """Microaggregate each column by itself.

    Parameters
    ----------
    values : (n, c) float64
        NaN is missing; no infinity.
    minimum_rows : int
        The least number of rows of a group, at least 1.

    Returns
    -------
    (n, c) float64
        Each column sorted, with NaN last: row i is no longer the row i of ``values``. A value that
        ``minimum_rows`` rows have is kept; a smaller group next to it gets that value, too. A
        column with fewer known values than ``minimum_rows`` is all NaN.
    """
    grouped = np.full(values.shape, np.nan)
    for position, column in enumerate(values.T):
        sorted_values = np.sort(column[~np.isnan(column)])
        if len(sorted_values) >= minimum_rows:
            grouped[: len(sorted_values), position] = _group_means(sorted_values, minimum_rows)
    return grouped


def microaggregated_median(values: np.ndarray, minimum_rows: int) -> float:
    """The median after microaggregation.

    Parameters
    ----------
    values : (n,) float64
        NaN is missing; n is at least 1.
    minimum_rows : int
        The least number of rows of a group.

    Returns
    -------
    float
        NaN where fewer than ``minimum_rows`` values are known.
    """
    grouped = microaggregate(values[:, None], minimum_rows)
    return float(np.median(grouped[~np.isnan(grouped)])) if not np.isnan(grouped[0, 0]) else np.nan


def _group_means(sorted_values: np.ndarray, minimum_rows: int) -> np.ndarray:
    """The mean of the group of each value: (n,), for ``sorted_values`` (n,) without NaN."""
    counts = np.unique(sorted_values, return_counts=True)[1]
    shared = np.repeat(counts >= minimum_rows, counts)
    changes = (shared[1:] != shared[:-1]) | (shared[1:] & (sorted_values[1:] != sorted_values[:-1]))
    starts = np.flatnonzero(np.r_[True, changes])
    sizes = np.diff(np.r_[starts, len(sorted_values)])
    within = np.arange(len(sorted_values)) - np.repeat(starts, sizes)
    # The last group of a run also takes the remainder: minimum_rows to twice as many rows.
    last = np.repeat(np.maximum(sizes // minimum_rows, 1) - 1, sizes)
    begins = (within % minimum_rows == 0) & (within // minimum_rows <= last)
    starts = np.flatnonzero(begins)
    sizes = np.diff(np.r_[starts, len(sorted_values)])
    means = _means(sorted_values, starts, sizes)
    small_groups = np.flatnonzero(sizes < minimum_rows)  # each is next to a shared value
    means[small_groups] = means[np.where(small_groups > 0, small_groups - 1, small_groups + 1)]
    return np.repeat(means, sizes)


def _means(sorted_values: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Means of signed logarithms: otherwise one customer with a thousand times as much as the
    others of the group would dominate the mean."""
    logs = np.sign(sorted_values) * np.log1p(np.abs(sorted_values))
    means = np.add.reduceat(logs, starts) / sizes
    return np.clip(
        np.sign(means) * np.expm1(np.abs(means)),
        sorted_values[starts],
        sorted_values[starts + sizes - 1],
    )
