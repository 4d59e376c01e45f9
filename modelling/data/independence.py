"""Which rows can't be taken for independent: those of one customer, or of one month."""

import numpy as np
import pandas as pd

from modelling.declaration import UseCase
from modelling.refusals import DataRefused


def groups_of(rows: pd.DataFrame, use_case: UseCase) -> np.ndarray:
    """The group of each row; rows of one group can't be taken for independent.

    Parameters
    ----------
    rows : DataFrame of n rows
        Test rows, with the columns that the split names.
    use_case : UseCase
        Its ``split`` says what belongs together: a customer's rows, or those of a month.

    Returns
    -------
    int array (n,)
        Codes from 0 on.
    """
    return use_case.split.groups(rows)


def refuse_single_group(groups: np.ndarray) -> None:
    """Refuse rows that are all of one group.

    Every resample would be the same, and an interval without width says that nothing is left to
    chance.

    Parameters
    ----------
    groups : int array (n,)
        As ``groups_of`` gives them.

    Raises
    ------
    DataRefused
        Where there is one group, or no row.
    """
    if not len(groups) or groups.max() < 1:
        raise DataRefused(
            "the test rows are all of one day, group or customer (or there is only one): how sure "
            "a metric is can't be told from them; give the test part more of the table"
        )
