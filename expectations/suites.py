"""The suites that a use case implies, in the order in which they can be judged."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from great_expectations import ExpectationSuite
from great_expectations.expectations.expectation import Expectation

from expectations import vocabulary
from modelling.declaration import Column, UseCase
from modelling.declaration.columns import Rule
from modelling.declaration.named_columns import named_columns


class Expected(NamedTuple):
    """What is expected of a table: its columns, the rules among them, and which setting needs a
    column in every row. ``target_of`` is the use case whose target is among them, ``setting`` what
    declares the rules."""

    columns: Sequence[Column]
    rules: Sequence[Rule]
    needed: Mapping[str, str] = {}
    target_of: UseCase | None = None
    setting: str = "expectations"

    @property
    def target(self) -> str:
        return self.target_of.target if self.target_of else ""


def expected_of_source(use_case: UseCase) -> Expected | None:
    """What a derivation needs of the columns that it is computed from; None without one."""
    derived = use_case.derived
    if derived is None:
        return None
    setting_of = {named.column: named.setting for named in named_columns({"derived": derived})}
    whole = [column.name for column in derived.raw_columns if not column.missing_at_most]
    needed = {name: setting_of[name] for name in whole}
    return Expected(derived.raw_columns, derived.raw_rules, needed, setting="derived")


def expected_of_table(use_case: UseCase) -> Expected:
    """What a use case declares of its table, derived columns included."""
    return Expected(use_case.columns, use_case.expectations, use_case.needed_columns, use_case)


def schema_suite(expected: Expected) -> ExpectationSuite:
    """Every declared column and the target exist."""
    names = [column.name for column in expected.columns]
    names += [expected.target] if expected.target_of else []
    return _suite("schema", (vocabulary.exists(name) for name in names))


def type_suite(expected: Expected) -> ExpectationSuite:
    """Numbers are numbers, times are times, and the target is usable."""
    typed = [column for column in expected.columns if column.kind in ("number", "time")]
    rules = [vocabulary.has_type(column.name, column.kind) for column in typed]
    rules += vocabulary.target_rules(expected.target_of) if expected.target_of else []
    return _suite("types", rules)


def content_suite(expected: Expected) -> ExpectationSuite:
    """Every column is known and labelled as declared, and the table keeps its own rules."""
    rules = [
        rule
        for column in expected.columns
        for rule in vocabulary.column_rules(column, expected.needed.get(column.name))
    ]
    rules += [_of_table(rule, expected) for rule in expected.rules if not rule.of_sizes]
    return _suite("content", rules)


def size_suite(expected: Expected) -> ExpectationSuite:
    """Every number keeps its range and its place among others: of a table without special codes."""
    rules = [rule for column in expected.columns for rule in vocabulary.range_rules(column)]
    rules += [_of_table(rule, expected) for rule in expected.rules if rule.of_sizes]
    return _suite("size", rules)


def _of_table(rule: Rule, expected: Expected) -> Expectation:
    return vocabulary.table_rule(rule, expected.target, expected.setting)


def _suite(name: str, rules: Iterable[Expectation]) -> ExpectationSuite:
    wanted = list(rules)
    suite = ExpectationSuite(name, expectations=wanted)
    # Great Expectations drops what it can't read with a log line only.
    assert len(suite.expectations) == len(wanted), f"the suite '{name}' lost expectations"
    return suite
