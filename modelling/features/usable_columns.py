"""Which features a model can learn nothing from, or not what later rows need."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from modelling.data.absurd_values import is_beyond_all, plausible_limit
from modelling.data.splitting import Parts
from modelling.declaration import Column, UseCase
from modelling.features.number_blocks import is_past_of_target
from modelling.refusals import BrokenRule, DataRefused


def column_findings(parts: Parts, use_case: UseCase) -> tuple[BrokenRule, ...]:
    """What is wrong with features, as rules that only warn; each names its column, never a value.

    In the training rows a feature is empty, known or different in too few, or implausibly large in
    some; or all validation or test rows lack it, or more of them than ``unknown_at_most`` have a
    label that no training row had, as after a split in time where a product was renamed.

    Raises DataRefused where nothing can be learnt from any feature.
    """
    unusable = [_why_unusable(column, parts.train, use_case) for column in use_case.features]
    if all(unusable):
        raise DataRefused(
            f"no feature differs in enough of the {len(parts.train)} training rows (a number needs "
            f"twice minimum_rows_per_value {use_case.minimum_rows_per_value}): add rows, or "
            "declare a smaller minimum_rows_per_value"
        )
    pairs = zip(use_case.features, unusable, strict=True)
    found = (_finding(column, parts, why) for column, why in pairs)
    return tuple(finding for finding in found if finding)


def _why_unusable(column: Column, train: pd.DataFrame, use_case: UseCase) -> str:
    """Why nothing can be learnt from a feature; empty where something can."""
    minimum_rows, known = use_case.minimum_rows_per_value, _known(train, column)
    if train[column.name].isna().all():
        return "is empty in all training rows"
    if len(known) < minimum_rows:
        return f"is known in fewer than {minimum_rows} training rows (minimum_rows_per_value)"
    if len(train) - len(known) >= minimum_rows:
        return ""  # that it is missing may say something
    if (known == known.iloc[0]).all():
        return "is the same in all training rows that have it"
    if column.kind == "category" or is_past_of_target(column, use_case):
        return ""
    if _is_one_value(known.to_numpy(dtype=np.float64), minimum_rows):
        return f"differs in too few training rows (minimum_rows_per_value {minimum_rows})"
    return ""


def _is_one_value(known: np.ndarray, minimum_rows: int) -> bool:
    """Whether microaggregation makes one value of all numbers ``known`` (n,) without NaN."""
    if len(known) < 2 * minimum_rows:
        return True
    middle = np.partition(known, len(known) // 2)[len(known) // 2]
    below, above = np.count_nonzero(known < middle), np.count_nonzero(known > middle)
    return bool(max(below, above) < minimum_rows <= len(known) - below - above)


def _finding(column: Column, parts: Parts, unusable: str) -> BrokenRule | None:
    """The plainest of what is wrong with one feature."""
    if unusable:
        return _warning(column, f"{unusable}: the model can't use it")
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
