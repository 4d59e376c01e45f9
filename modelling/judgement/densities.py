"""How many rows lie where, but nowhere so few that one of them could be told."""

from collections.abc import Sequence

import numpy as np

GRIDS = (40, 25, 16, 10, 6, 4)  # cells along an axis
SHOWN_AT_LEAST = 2 / 3


def rows_by_cell(
    values: Sequence[np.ndarray], ranges: Sequence[tuple[float, float]], least: int
) -> tuple[np.ndarray, Sequence[np.ndarray]]:
    """The rows in each cell of the finest grid that shows most of them, and the grid's edges.

    ``values`` are the rows' coordinates, each (n,), ``ranges`` from where to where each goes; what
    lies outside counts at the border. Cells of fewer rows than ``least`` are 0.
    """
    inside = [np.clip(one, *ends) for one, ends in zip(values, ranges, strict=True)]
    for cells in GRIDS:
        counts, edges = np.histogramdd(np.column_stack(inside), bins=cells, range=ranges)
        counts[counts < least] = 0
        if counts.sum() >= SHOWN_AT_LEAST * len(inside[0]):
            break
    return counts, edges
