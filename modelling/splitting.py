"""Three parts of one table, so that nothing of the test rows is known while training."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from modelling.declaration import DelayedFeedback, Grouped, OutOfTime, Stratified, UseCase
from modelling.delayed_feedback import split_delayed
from modelling.refusals import BrokenRule, DataRefused


class Parts(NamedTuple):
    """Three disjoint tables with the columns of the table they were cut from."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame


def split_table(table: pd.DataFrame, use_case: UseCase) -> Parts:
    """Cut ``table`` as the use case declares. Raises DataRefused where a part would be unusable."""
    split = use_case.split
    rows = np.arange(len(table))
    try:
        if isinstance(split, OutOfTime):
            train, validation, test = _out_of_time(table[split.column], split)
        elif isinstance(split, Grouped):
            train, validation, test = _grouped(rows, table[split.column].to_numpy(), split)
        elif isinstance(split, DelayedFeedback):
            customers, frauds = table[split.customer].to_numpy(), table[use_case.target] == 1
            train, validation, test = split_delayed(
                table[split.column], customers, frauds.to_numpy(), split
            )
        else:
            train, validation, test = _stratified(rows, _strata(table, use_case), split)
    except ValueError as error:
        raise DataRefused(f"too few rows to split: {error}") from None
    parts = Parts(*(table.iloc[np.sort(part)] for part in (train, validation, test)))
    _refuse_unusable(parts, use_case)
    return parts


def _strata(table: pd.DataFrame, use_case: UseCase) -> np.ndarray:
    target = table[use_case.target]
    if use_case.problem != "regression":
        return target.to_numpy()
    return pd.qcut(target, q=10, labels=False, duplicates="drop").to_numpy()


def _stratified(rows: np.ndarray, strata: np.ndarray, split: Stratified) -> tuple[np.ndarray, ...]:
    rest, test = train_test_split(
        rows, test_size=split.test, stratify=strata, random_state=split.seed
    )
    share = split.validation / (1 - split.test)
    train, validation = train_test_split(
        rest, test_size=share, stratify=strata[rest], random_state=split.seed
    )
    return train, validation, test


def _grouped(rows: np.ndarray, groups: np.ndarray, split: Grouped) -> tuple[np.ndarray, ...]:
    def cut(among: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=split.seed)
        kept, taken = next(splitter.split(among, groups=groups[among]))
        return among[kept], among[taken]

    rest, test = cut(rows, split.test)
    train, validation = cut(rest, split.validation / (1 - split.test))
    return train, validation, test


def _out_of_time(times: pd.Series, split: OutOfTime) -> tuple[np.ndarray, ...]:
    """The cut dates are quantiles of the rows' times; a row at a cut date belongs to the later."""
    ordered = times.sort_values()
    validation_from = ordered.iloc[int(len(times) * (1 - split.validation - split.test))]
    test_from = ordered.iloc[int(len(times) * (1 - split.test))]
    gap = pd.Timedelta(days=split.gap_days)
    train = times < validation_from - gap
    validation = (times >= validation_from) & (times < test_from - gap)
    return tuple(np.flatnonzero(part) for part in (train, validation, times >= test_from))


def _refuse_unusable(parts: Parts, use_case: UseCase) -> None:
    for name, part in parts._asdict().items():
        if part.empty:
            raise DataRefused(
                f"the {name} part is empty: change the shares, gap or dates of the split"
            )
        if use_case.problem != "regression" and part[use_case.target].nunique() < 2:
            raise DataRefused(
                f"the {name} part has a single class",
                (BrokenRule(use_case.target, f"two classes in the {name} part", len(part)),),
            )
