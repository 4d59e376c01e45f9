"""Validate a table with Great Expectations: critical rules refuse it, warnings are recorded.

Great Expectations' own results quote offending cells. Only counts leave this module.
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from modelling.data.loading import conform_table, convert_types, unreadable_cells
from modelling.data.special_codes import without_special_codes
from modelling.declaration import UseCase
from modelling.refusals import BrokenRule, refuse_broken

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationValidationResult

log = logging.getLogger("finflows")


@dataclass(frozen=True)
class ValidationReport:
    """How many rules were checked, and which were broken in how many rows."""

    rules: int
    rows: int
    broken: tuple[BrokenRule, ...]

    @property
    def critical(self) -> tuple[BrokenRule, ...]:
        return tuple(rule for rule in self.broken if rule.severity == "critical")

    @property
    def warnings(self) -> tuple[BrokenRule, ...]:
        return tuple(rule for rule in self.broken if rule.severity != "critical")

    def markdown(self) -> str:
        head = f"{self.rules} rules over {self.rows:,} rows: {len(self.critical)} critical rules "
        head += f"broken, {len(self.warnings)} warnings.\n"
        if not self.broken:
            return head
        lines = ["", "| column | rule | rows | severity |", "|---|---|---:|---|"]
        for one in self.broken:
            rows = "-" if one.rows is None else f"{one.rows:,}"
            lines.append(f"| {one.column} | {one.rule} | {rows} | {one.severity} |")
        return head + "\n".join(lines) + "\n"


@task(name="validate", cache_policy=NO_CACHE, persist_result=False)
def validate_table(table: pd.DataFrame, use_case: UseCase) -> tuple[pd.DataFrame, ValidationReport]:
    """The table in its declared types, and the report. Raises DataRefused on a critical rule."""
    from expectations import suites

    judge = _Validator(table, use_case)
    judge.check(table, suites.schema_suite(use_case))
    converted = convert_types(table, use_case)
    judge.check(converted, suites.type_suite(use_case))
    conformed = conform_table(converted, use_case)
    judge.check(conformed, suites.content_suite(use_case))
    sizes = without_special_codes(conformed, use_case.columns)
    report = judge.check(sizes, suites.size_suite(use_case))
    warnings = f"{len(report.warnings)} warnings" if report.warnings else "no warning"
    dropped = len(table) - len(conformed)
    log.info(
        "%-11s %d rules kept, %s%s",
        "validated",
        report.rules - len(report.warnings),
        warnings,
        f", {dropped:,} duplicates dropped" if dropped else "",
    )
    return conformed, report


class _Validator:
    """Runs suites one after the other over stages of one table, and collects what they say."""

    def __init__(self, raw: pd.DataFrame, use_case: UseCase):
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = context.data_sources.add_or_update_pandas("table")
        self.asset = source.add_dataframe_asset("table")
        self.batch = self.asset.add_batch_definition_whole_dataframe("whole")
        self.raw, self.source = raw, use_case.source
        self.rules = 0
        self.broken: list[BrokenRule] = []

    def check(self, table: pd.DataFrame, suite: "ExpectationSuite") -> ValidationReport:
        result = self.batch.get_batch({"dataframe": table}).validate(
            suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0}
        )
        self.rules += len(result.results)
        self.broken += [self._broken(one) for one in result.results if not one.success]
        report = ValidationReport(self.rules, len(self.raw), tuple(self.broken))
        refuse_broken(report.broken)
        return report

    def _broken(self, result: "ExpectationValidationResult") -> BrokenRule:
        expectation = result.expectation_config
        assert expectation is not None  # a suite's results always name theirs
        if result.exception_info.get("raised_exception"):
            raise RuntimeError(f"Great Expectations could not judge {expectation.type}")
        column = expectation.kwargs.get("column", "(table)")
        rows = result.result.get("unexpected_count")
        if expectation.type == "expect_column_values_to_be_in_type_list":
            kind = expectation.meta["rule"].split()[-1]
            rows = unreadable_cells(self.raw[column], kind, self.source)
        elif expectation.type == "expect_column_values_to_not_be_null":
            rows = int(self.raw[column].isna().sum())
        severity = str(expectation.severity.value)
        return BrokenRule(column, expectation.meta["rule"], rows, severity)
