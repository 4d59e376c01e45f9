"""Which amounts are divided by which: the quotients that earn their place among the features."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from modelling.declaration import Column
from modelling.scorer.scoring import with_ratios

Pair = tuple[int, int]

# Of eight amounts or fewer all quotients are kept: to find out by training is cheap. Beyond, their
# number would grow with the square of the columns, and each is some twenty features.
ALL_KEPT = 28
ROWS_A_RATIO = 50
ROWS_RANKED = 4000
TARGET_BINS = 10
PAIRS_AT_ONCE = 64


def possible_ratios(values: np.ndarray, columns: Sequence[Column]) -> list[Pair]:
    """Which columns of the training rows' ``values`` (n, c) could be divided, over and under.

    Amounts of the same unit, two by two, where both are above zero in half of the rows or more:
    quotients of what most rows do not have say little and cost features.
    """
    with_unit = [position for position, column in enumerate(columns) if column.unit]
    above_zero = (values > 0).astype(np.float32)
    together = above_zero.T @ above_zero / max(len(values), 1)
    return [
        (over, under)
        for over, under in combinations(with_unit, 2)
        if columns[over].unit == columns[under].unit and together[over, under] >= 0.5
    ]


def best_ratios(values: np.ndarray, pairs: list[Pair], target: np.ndarray) -> list[Pair]:
    """Those of ``pairs`` that tell the ``target`` (n,) better than both of their parts do.

    At most as many as there are amounts, and one for each ``ROWS_A_RATIO`` rows, but ``ALL_KEPT``.
    """
    amounts = len({position for pair in pairs for position in pair})
    at_most = max(ALL_KEPT, min(amounts, len(values) // ROWS_A_RATIO))
    gains = _gains(values, pairs, target)
    best = np.argsort(-gains, kind="stable")[:at_most]
    return [pairs[number] for number in np.sort(best) if gains[number] > 0]


def _gains(values: np.ndarray, pairs: list[Pair], target: np.ndarray) -> np.ndarray:
    """How much better a quotient tells the target than the better of its two parts: (pairs,)."""
    classes = _classes(target)
    rows = _rows_of_every_class(classes)
    values, membership = values[rows], np.eye(classes.max() + 1)[classes[rows]]
    alone = _told(values, membership)
    gains = []
    for first in range(0, len(pairs), PAIRS_AT_ONCE):
        some = pairs[first : first + PAIRS_AT_ONCE]
        over, under = (list(side) for side in zip(*some, strict=True))
        with np.errstate(over="ignore"):
            quotients = with_ratios(values, some)[:, values.shape[1] :]
        gains.append(_told(quotients, membership) - np.maximum(alone[over], alone[under]))
    return np.concatenate(gains)


def _told(values: np.ndarray, membership: np.ndarray) -> np.ndarray:
    """The share of the variance of each column's ranks that lies between the classes: (c,).

    The effect size of Kruskal and Wallis (1952), eta squared; of two classes it grows with the
    distance of the ROC AUC from a half. ``membership`` is (n, classes). Missing values have the
    mean rank.
    """
    columns = np.ascontiguousarray(values.T)  # sorted one after the other
    missing = np.isnan(columns)
    ranks = rankdata(np.where(missing, np.inf, columns), axis=1)
    known = np.maximum((~missing).sum(axis=1, keepdims=True), 1)
    ranks = np.where(missing, 0.0, ranks - (known + 1) / 2)
    between = ((ranks @ membership) ** 2 / membership.sum(axis=0)).sum(axis=1)
    whole = (ranks**2).sum(axis=1)
    return np.divide(between, whole, out=np.zeros_like(between), where=whole > 0)


def _classes(target: np.ndarray) -> np.ndarray:
    """The classes of the rows as codes; of a number, the tenths of its distribution."""
    if not np.issubdtype(target.dtype, np.floating):
        return np.unique(target, return_inverse=True)[1]
    edges = np.unique(np.quantile(target, np.linspace(0, 1, TARGET_BINS + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, target, side="right"), return_inverse=True)[1]


def _rows_of_every_class(classes: np.ndarray) -> np.ndarray:
    """About ``ROWS_RANKED`` rows, as many of each class as far as there are: in proportion, a
    sample would hold two of the frauds."""
    of_each = [np.flatnonzero(classes == code) for code in range(classes.max() + 1)]
    most = max(ROWS_RANKED // len(of_each), 1)
    steps = [max(-(-len(rows) // most), 1) for rows in of_each]
    return np.concatenate([rows[::step] for rows, step in zip(of_each, steps, strict=True)])
