"""Which ratios of two amounts become features."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from modelling.declaration import Column
from modelling.scorer.scoring import with_ratios

ColumnPair = tuple[int, int]

# The 28 ratios of eight amounts are all kept: training on them is cheap. The number of ratios grows
# with the square of that of the amounts, and each becomes about twenty features.
ALL_RATIOS_UP_TO = 28
ROWS_PER_RATIO = 50
ROWS_RANKED = 4000
TARGET_BINS = 10
PAIRS_PER_BATCH = 64


def possible_ratios(values: np.ndarray, columns: Sequence[Column]) -> list[ColumnPair]:
    """The pairs of columns whose ratio could be a feature: numerator and denominator.

    These are all pairs of amounts of the same unit that are both above zero in at least half of the
    rows, but those with a direction: a ratio may fall where its denominator rises.

    Parameters
    ----------
    values : (n, c)
        Training rows; NaN counts as not above zero.
    columns : sequence of Column
        The c columns of ``values``.

    Returns
    -------
    list of (int, int)
        Positions in ``columns``; empty without rows.
    """
    with_unit = [
        position for position, column in enumerate(columns) if column.unit and not column.direction
    ]
    is_positive = (values > 0).astype(np.float32)
    both_above_zero = is_positive.T @ is_positive / max(len(values), 1)
    return [
        (over, under)
        for over, under in combinations(with_unit, 2)
        if columns[over].unit == columns[under].unit and both_above_zero[over, under] >= 0.5
    ]


def best_ratios(
    values: np.ndarray, pairs: list[ColumnPair], target: np.ndarray
) -> list[ColumnPair]:
    """The ``pairs`` whose ratio separates the target better than both of its columns do.

    Parameters
    ----------
    values : (n, c)
        Training rows; NaN is missing.
    pairs : list of (int, int)
        From ``possible_ratios``; at least one.
    target : (n,)
        Class codes, or floats, which are cut into tenths.

    Returns
    -------
    list of (int, int)
        In the order of ``pairs``. At most as many as there are amounts and as
        ``n / ROWS_PER_RATIO``, but up to ``ALL_RATIOS_UP_TO`` in any case.
    """
    amounts = len({position for pair in pairs for position in pair})
    ratio_count = max(ALL_RATIOS_UP_TO, min(amounts, len(values) // ROWS_PER_RATIO))
    gains = _gains(values, pairs, target)
    order = np.argsort(-gains, kind="stable")[:ratio_count]
    return [pairs[number] for number in np.sort(order) if gains[number] > 0]


def _gains(values: np.ndarray, pairs: list[ColumnPair], target: np.ndarray) -> np.ndarray:
    """The effect size of each ratio minus that of the better of its two columns: (pairs,)."""
    classes = _classes(target)
    rows = _rows_of_every_class(classes)
    values, membership = values[rows], np.eye(classes.max() + 1)[classes[rows]]
    column_effects = _rank_effect_sizes(values, membership)
    gains = []
    for first in range(0, len(pairs), PAIRS_PER_BATCH):
        batch = pairs[first : first + PAIRS_PER_BATCH]
        over, under = (list(side) for side in zip(*batch, strict=True))
        with np.errstate(over="ignore"):
            quotients = with_ratios(values, batch)[:, values.shape[1] :]
        gains.append(
            _rank_effect_sizes(quotients, membership)
            - np.maximum(column_effects[over], column_effects[under])
        )
    return np.concatenate(gains)


def _rank_effect_sizes(values: np.ndarray, membership: np.ndarray) -> np.ndarray:
    """Eta squared of each column's ranks: the share of their variance between classes, (c,).

    The effect size of the test of Kruskal and Wallis (1952); for two classes it grows with the
    distance of the ROC AUC from 0.5. ``membership`` (n, classes) is 1 for the class of a row.
    Missing values get the mean rank; a constant column has 0.
    """
    columns = np.ascontiguousarray(values.T)  # each column is sorted by itself
    missing = np.isnan(columns)
    ranks = rankdata(np.where(missing, np.inf, columns), axis=1)
    known = np.maximum((~missing).sum(axis=1, keepdims=True), 1)
    ranks = np.where(missing, 0.0, ranks - (known + 1) / 2)
    between = ((ranks @ membership) ** 2 / membership.sum(axis=0)).sum(axis=1)
    whole = (ranks**2).sum(axis=1)
    return np.divide(between, whole, out=np.zeros_like(between), where=whole > 0)


def _classes(target: np.ndarray) -> np.ndarray:
    """The classes as codes (n,); a number is cut into tenths of its distribution."""
    if not np.issubdtype(target.dtype, np.floating):
        return np.unique(target, return_inverse=True)[1]
    edges = np.unique(np.quantile(target, np.linspace(0, 1, TARGET_BINS + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, target, side="right"), return_inverse=True)[1]


def _rows_of_every_class(classes: np.ndarray) -> np.ndarray:
    """About ``ROWS_RANKED`` row numbers, equally many of each class if there are: a proportional
    sample would have almost no frauds."""
    of_each = [np.flatnonzero(classes == code) for code in range(classes.max() + 1)]
    most = max(ROWS_RANKED // len(of_each), 1)
    steps = [max(-(-len(rows) // most), 1) for rows in of_each]
    return np.concatenate([rows[::step] for rows, step in zip(of_each, steps, strict=True)])
