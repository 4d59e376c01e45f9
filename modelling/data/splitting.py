"""Three parts of one table, so that nothing of the test rows is known while training."""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from modelling.data.absurd_values import plausible_limit
from modelling.data.independence import groups_of, refuse_single_group
from modelling.data.splits.split import Target
from modelling.declaration import OutOfTime, PriceHistory, UseCase
from modelling.refusals import BrokenRule, DataRefused, refuse_broken
from modelling.shown_text import row_count


class Parts(NamedTuple):
    """Three disjoint tables with the columns of the table they were cut from.

    The labels of their rows are the positions that these have in that table, from 0 on.
    """

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame


def split_table(table: pd.DataFrame, use_case: UseCase) -> Parts:
    """Cut a table into training, validation and test rows, as the use case declares.

    Parameters
    ----------
    table : DataFrame of n rows
        Prepared up to here: the target holds int64 codes (of a regression: numbers), and the
        columns that the split names have no missing cell.
    use_case : UseCase
        Its ``split`` decides which rows go where.

    Returns
    -------
    Parts
        Rows in the order of the table. A row may be in no part (gaps, known frauds).

    Raises
    ------
    DataRefused
        Where a part would be empty or have a single class, where a class has no training row, where
        all test rows belong together, where forecasts of one part reach into the next, or a
        regression's target is not finite.
    """
    table = table.reset_index(drop=True)
    if use_case.problem == "regression":
        _refuse_absurd_targets(table[use_case.target])
    try:
        positions = use_case.split.positions(table, Target(use_case.target, use_case.classes))
    except DataRefused:
        raise
    except ValueError as error:
        raise DataRefused(f"too few rows to split: {error}") from None
    parts = Parts(*(table.iloc[np.sort(part)] for part in positions))
    _refuse_unusable(parts, table, use_case)
    return parts


def _refuse_absurd_targets(target: pd.Series) -> None:
    limit = plausible_limit(target.to_numpy(dtype=np.float64))
    absurd = int((~(target.abs() <= limit)).sum())
    rule = "is a finite number, at most a million times as large as nine in ten are"
    refuse_broken([BrokenRule(str(target.name), rule, absurd)] if absurd else [])


def _refuse_unusable(parts: Parts, table: pd.DataFrame, use_case: UseCase) -> None:
    for name, part in parts._asdict().items():
        if part.empty:
            raise DataRefused(
                f"the {name} part is empty ({_sizes(parts, table, use_case)}): change the shares, "
                "gap or dates of the split, or correct dates far from the others"
            )
        if use_case.problem != "regression" and part[use_case.target].nunique() < 2:
            raise DataRefused(
                f"the {name} part has a single class: change the shares or dates of the split, or "
                "collect more rows of the rarer class",
                (BrokenRule(use_case.target, f"two classes in the {name} part", len(part)),),
            )
    if use_case.problem != "regression":
        known = set(parts.train[use_case.target])
        for code in sorted(set(range(len(use_case.classes))) - known):
            target = Target(use_case.target, use_case.classes)
            label = use_case.classes[code]
            target.refuse_too_few(
                f"no training row is of class '{label}', so nothing can be learnt of it"
            )
    use_case.split.check(*parts)
    _refuse_overlapping_horizons(parts, use_case)
    refuse_single_group(groups_of(parts.test, use_case))


def _sizes(parts: Parts, table: pd.DataFrame, use_case: UseCase) -> str:
    """How many rows each part has, and how far its times lie apart: one wrong date may move all
    cut dates."""
    said = ", ".join(f"{len(part):,} {name}" for name, part in parts._asdict().items())
    said = f"{said} of {row_count(len(table))}"
    for field, kinds in use_case.split.kinds_of_named_columns.items():
        if kinds == ("time",):
            times = table[column := getattr(use_case.split, field)]
            most = (times.quantile(0.99) - times.quantile(0.01)).days
            days = (times.max() - times.min()).days
            said += f"; {column} spans {days:,} days, 98% of the rows {most:,}"
    return said


def _refuse_overlapping_horizons(parts: Parts, use_case: UseCase) -> None:
    """What a row forecasts must be over before the next part begins. The declaration allows for
    trading days; the rows of a table may be weeks, or years apart where quotes are missing."""
    derived, split = use_case.derived, use_case.split
    if not isinstance(derived, PriceHistory) or not isinstance(split, OutOfTime):
        return
    gaps: list[pd.Timedelta] = []
    for earlier, later in pairwise(parts):
        reaches = earlier.index + derived.horizon_days >= later.index.min()
        gaps += [later[split.column].min() - day for day in earlier.loc[reaches, split.column]]
    if gaps:
        raise DataRefused(
            f"{derived.time}: {row_count(len(gaps))} forecast what is in the next part, since rows "
            "are further apart than trading days: set split.gap_days to "
            f"{math.ceil(max(gaps) / pd.Timedelta(days=1))} or more"
        )
