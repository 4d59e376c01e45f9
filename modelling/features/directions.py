"""Which features may only raise the score, and which only lower it."""

from typing import Any

import numpy as np

from modelling.declaration import UseCase

SIGNS = {"up": 1, "down": -1, None: 0}


def feature_directions(
    numeric: dict[str, Any], feature_count: int, use_case: UseCase
) -> np.ndarray:
    """The direction of each feature: 1 up, -1 down, 0 free.

    All transformations of a number are monotone, and a column with a direction is in no ratio: so
    the features that are made of its size have its direction. Flags are free: a missing cell and a
    special code are outside of the order.

    Parameters
    ----------
    numeric : dict
        The ``numeric`` state of a transformer; its blocks come first among the features.
    feature_count : int
        f, labels included.

    Returns
    -------
    (f,) int8
    """
    signs = {column.name: SIGNS[column.direction] for column in use_case.features}
    of_columns = [signs[name] for name in numeric["names"]] + [0] * len(numeric["ratios"])
    ordered = [of_columns[at] for block in numeric["blocks"] for at in block["columns"]]
    free = [0] * (feature_count - len(ordered))
    return np.array(ordered + free, dtype=np.int8)
