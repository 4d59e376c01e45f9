"""Which rows can't be taken for independent: those of one customer, or of one month."""

import numpy as np
import pandas as pd

from modelling.declaration import UseCase
from modelling.refusals import DataRefused


def groups_of(rows: pd.DataFrame, use_case: UseCase) -> np.ndarray:
    """The group of each of ``rows`` (n,), as codes from 0 on: what the split says of them."""
    return use_case.split.groups(rows)


def refuse_single_group(groups: np.ndarray) -> None:
    """Raise DataRefused where all rows are of one group: each resample would be the same, and an
    interval without width says that nothing is left to chance."""
    if not len(groups) or groups.max() < 1:
        raise DataRefused(
            "the test rows are all of one day, group or customer (or there is only one): how sure "
            "a metric is can't be told from them; give the test part more of the table"
        )
