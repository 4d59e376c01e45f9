"""The suites that a use case implies, in the order in which they can be judged."""

from great_expectations import ExpectationSuite
from great_expectations.expectations.expectation import Expectation

from expectations import vocabulary
from modelling.declaration import NotAbove, UseCase


def schema_suite(use_case: UseCase) -> ExpectationSuite:
    """Every declared column and the target exist."""
    names = [*(column.name for column in use_case.columns), use_case.target]
    return _suite("schema", [vocabulary.exists(name) for name in names])


def type_suite(use_case: UseCase) -> ExpectationSuite:
    """Numbers are numbers, times are times, and the target is usable."""
    typed = [column for column in use_case.columns if column.kind in ("number", "time")]
    expected = [vocabulary.has_type(column.name, column.kind) for column in typed]
    return _suite("types", [*expected, *vocabulary.target_rules(use_case)])


def content_suite(use_case: UseCase) -> ExpectationSuite:
    """Every column is known and labelled as declared, and the table keeps its own rules."""
    needed = use_case.needed_columns
    expected = [
        rule
        for column in use_case.columns
        for rule in vocabulary.column_rules(column, needed.get(column.name))
    ]
    rules = [rule for rule in use_case.expectations if not isinstance(rule, NotAbove)]
    expected += [vocabulary.table_rule(rule, use_case.target) for rule in rules]
    return _suite("content", expected)


def size_suite(use_case: UseCase) -> ExpectationSuite:
    """Every number keeps its range and its place among others: of a table without special codes."""
    expected = [rule for column in use_case.columns for rule in vocabulary.range_rules(column)]
    rules = [rule for rule in use_case.expectations if isinstance(rule, NotAbove)]
    expected += [vocabulary.table_rule(rule, use_case.target) for rule in rules]
    return _suite("size", expected)


def _suite(name: str, expected: list[Expectation]) -> ExpectationSuite:
    suite = ExpectationSuite(name, expectations=expected)
    # Great Expectations drops what it can't read with a log line only.
    assert len(suite.expectations) == len(expected), f"the suite '{name}' lost expectations"
    return suite
