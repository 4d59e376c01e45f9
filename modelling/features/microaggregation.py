"""What may be kept of a column of customers' numbers: means over at least ``least`` rows each.

Microaggregation (Defays and Nanopoulos 1993; Domingo-Ferrer and Mateo-Sanz 2002): the sorted values
are cut into groups of ``least`` rows or more, and each becomes the mean of its group. Whatever is
then read off them (a median, a quantile, the smallest and the largest) is nobody's own value, but
an aggregate over ``least`` rows (k-anonymity).
"""

import numpy as np


def microaggregated(values: np.ndarray, least: int) -> np.ndarray:
    """The columns of ``values`` (n, c), each sorted and its values grouped; missing ones come last.

    A value that ``least`` rows share stays what it is, and takes fewer rows beside it along.
    Columns with fewer known values than ``least`` are all missing.
    """
    grouped = np.full(values.shape, np.nan)
    for position, column in enumerate(values.T):
        known = np.sort(column[~np.isnan(column)])
        if len(known) >= least:
            grouped[: len(known), position] = _grouped(known, least)
    return grouped


def kept_median(values: np.ndarray, least: int) -> float:
    """The median of ``values`` (n,) once grouped; NaN where fewer than ``least`` are known."""
    grouped = microaggregated(values[:, None], least)
    return float(np.median(grouped[~np.isnan(grouped)])) if not np.isnan(grouped[0, 0]) else np.nan


def _grouped(known: np.ndarray, least: int) -> np.ndarray:
    """``known`` (n,), sorted and without gaps: (n,)."""
    counts = np.unique(known, return_counts=True)[1]
    shared = np.repeat(counts >= least, counts)
    changes = (shared[1:] != shared[:-1]) | (shared[1:] & (known[1:] != known[:-1]))
    starts = np.flatnonzero(np.r_[True, changes])
    sizes = np.diff(np.r_[starts, len(known)])
    within = np.arange(len(known)) - np.repeat(starts, sizes)
    # The last group of a stretch takes its remainder: least to twice as many rows.
    last = np.repeat(np.maximum(sizes // least, 1) - 1, sizes)
    begins = (within % least == 0) & (within // least <= last)
    starts = np.flatnonzero(begins)
    sizes = np.diff(np.r_[starts, len(known)])
    means = _means(known, starts, sizes)
    few = np.flatnonzero(sizes < least)  # each beside a shared value
    means[few] = means[np.where(few > 0, few - 1, few + 1)]
    return np.repeat(means, sizes)


def _means(known: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Of logarithms, with their sign: one customer with a thousand times what the others of the
    group have would otherwise shine through their mean."""
    logs = np.sign(known) * np.log1p(np.abs(known))
    means = np.add.reduceat(logs, starts) / sizes
    return np.clip(
        np.sign(means) * np.expm1(np.abs(means)), known[starts], known[starts + sizes - 1]
    )
