"""Folds of a small table: its rows before the test, cut again and again into training and
validation rows, so that what is chosen by them rests on enough of them.

The spread of a mean loss falls with the root of its rows: on 200 validation rows no difference
between two settings can be told from chance, and the best of twenty is the luckiest.
"""

import math

import pandas as pd

from modelling.data.splits.split import Target
from modelling.data.splitting import Parts
from modelling.declaration import UseCase
from modelling.refusals import DataRefused

ENOUGH_ROWS = 5_000  # of validation: differences of a hundredth of a log loss can be told
MOST_FOLDS = 5


def cut_folds(parts: Parts, use_case: UseCase) -> list[Parts]:
    """The declared cut, and further ones of its training and validation rows.

    Parameters
    ----------
    parts : Parts
        As ``split_table`` returns them. The test rows are passed on, and not looked at.
    use_case : UseCase
        Its ``split`` says how further folds are cut.

    Returns
    -------
    list of Parts
        As many as ``fold_count`` says, or fewer where the split has fewer; the first is ``parts``.

    Raises
    ------
    DataRefused
        Where a fold lacks rows, or a class to learn from.
    """
    count = fold_count(parts)
    if count == 1:
        return [parts]
    target = Target(use_case.target, use_case.classes)
    try:
        further = use_case.split.folds(parts.train, parts.validation, target, count - 1)
    except ValueError as error:
        raise DataRefused(f"too few rows for folds: {error}") from None
    rows = pd.concat([parts.train, parts.validation])
    folds = [Parts(rows.loc[train], rows.loc[held], parts.test) for train, held in further]
    for fold in folds:
        _refuse_unusable(fold, parts, use_case)
    return [parts, *folds]


def fold_count(parts: Parts) -> int:
    """As many folds as ``ENOUGH_ROWS`` validation rows take, at most ``MOST_FOLDS``, and each row
    is held out once: ``min(5, ceil(5,000 / validation rows), 1 + training / validation rows)``."""
    rows = len(parts.validation)
    return min(MOST_FOLDS, math.ceil(ENOUGH_ROWS / rows), 1 + round(len(parts.train) / rows))


def _refuse_unusable(fold: Parts, declared: Parts, use_case: UseCase) -> None:
    if fold.train.empty or fold.validation.empty:
        raise DataRefused("a fold would have no rows to train or to validate on")
    if use_case.problem != "regression":
        missing = {*declared.train[use_case.target]} - {*fold.train[use_case.target]}
        if missing:
            raise DataRefused("a class would have no training row in a fold")
