"""Finance data rules as Great Expectations: what a declared column or rule expects of a table."""

import sys
from collections.abc import Iterator
from typing import Any

import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

from modelling.declaration import (
    Column,
    Finite,
    InOrder,
    NotAbove,
    RowCount,
    TargetRate,
    UniqueRows,
    UseCase,
)
from modelling.declaration.columns import Rule, Severity
from modelling.scorer.cells import label_text

NUMBERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
NUMBERS += ["float32", "float64", "bool"]
LARGEST = sys.float_info.max
TIMES = ["datetime64[ns]", "datetime64[us]", "datetime64[ms]", "datetime64[s]"]


def exists(column: str) -> Expectation:
    """The table has the column."""
    return gxe.ExpectColumnToExist(
        column=column, meta={"rule": "column exists", "setting": "columns"}
    )


def has_type(column: str, kind: str) -> Expectation:
    """All cells of the column are numbers (or points in time)."""
    types = {"number": NUMBERS, "time": TIMES}[kind]
    return gxe.ExpectColumnValuesToBeInTypeList(
        column=column, type_list=types, meta={"rule": f"is a {kind}", "setting": "its kind"}
    )


def target_rules(use_case: UseCase) -> Iterator[Expectation]:
    """The target is there, in every row, varies, and has no class that was not declared."""
    target = use_case.target
    meta = {"rule": "target is known", "setting": "unlabelled"}
    yield gxe.ExpectColumnValuesToNotBeNull(column=target, meta=meta)
    yield gxe.ExpectColumnUniqueValueCountToBeBetween(
        column=target, min_value=2, meta={"rule": "target is not constant", "setting": "target"}
    )
    if use_case.problem == "regression":
        yield has_type(target, "number")
        return
    labels = [str(label_text(label)) for label in use_case.classes]
    yield gxe.ExpectColumnValuesToBeInSet(
        column=target,
        value_set=labels,
        meta={"rule": f"target is one of {', '.join(labels)}", "setting": "classes"},
    )


def column_rules(column: Column, needed_by: str | None = None) -> Iterator[Expectation]:
    """How many cells of a column may be missing, and which labels it may hold.

    ``needed_by`` names the setting that can do nothing with a row in which the column is missing.
    """
    name = column.name
    allowed = 0.0 if needed_by else column.missing_at_most
    rule = (
        f"is in every row, as {needed_by} needs"
        if needed_by
        else f"at most {100 * allowed:g}% missing"
    )
    meta = {"rule": rule, "setting": needed_by or "missing_at_most"}
    yield gxe.ExpectColumnValuesToNotBeNull(column=name, mostly=1 - allowed, meta=meta)
    if column.missing_at_most == 1:
        yield gxe.ExpectColumnUniqueValueCountToBeBetween(
            column=name, min_value=1, meta={"rule": "not empty in all rows", "setting": "columns"}
        )
    if column.categories is not None:
        yield gxe.ExpectColumnValuesToBeInSet(
            column=name,
            value_set=[label_text(label) for label in column.categories],
            meta={"rule": "one of the declared categories", "setting": "categories"},
        )


def range_rules(column: Column) -> Iterator[Expectation]:
    """How large the numbers of a column may be, and usually are. Special codes are not meant."""
    if column.minimum is not None or column.maximum is not None:
        yield _between(column.name, column.minimum, column.maximum, "allowed", "critical")
    if column.usual is not None:
        yield _between(column.name, *column.usual, "usual", "warning")


def _between(
    column: str, low: float | None, high: float | None, word: str, severity: Severity
) -> Expectation:
    bounds = f"from {low:g}" if high is None else f"up to {high:g}"
    if low is not None and high is not None:
        bounds = f"from {low:g} to {high:g}"
    return gxe.ExpectColumnValuesToBeBetween(
        column=column,
        min_value=low,
        max_value=high,
        severity=FailureSeverity(severity),
        meta={
            "rule": f"in the {word} range, {bounds}",
            "setting": "usual" if word == "usual" else "minimum or maximum",
        },
    )


def table_rule(rule: Rule, target: str, setting: str) -> Expectation:
    """The expectation of a rule over the whole table or over several columns, which ``setting``
    declares."""

    def said(words: str) -> dict[str, Any]:
        meta = {"rule": words, "because": rule.because, "setting": setting}
        return {"severity": rule.severity, "meta": meta}

    match rule:
        case RowCount(at_least=least):
            words = f"at least {least} rows"
            return gxe.ExpectTableRowCountToBeBetween(min_value=least, **said(words))
        case TargetRate(at_least=low, at_most=high):
            words = f"mean of the target from {low:g} to {high:g}"
            return gxe.ExpectColumnMeanToBeBetween(
                column=target, min_value=low, max_value=high, **said(words)
            )
        case NotAbove(low=lower, high=higher):
            words = f"'{lower}' is not above '{higher}'"
            return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A=higher,
                column_B=lower,
                or_equal=True,
                ignore_row_if="either_value_is_missing",  # what is not known breaks no order
                **said(words),
            )
        case InOrder(column=column):
            words = "rows are in order, the lowest first"
            return gxe.ExpectColumnValuesToBeIncreasing(column=column, **said(words))
        case Finite(column=column, above=above):
            words = "is a finite number" if above is None else f"is a finite number above {above:g}"
            return gxe.ExpectColumnValuesToBeBetween(
                column=column,
                min_value=-LARGEST if above is None else above,
                max_value=LARGEST,
                strict_min=above is not None,
                **said(words),
            )
        case UniqueRows(columns=(column,)):
            return gxe.ExpectColumnValuesToBeUnique(
                column=column, **said("no value is there twice")
            )
        case UniqueRows(columns=columns):
            words = f"rows are unique in {', '.join(columns)}"
            return gxe.ExpectCompoundColumnsToBeUnique(column_list=list(columns), **said(words))
