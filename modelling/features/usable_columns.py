"""Which features a model can learn nothing from, or not what later rows need."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from modelling.data.absurd_values import is_beyond_all, plausible_limit
from modelling.data.splitting import Parts
from modelling.declaration import Column, UseCase
from modelling.refusals import BrokenRule, DataRefused


def column_findings(parts: Parts, use_case: UseCase) -> tuple[BrokenRule, ...]:
    """What is wrong with features, as rules that only warn; each names its column, never a value.

    In the training rows a feature is empty, known in too few, or implausibly large in some; or all
    validation or test rows lack it, or more of them than ``unknown_at_most`` have a label that no
    training row had, as after a split in time where a product was renamed.
    """
    found = (_finding(column, parts, use_case) for column in use_case.features)
    return tuple(finding for finding in found if finding)


def _finding(column: Column, parts: Parts, use_case: UseCase) -> BrokenRule | None:
    """The plainest of what is wrong with one feature."""
    minimum_rows = use_case.minimum_rows_per_value
    known = _known(parts.train, column)
    if parts.train[column.name].isna().all():
        return _warning(column, "is empty in all training rows: the model can't use it")
    if len(known) < minimum_rows:
        return _warning(
            column,
            f"is known in fewer than {minimum_rows} training rows (minimum_rows_per_value): the "
            "model can't use it",
        )
    if empty := [name for name, part in _later(parts) if part[column.name].isna().all()]:
        return _warning(column, f"is empty in all {_and(empty)} rows, and known in training rows")
    if column.kind == "category":
        return _of_labels(column, parts)
    sizes = _sizes(parts.train, column)
    if implausible := int((sizes > plausible_limit(sizes)).sum()):
        said = f"{implausible} training rows have more than a million times the usual size"
        return _warning(column, f"{said} and are clipped", "special_codes")
    return None


def _of_labels(column: Column, parts: Parts) -> BrokenRule | None:
    """A label that no training row had is the same to a model as no label at all."""
    shares = {name: unknown_share(part, parts.train, column) for name, part in _later(parts)}
    many = [f"{s:.1%} of the {name}" for name, s in shares.items() if s > column.unknown_at_most]
    if not many:
        return None
    said = f"{_and(many)} rows have a label that no training row had: was one renamed?"
    return _warning(column, said, "unknown_at_most")


def unknown_share(part: pd.DataFrame, train: pd.DataFrame, column: Column) -> float:
    """The share of the rows of ``part`` with a label that no row of ``train`` had."""
    labels = part[column.name]
    return float((~labels.isin(train[column.name].unique()) & labels.notna()).mean())


def _later(parts: Parts) -> Iterator[tuple[str, pd.DataFrame]]:
    return ((name, part) for name, part in parts._asdict().items() if name != "train")


def _and(names: list[str]) -> str:
    return " and ".join(names)


def _warning(column: Column, rule: str, setting: str = "") -> BrokenRule:
    return BrokenRule(column.name, rule, None, "warning", setting)


def _known(train: pd.DataFrame, column: Column) -> pd.Series:
    cells = train[column.name]
    return cells[cells.notna() & ~cells.isin(column.special_codes)]


def _sizes(train: pd.DataFrame, column: Column) -> np.ndarray:
    return _known(train, column).abs().to_numpy(dtype=np.float64)


def refuse_unusable(train: pd.DataFrame, use_case: UseCase) -> None:
    """Raises DataRefused where there are fewer training rows than ``minimum_rows_per_value``, most
    numbers of a column are too large for a network, or all lags are empty."""
    if len(train) < (minimum_rows := use_case.minimum_rows_per_value):
        raise DataRefused(
            f"{len(train)} training rows, fewer than minimum_rows_per_value {minimum_rows}: "
            "add rows, or declare a smaller minimum_rows_per_value"
        )
    for column in use_case.features:
        if column.kind == "number" and is_beyond_all(_sizes(train, column)):
            raise DataRefused(
                f"{column.name}: its numbers are larger than a network can hold: give them in a "
                "larger unit, or leave the column out"
            )
    lags = [column for column in use_case.columns if column.name in use_case.lags]
    if lags and not any(np.isfinite(_sizes(train, column)).any() for column in lags):
        raise DataRefused(
            f"lags: {', '.join(use_case.lags)}: empty in all training rows: correct the data, or "
            "remove the lags"
        )
