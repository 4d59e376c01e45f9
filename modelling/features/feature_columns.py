"""Which column each feature is made of."""

from typing import Any

import numpy as np


def feature_columns(state: dict[str, Any]) -> np.ndarray:
    """The column of each feature, by number: numbers, then ratios, then labels.

    A ratio is a column of its own. The flags of a column belong to it.

    Parameters
    ----------
    state : dict
        That of a transformer.

    Returns
    -------
    (f,) int
    """
    numeric = state["numeric"]
    of_features = [at for block in numeric["blocks"] for at in block["columns"]]
    of_features += [*numeric["flagged"], *(at for at, _ in numeric["special_codes"])]
    first = len(numeric["names"]) + len(numeric["ratios"])
    for number, labels in enumerate(state["categories"], start=first):
        of_features += [number] * labels["width"]
    return np.array(of_features, dtype=np.intp)
