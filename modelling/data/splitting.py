"""Three parts of one table, so that nothing of the test rows is known while training."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from modelling.data.absurd_values import plausible_limit
from modelling.data.delayed_feedback import split_delayed
from modelling.data.independence import groups_of, refuse_single_group
from modelling.declaration import DelayedFeedback, Grouped, OutOfTime, Stratified, UseCase
from modelling.refusals import BrokenRule, DataRefused, refuse_broken

LOPSIDED = 4  # times fewer rows than declared, and the part is not what was asked for


class Parts(NamedTuple):
    """Three disjoint tables with the columns of the table they were cut from.

    The labels of their rows are the positions that these have in that table, from 0 on.
    """

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame


def split_table(table: pd.DataFrame, use_case: UseCase) -> Parts:
    """Cut ``table`` as the use case declares. Raises DataRefused where a part would be unusable."""
    split = use_case.split
    table = table.reset_index(drop=True)
    rows = np.arange(len(table))
    _refuse_unsplittable(table, use_case)
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
    if isinstance(split, OutOfTime | DelayedFeedback):
        _assert_in_order(parts, split)
    return parts


def _assert_in_order(parts: Parts, split: OutOfTime | DelayedFeedback) -> None:
    """Whatever was done to the times on the way here, nobody learns from a day that comes later."""
    trained, validated, tested = (part[split.column] for part in parts)
    assert trained.max() < tested.min(), "a training row is later than a test row"
    assert validated.max() < tested.min(), "a validation row is later than a test row"
    if isinstance(split, OutOfTime):
        assert trained.max() < validated.min(), "a training row is later than a validation row"


def _refuse_unsplittable(table: pd.DataFrame, use_case: UseCase) -> None:
    """Say in the words of the table what scikit-learn would say in those of its arguments."""
    split, target = use_case.split, table[use_case.target]
    if use_case.problem == "regression":
        limit = plausible_limit(target.to_numpy(dtype=np.float64))
        absurd = int((~(target.abs() <= limit)).sum())
        rule = "is a finite number, at most a million times as large as nine in ten are"
        refuse_broken([BrokenRule(use_case.target, rule, absurd)] if absurd else [])
    elif isinstance(split, Stratified):
        rows_of = target.value_counts().reindex(range(len(use_case.classes)), fill_value=0)
        for code, label in enumerate(use_case.classes):
            if rows_of[code] < 3:
                raise DataRefused(
                    f"{use_case.target}: class '{label}' has {rows_of[code]} rows, and a row of it "
                    f"is needed in each of 3 parts: {_more_of(use_case)}"
                )
    if isinstance(split, Grouped) and (groups := table[split.column].nunique()) < len(
        Parts._fields
    ):
        raise DataRefused(
            f"split.column '{split.column}' holds {groups} groups, and each of "
            f"{len(Parts._fields)} parts needs one: split by another column"
        )


def _more_of(use_case: UseCase) -> str:
    merge = "merge it into another with merge_classes, or " if use_case.problem != "binary" else ""
    return f"{merge}collect more of them"


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
                f"the {name} part has a single class: change the shares or dates of the split, or "
                "collect more rows of the rarer class",
                (BrokenRule(use_case.target, f"two classes in the {name} part", len(part)),),
            )
    if use_case.problem != "regression":
        known = set(parts.train[use_case.target])
        for code in sorted(set(range(len(use_case.classes))) - known):
            raise DataRefused(
                f"{use_case.target}: no training row is of class '{use_case.classes[code]}', so "
                f"nothing can be learnt of it: {_more_of(use_case)}"
            )
    if isinstance(use_case.split, Grouped):
        _refuse_lopsided(parts, use_case.split)
    refuse_single_group(groups_of(parts.test, use_case))


def _refuse_lopsided(parts: Parts, split: Grouped) -> None:
    """Groups are drawn by number: one that holds nearly all rows takes them all to one part."""
    declared = (1 - split.validation - split.test, split.validation, split.test)
    rows = sum(len(part) for part in parts)
    for name, part, share in zip(Parts._fields, parts, declared, strict=True):
        if len(part) < rows * share / LOPSIDED:
            raise DataRefused(
                f"split.column '{split.column}': groups are so unequal that the {name} part has "
                f"{len(part) / rows:.1%} of the rows instead of {share:.0%}: split by another "
                "column, or try another split.seed"
            )
