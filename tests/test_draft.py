"""From somebody's own table to the file of a use case: what it finds, says, and keeps to itself."""

import json
import re
import sqlite3
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import last_json
from planted_tables import RARE_LABEL, german_loans, write_german
from small_models import drafted, loan_table, prepared
from typer.testing import CliRunner

from flows.command_line.commands import app
from modelling.declaration.use_case_files import find_use_case
from modelling.drafting.writer import declared_by, draft_text
from modelling.refusals import DataRefused, UsageError


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the planted table, where its draft has been written."""
    folder = tmp_path_factory.mktemp("bank")
    (folder / "use_cases").mkdir()
    write_german(german_loans(), folder / "kredite.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = run("draft", "kredite.csv", "--target", "ausgefallen", "--json")
        assert done.exit_code == 0, done.exception
        (folder / "findings.json").write_text(done.stdout)
    return folder


@pytest.fixture
def in_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def found(folder):
    findings = last_json((folder / "findings.json").read_text())
    return findings | {"columns": {column["name"]: column for column in findings["columns"]}}


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ("Kundennummer", "identifier"),
        ("Währung", "the same in all rows"),
        ("Rückfluss", "known or missing"),
        ("Mahnstufe", "on its own"),
        ("Bemerkung", "free text"),
        ("gekündigt_am", "later than 'eröffnet_am'"),
        ("Wohnung_code", "the same as 'Wohnung'"),
        ("Einkommen_kopie", "the same as 'Einkommen'"),
    ],
)
def test_a_planted_trap_is_left_out_and_says_why(found, folder, column, why):
    assert why in found["columns"][column]["left_out"]
    comments = (folder / "use_cases" / "kredite.py").read_text()
    assert f"# '{column}': " in comments


def test_what_is_kept_is_declared_as_a_careful_person_would(found):
    columns = found["columns"]
    assert columns["verzugstage"]["special_codes"] == [999]
    assert (columns["Alter"]["role"], columns["Alter"]["maximum"]) == ("protected", 120)
    assert columns["Postleitzahl"]["role"] == "protected"
    assert columns["Postleitzahl"]["kind"] == "category"
    assert columns["Wohnung"]["categories"] == ["Eigentum", "Eltern", "Miete"]
    assert columns["Bezirk"]["categories"] is None
    assert (columns["Einkommen"]["kind"], columns["Einkommen"]["minimum"]) == ("amount", 0)
    assert columns["Auslastung"]["usual"][1] == 1
    assert found["target"]["classes"] == ["nein", "ja"]
    assert (found["split"]["method"], found["split"]["column"]) == ("out_of_time", "eröffnet_am")


def test_how_the_file_is_written_stands_in_the_source(found):
    assert found["source"]["settings"] == {
        "delimiter": ";", "encoding": "cp1252", "decimal": ",", "date_format": "%d.%m.%Y",
    }  # fmt: skip


def test_the_written_file_is_formatted_and_trainable_as_it_is(in_folder):
    file = in_folder / "use_cases" / "kredite.py"
    for command in (["format", "--check"], ["check", "--select", "E,F,I"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--line-length", "100"]
        subprocess.run([*ruff, str(file)], check=True, capture_output=True)
    use_case = find_use_case("kredite")
    for column in use_case.columns:
        assert not column.special_codes or column.note
    assert use_case.model_dump_json()
    data = prepared(use_case)
    assert data.report.critical == ()
    assert {broken.setting for broken in data.report.warnings} <= {"usual"}


def test_no_cell_is_written_that_few_rows_share(folder, found):
    said = (folder / "use_cases" / "kredite.py").read_text() + json.dumps(found, ensure_ascii=False)
    assert RARE_LABEL not in said
    written = set(re.findall(r"[\w.,-]+", said.replace("_", "")))
    table = pd.read_csv(folder / "kredite.csv", sep=";", encoding="cp1252", dtype=str)
    for name in table:
        rows_of = table[name].value_counts()
        rare = {cell for cell in rows_of.index[rows_of < 20] if len(cell) > 4}
        telling = {cell for cell in rare if not re.fullmatch(r"[1-9]0*", cell)}
        plain = {cell.replace(",", ".") for cell in telling} | telling
        assert not plain & written, name


def test_a_file_that_is_there_stays_unless_somebody_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loan_table(300).to_csv("loans.csv", index=False)
    (tmp_path / "use_cases").mkdir()
    again = ("draft", "loans.csv", "--target", "default")
    assert run(*again).exit_code == 0
    file = tmp_path / "use_cases" / "loans.py"
    before = file.read_text()
    refused = run(*again).exception
    assert isinstance(refused, UsageError)
    assert "--force" in str(refused)
    assert file.read_text() == before
    elsewhere = run(*again, "--to", "elsewhere.py")
    assert "move it to use_cases/elsewhere.py here" in elsewhere.stdout
    written = run(*again, "--force")
    assert written.exit_code == 0
    assert "move it" not in written.stdout
    assert file.read_text() == before  # the same table is drafted the same


def test_amounts_in_two_currencies_and_copies_of_most_rows_are_looked_at_first():
    table = loan_table(400).assign(currency=np.array(["EUR", "USD"])[np.arange(400) % 2])
    (first, *_) = drafted(table, "default").worth_a_look
    assert first.startswith("'currency' names 2 currencies: convert the amounts, such as 'income'")
    (first, *_) = drafted(pd.concat([table] * 5, ignore_index=True), "default").worth_a_look
    assert first.startswith("1,600 of 2,000 rows are exact copies of others: kept")


def test_names_that_a_file_could_stumble_over_are_declared_as_they_are():
    table = loan_table(600)
    strange = ['a "quoted" name', "it's", "back\\slash", "two\nlines", "월소득" * 20, '"""', "# x"]
    for number, name in enumerate(strange):
        table[name] = table["balance"].round(1) + number * table["age"]
    use_case = declared_by(draft_text(drafted(table, "default")))
    assert {column.name for column in use_case.columns} >= {*strange}


def test_a_database_is_drafted_from_a_query_and_no_password_is_kept(tmp_path, monkeypatch):
    with sqlite3.connect(tmp_path / "bank.db") as connection:
        loan_table(600).to_sql("loans", connection, index=False)
    file = tmp_path / "loans.py"
    query = ("--query", "SELECT * FROM loans", "--to", file, "--target", "default")
    done = run("draft", f"sqlite:///{tmp_path}/bank.db", *query)
    assert done.exit_code == 0, done.exception
    assert declared_by(file.read_text()).source.query == "SELECT * FROM loans"
    refused = run("draft", "postgresql://me:hunter22@host/bank", *query, "--force").exception
    assert isinstance(refused, UsageError)
    assert "keeps no password" in str(refused)
    assert "hunter22" not in str(refused)


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (["--target", "defalt"], UsageError, "no column 'defalt'; did you mean 'default'"),
        (["--target", "default", "--positive", "7"], UsageError, "no such label"),
        (["--target", "default", "--time", "housing"], DataRefused, "housing"),
        (["--target", "default", "--id", "default"], UsageError, "three different columns"),
    ],
)
def test_what_can_not_be_drafted_is_one_clear_line_and_no_file(tmp_path, arguments, kind, said):
    loan_table(300).to_csv(tmp_path / "loans.csv", index=False)
    file = tmp_path / "drafted.py"
    refused = run("draft", tmp_path / "loans.csv", "--to", file, *arguments).exception
    assert isinstance(refused, kind)
    assert said in str(refused)
    assert not file.exists()


def test_a_flag_beside_empty_cells_and_a_guessed_encoding_are_said(tmp_path):
    """As SAP writes X or nothing; and as names look in an encoding that was guessed wrong."""
    table = loan_table(300).assign(late=lambda t: t["default"].map({1: "X", 0: ""}))
    table.rename(columns={"region": "지역"}).to_csv(
        tmp_path / "t.csv", index=False, encoding="cp949"
    )
    file = ("--to", tmp_path / "t.py")
    refused = run("draft", tmp_path / "t.csv", "--target", "late", *file).exception
    assert "where an empty cell is the other label, write it there" in str(refused)
    refused = run("draft", tmp_path / "t.csv", "--target", "지역", *file).exception
    assert "encoding 'cp1252' was taken; say another with --source encoding=..., as cp932" in str(
        refused
    )
    refused = run("draft", tmp_path / "t.csv", "--target", "Late", *file).exception
    assert str(refused) == "--target: the table has no column 'Late'; did you mean 'late'?"


def test_what_a_draft_refuses_holds_for_rows_that_it_did_not_look_at(monkeypatch):
    monkeypatch.setattr("modelling.drafting.drafting.SAMPLE", 300)
    table = loan_table(3000).assign(stage=np.arange(3000) % 3, net=np.arange(3000) % 9 + 1.0)
    looked_at = np.random.default_rng(0).permutation(3000)[:300]
    unseen = np.setdiff1d(np.arange(3000), looked_at)
    table.loc[unseen[:30], "housing"] = "boat"
    table.loc[unseen[:3], "region"] = "9"
    table.loc[unseen[:2], "net"] = -4
    table.loc[unseen[:25], "stage"] = 7
    for target in ("default", "stage"):
        use_case = declared_by(draft_text(drafted(table, target)))
        assert prepared(use_case, table).report.critical == ()
    columns = {column.name: column for column in use_case.columns}
    assert columns["housing"].categories == ("boat", "free", "own", "rent")
    assert columns["region"].categories is None
    assert (use_case.target, use_case.classes) == ("stage", (0, 1, 2, 7))


@pytest.mark.services
def test_a_draft_is_trained_without_touching_it(finflows, tmp_path):
    (tmp_path / "use_cases").mkdir()
    loan_table(1500).to_csv(tmp_path / "loans.csv", index=False)
    file = tmp_path / "use_cases" / "own_loans.py"
    here = {"PYTHONPATH": f"{sys.path[0]}:{tmp_path}"}
    done = finflows("draft", tmp_path / "loans.csv", "--target", "default", "--to", file)
    assert done.returncode == 0, done.stderr
    trained = finflows("train", "own_loans", "--json", PYTHONPATH=here["PYTHONPATH"])
    assert trained.returncode == 0, trained.stderr
    assert last_json(trained.stdout)["gate"]["passed"]
