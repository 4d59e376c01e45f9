"""Validate a table with Great Expectations: critical rules refuse it, warnings are recorded.

Great Expectations' own results quote offending cells. Only counts leave this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from modelling.data.special_codes import without_special_codes
from modelling.declaration import UseCase
from modelling.refusals import BrokenRule, refuse_broken
from modelling.shown_text import quantity, table_cell

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationValidationResult


@dataclass(frozen=True)
class ValidationReport:
    """How many rules were checked, and which were broken in how many rows; how many rows were left
    out before, as without a label or as duplicates. ``found_in_parts`` are those of the ``broken``
    that the split table showed."""

    rules: int
    rows: int
    broken: tuple[BrokenRule, ...]
    unlabelled: int = 0
    duplicates: int = 0
    found_in_parts: tuple[BrokenRule, ...] = ()

    @property
    def critical(self) -> tuple[BrokenRule, ...]:
        return tuple(rule for rule in self.broken if rule.severity == "critical")

    @property
    def warnings(self) -> tuple[BrokenRule, ...]:
        return tuple(rule for rule in self.broken if rule.severity != "critical")

    def with_findings(self, found: tuple[BrokenRule, ...]) -> "ValidationReport":
        """The report with what was ``found`` in the split table; each is a rule that is broken.

        Raises DataRefused where one is critical.
        """
        rules, broken = self.rules + len(found), self.broken + found
        report = replace(self, rules=rules, broken=broken, found_in_parts=found)
        refuse_broken(report.broken)
        return report

    @property
    def left_out(self) -> list[str]:
        """Which rows were left out, in words."""
        found = ((self.unlabelled, "row", " without a label"), (self.duplicates, "duplicate", ""))
        return [quantity(count, noun) + which for count, noun, which in found if count]

    def summary(self) -> str:
        """One line for the log."""
        warnings = quantity(len(self.warnings), "warning") if self.warnings else "no warning"
        less = "".join(f", {rows} dropped" for rows in self.left_out)
        return f"{quantity(self.rules - len(self.warnings), 'rule')} kept, {warnings}{less}"

    def markdown(self) -> str:
        head = f"{quantity(self.rules, 'rule')} over {quantity(self.rows, 'row')}: "
        head += f"{quantity(len(self.critical), 'critical rule')} broken, "
        head += f"{quantity(len(self.warnings), 'warning')}.\n"
        if self.left_out:
            head += f"Left out before: {', '.join(self.left_out)}.\n"
        if not self.broken:
            return head
        lines = ["", "| column | rule | rows | severity |", "|---|---|---:|---|"]
        for rule in self.broken:
            rows = "-" if rule.rows is None else f"{rule.rows:,}"
            cells = map(table_cell, (rule.column, rule.rule, rows, rule.severity))
            lines.append(f"| {' | '.join(cells)} |")
        return head + "\n".join(lines) + "\n"


class Validator:
    """Checks one table, stage by stage; each stage raises DataRefused where it breaks a critical
    rule. ``unreadable`` counts the cells of each column that are not of its kind."""

    def __init__(self, use_case: UseCase, unreadable: Mapping[str, int]):
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self.sources = context.data_sources
        self.use_case, self.unreadable = use_case, unreadable
        self.rules = 0
        self.broken: list[BrokenRule] = []

    def check_source(self, table: pd.DataFrame) -> None:
        """What a derivation needs of the columns from which it computes others."""
        from expectations import suites

        expected = suites.expected_of_source(self.use_case)
        if expected is not None:
            self._check(table, suites.schema_suite(expected))
            self._check(table, suites.type_suite(expected))
            self._check(table, suites.content_suite(expected))
            self._check(table, suites.size_suite(expected))

    def check_types(self, table: pd.DataFrame) -> None:
        """The declared columns are there and of their kinds, and the target can be used."""
        from expectations import suites

        expected = suites.expected_of_table(self.use_case)
        self._check(table, suites.schema_suite(expected))
        self._check(table, suites.type_suite(expected))

    def check_content(self, table: pd.DataFrame) -> ValidationReport:
        """The rules of the columns and of the table, in which the target is coded."""
        from expectations import suites

        expected = suites.expected_of_table(self.use_case)
        self._check(table, suites.content_suite(expected))
        sizes = without_special_codes(table, self.use_case.columns)
        self._check(sizes, suites.size_suite(expected))
        return ValidationReport(self.rules, len(table), tuple(self.broken))

    def _check(self, table: pd.DataFrame, suite: "ExpectationSuite") -> None:
        source = self.sources.add_or_update_pandas("table")
        whole = source.add_dataframe_asset("table").add_batch_definition_whole_dataframe("whole")
        result = whole.get_batch({"dataframe": table}).validate(
            suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0}
        )
        self.sources.delete("table")  # it keeps the table, and a mask for each rule
        self.rules += len(result.results)
        broken = [self._broken(rule, table) for rule in result.results if not rule.success]
        self.broken += broken
        refuse_broken(self.broken)

    def _broken(self, result: "ExpectationValidationResult", table: pd.DataFrame) -> BrokenRule:
        expectation = result.expectation_config
        assert expectation is not None  # a suite's results always name theirs
        if result.exception_info.get("raised_exception"):
            raise RuntimeError(f"Great Expectations could not judge {expectation.type}")
        column = expectation.kwargs.get("column", "(table)")
        rows = result.result.get("unexpected_count")
        if expectation.type == "expect_column_values_to_be_in_type_list":
            rows = self.unreadable[column]
        elif expectation.type == "expect_column_values_to_not_be_null":
            rows = int(table[column].isna().sum())
        severity = str(expectation.severity.value)
        said = expectation.meta
        setting, remedy = said.get("setting", ""), ""
        if setting == "classes" and rows == len(table):  # no label of the target is declared
            remedy = self._declare_classes(table[column])
        return BrokenRule(column, said["rule"], rows, severity, setting, remedy)

    def _declare_classes(self, target: pd.Series) -> str:
        """What to add to a declaration whose classes are not those of its target."""
        from modelling.drafting.target import classes_to_declare

        lines = classes_to_declare(target, self.use_case.problem)
        return f"declare {lines}" if lines else ""
