"""How many rows lie where, but nowhere so few that a single one could be recognised."""

from collections.abc import Sequence

import numpy as np

GRIDS = (40, 25, 16, 10, 6, 4)  # cells along an axis
SHOWN_AT_LEAST = 2 / 3


def groups_in_order(values: np.ndarray, least: int) -> np.ndarray:
    """Cut the rows, in the order of ``values``, into groups that are as small as may be shown.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Without NaN.
    least : int
        The least number of rows of a group.

    Returns
    -------
    ndarray of int, of shape (n,)
        The number of each row's group, from 0 on, ascending with ``values``. Equal values are in
        one group. With fewer than ``2 * least`` rows there is one group.
    """
    order = np.argsort(values, kind="stable")
    sorted_values = values[order]
    changes = np.flatnonzero(sorted_values[1:] != sorted_values[:-1]) + 1
    starts = np.zeros(len(values), dtype=np.intp)
    at = 0
    while (next_change := np.searchsorted(changes, at + least)) < len(changes):
        at = changes[next_change]
        if at > len(values) - least:
            break
        starts[at] = 1
    groups = np.empty(len(values), dtype=np.intp)
    groups[order] = np.cumsum(starts)
    return groups


def rows_by_cell(
    values: Sequence[np.ndarray], ranges: Sequence[tuple[float, float]], least: int
) -> tuple[np.ndarray, Sequence[np.ndarray]]:
    """Count the rows in each cell of the finest grid that shows most of them.

    Parameters
    ----------
    values : sequence of ndarray of shape (n,)
        The rows' coordinates along each axis, without NaN.
    ranges : sequence of (float, float)
        From where to where each axis goes; what lies outside counts at the border.
    least : int
        Cells of fewer rows are 0.

    Returns
    -------
    counts : ndarray of shape (cells, ..., cells)
    edges : sequence of ndarray of shape (cells + 1,)
        One for each axis. Without rows the coarsest grid, empty.
    """
    inside = [np.clip(axis, *ends) for axis, ends in zip(values, ranges, strict=True)]
    for cells in GRIDS:
        counts, edges = np.histogramdd(np.column_stack(inside), bins=cells, range=ranges)
        counts[counts < least] = 0
        if counts.sum() >= SHOWN_AT_LEAST * len(inside[0]):
            break
    return counts, edges
