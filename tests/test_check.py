"""What ``finflows check`` says of a table and its declaration, before anything is trained."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import last_json
from small_models import loan_table
from typer.testing import CliRunner

import finflows
from flows.command_line.commands import app
from modelling.refusals import BrokenRule, DataRefused
from tasks.validation import ValidationReport

DECLARED = """from modelling.declaration import *
USE_CASE = UseCase(
    name="own", title="Own", source=Source(uri="own.csv"), {problem},
    columns=(
        {columns},
    ),
)
"""


@pytest.fixture
def declare(tmp_path, monkeypatch):
    """Writes a table and its use case, called own, into an empty current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "use_cases").mkdir()

    def write(table, problem, *columns):
        table.to_csv("own.csv", index=False)
        declared = DECLARED.format(problem=problem, columns=",\n        ".join(columns))
        (tmp_path / "use_cases" / "own.py").write_text(declared)

    return write


def check(*arguments):
    return CliRunner().invoke(app, ["check", "own", *arguments])


DEFAULTS = 'problem="binary", target="default"'


def test_it_says_what_breaks_and_where_that_is_declared(declare):
    table = loan_table(1000).assign(age=lambda rows: 30 + rows.index % 40)
    declare(table, DEFAULTS, 'amount("income")', 'count("age", maximum=120)')
    kept = check("--json")
    assert kept.exit_code == 0, kept.exception
    assert last_json(kept.stdout)["passed"] is True
    table.loc[:6, "age"] = 180
    table.to_csv("worse.csv", index=False)
    broken = check("--data", "worse.csv")
    assert broken.exit_code == 3
    assert "age: in the allowed range, from 0 to 120: not in 7 rows" in broken.stdout
    assert "minimum or maximum in use_cases/own.py, line 6" in broken.stdout
    assert "180" not in broken.stdout


def test_it_says_how_much_may_be_missing_and_how_many_rows_are_more(declare):
    table = loan_table(1000).assign(age=30.0)
    table.loc[:6, "age"] = None
    declare(table, DEFAULTS, 'amount("income")', 'count("age", missing_at_most=0.005)')
    assert "BROKEN      age: at most 0.5% missing: not in 7 rows" in check().stdout
    assert "BROKEN        age: at most 0.5% missing: not in 7 rows" in repr(finflows.check("own"))
    declare(table, DEFAULTS, 'amount("income")', 'count("age", usual=(31, 40))')
    table.assign(age=[30.0] + [35.0, 36.0, 37.0] * 333).to_csv("own.csv", index=False)
    said = "age: in the usual range, from 31 to 40: not in 1 row"
    assert [str(rule) for rule in finflows.check("own").broken_rules] == [said]


def test_it_warns_of_what_a_training_would_warn_of(declare):
    numbers = np.random.default_rng(0).normal(size=(400, 2))
    table = pd.DataFrame(numbers, columns=["income", "spent"])
    table["closed"] = [1.5] * 5 + [None] * 395
    columns = ('number("income")', 'number("closed", missing_at_most=1.0)')
    declare(table, 'problem="regression", target="spent"', *columns)
    said = check().stdout
    assert "warning     closed: is known in fewer than 20 training rows" in said
    assert said.count("closed: ") == 1
    shown = finflows.check("own")
    assert shown.passed
    assert [rule.column for rule in shown.broken_rules] == ["closed"]
    huge = table.assign(income=1e300)
    with pytest.raises(finflows.DataRefused, match="income: its numbers are larger"):
        finflows.check("own", huge)


def test_it_refuses_a_leak_and_shows_no_value(declare):
    table = loan_table(1000).assign(recovered=lambda rows: rows["default"] * 4711.5)
    declare(table, DEFAULTS, 'amount("income")', 'number("balance")', 'amount("recovered")')
    refused = check()
    assert refused.exit_code == 3
    assert "BROKEN      recovered: tells the target on its own" in refused.stdout
    assert "known_leak_free='why" in refused.stdout
    assert "own.py, line 7" in refused.stdout
    assert "4711" not in refused.stdout
    answer = last_json(check("--json").stdout)
    assert (answer["passed"], answer["broken"][0]["column"]) == (False, "recovered")
    assert "4711" not in json.dumps(answer)


def test_a_name_of_two_lines_is_shown_on_one(declare):
    """A header in a spreadsheet may have line breaks; a terminal would obey an escape."""
    table = loan_table(300).rename(columns={"income": "income\n\x1b[31m(EUR)|net"})
    column = r'amount("income\n\x1b[31m(EUR)|net", maximum=1)'
    declare(table, 'target="default", problem="binary"', column, 'count("age", maximum=120)')
    said = check().output
    shown = r"income\n\x1b[31m(EUR)|net"
    assert f"BROKEN      {shown}: in the allowed range, from 0 to 1: not in" in said
    assert "\x1b" not in said
    assert str(DataRefused("a\nb: it is \u202e\u00a0empty")) == r"a\nb: it is \u202e\xa0empty"
    rule = BrokenRule("income\n(EUR)|net", "is at most 1", 3)
    report = ValidationReport(1, 300, (rule,))
    assert r"| income\n(EUR)\|net | is at most 1 | 3 | critical |" in report.markdown()
