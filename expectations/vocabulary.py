"""Finance data rules as Great Expectations: what a declared column or rule expects of a table."""

from collections.abc import Iterator

import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import Expectation

from modelling.columns import Column, NotAbove, RowCount, Rule, TargetRate, UniqueRows
from modelling.declaration import UseCase
from modelling.scoring import label_text

NUMBERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
NUMBERS += ["float32", "float64", "bool"]
TIMES = ["datetime64[ns]", "datetime64[us]", "datetime64[ms]", "datetime64[s]"]


def exists(column: str) -> Expectation:
    """The table has the column."""
    return gxe.ExpectColumnToExist(column=column, meta={"rule": "column exists"})


def has_type(column: str, kind: str) -> Expectation:
    """All cells of the column are numbers (or points in time)."""
    types = {"number": NUMBERS, "time": TIMES}[kind]
    return gxe.ExpectColumnValuesToBeInTypeList(
        column=column, type_list=types, meta={"rule": f"is a {kind}"}
    )


def target_rules(use_case: UseCase) -> Iterator[Expectation]:
    """The target is there, in every row, varies, and has no class that was not declared."""
    target = use_case.target
    yield gxe.ExpectColumnValuesToNotBeNull(column=target, meta={"rule": "target is known"})
    yield gxe.ExpectColumnUniqueValueCountToBeBetween(
        column=target, min_value=2, meta={"rule": "target is not constant"}
    )
    if use_case.problem == "regression":
        yield has_type(target, "number")
        return
    labels = [label_text(label) for label in use_case.classes]
    yield gxe.ExpectColumnValuesToBeInSet(
        column=target,
        value_set=labels,
        meta={"rule": f"target is one of {', '.join(labels)}"},
    )


def column_rules(column: Column) -> Iterator[Expectation]:
    """What the declaration of one column allows, and what it says is usual."""
    name = column.name
    yield gxe.ExpectColumnValuesToNotBeNull(
        column=name,
        mostly=1 - column.missing_at_most,
        meta={"rule": f"at most {column.missing_at_most:.0%} missing"},
    )
    if column.missing_at_most == 1:
        yield gxe.ExpectColumnUniqueValueCountToBeBetween(
            column=name, min_value=1, meta={"rule": "not empty in all rows"}
        )
    if column.minimum is not None or column.maximum is not None:
        yield _between(name, column.minimum, column.maximum, "allowed", "critical")
    if column.usual is not None:
        yield _between(name, *column.usual, "usual", "warning")
    if column.categories is not None:
        yield gxe.ExpectColumnValuesToBeInSet(
            column=name,
            value_set=[label_text(label) for label in column.categories],
            meta={"rule": "one of the declared categories"},
        )


def _between(
    column: str, low: float | None, high: float | None, word: str, severity: str
) -> Expectation:
    bounds = f"from {low:g}" if high is None else f"up to {high:g}"
    if low is not None and high is not None:
        bounds = f"from {low:g} to {high:g}"
    return gxe.ExpectColumnValuesToBeBetween(
        column=column,
        min_value=low,
        max_value=high,
        severity=severity,
        meta={"rule": f"in the {word} range, {bounds}"},
    )


def table_rule(rule: Rule, target: str) -> Expectation:
    """The expectation of a rule over the whole table or over several columns."""
    said = {"severity": rule.severity, "meta": {"because": rule.because}}
    if isinstance(rule, RowCount):
        said["meta"]["rule"] = f"at least {rule.at_least} rows"
        return gxe.ExpectTableRowCountToBeBetween(min_value=rule.at_least, **said)
    if isinstance(rule, TargetRate):
        said["meta"]["rule"] = f"mean of the target from {rule.at_least:g} to {rule.at_most:g}"
        return gxe.ExpectColumnMeanToBeBetween(
            column=target, min_value=rule.at_least, max_value=rule.at_most, **said
        )
    if isinstance(rule, NotAbove):
        said["meta"]["rule"] = f"'{rule.low}' is not above '{rule.high}'"
        return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A=rule.high, column_B=rule.low, or_equal=True, **said
        )
    assert isinstance(rule, UniqueRows)
    said["meta"]["rule"] = f"rows are unique in {', '.join(rule.columns)}"
    return gxe.ExpectCompoundColumnsToBeUnique(column_list=list(rule.columns), **said)
