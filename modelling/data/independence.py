"""Which rows can not be taken for independent: those of one customer, or of one month."""

import numpy as np
import pandas as pd

from modelling.declaration import DelayedFeedback, Grouped, OutOfTime, UseCase
from modelling.refusals import DataRefused


def groups_of(rows: pd.DataFrame, use_case: UseCase) -> np.ndarray:
    """Which rows (n,) can't be taken for independent, as codes from 0 on.

    Rows of one group (a customer) where the split is by groups; of one block of time where it is
    by time (Carlstein 1986): months, or weeks, or days, whichever first gives two dozen blocks.
    Otherwise each row stands for itself.
    """
    split = use_case.split
    if isinstance(split, DelayedFeedback):
        return pd.factorize(rows[split.customer])[0]
    if isinstance(split, Grouped):
        return pd.factorize(rows[split.column])[0]
    if isinstance(split, OutOfTime):
        times = rows[split.column].dt
        for length in ("M", "W", "D"):
            blocks = pd.factorize(times.to_period(length))[0]
            if blocks.max() + 1 >= 24:
                break
        return blocks
    return np.arange(len(rows))


def refuse_single_group(groups: np.ndarray) -> None:
    """Raise DataRefused where all rows are of one group: each resample would be the same, and an
    interval without width says that nothing is left to chance."""
    if not len(groups) or groups.max() < 1:
        raise DataRefused(
            "the test rows are all of one day, group or customer (or there is only one): how sure "
            "a metric is can't be told from them; give the test part more of the table"
        )
