"""From somebody's own table to the file of a use case: what it finds, says, and keeps to itself."""

import json
import re
import sqlite3
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from conftest import last_json
from planted_tables import RARE_LABEL, german_loans, write_german
from small_models import loan_table, prepared
from typer.testing import CliRunner

from benchmarks.by_hand import BY_HAND
from benchmarks.draft_quality import draft as draft_of
from flows.command_line.commands import app
from modelling.data.loading import read_table
from modelling.declaration import SimulatedTransactions, Source
from modelling.declaration.use_case_files import find_use_case
from modelling.drafting.columns.findings import Wanted
from modelling.drafting.columns.number_format import find_missing_words
from modelling.drafting.columns.table_source import read_undeclared
from modelling.drafting.drafting import draft_table
from modelling.drafting.writer import declared_by, draft_text
from modelling.refusals import DataRefused, UsageError
from tasks.preparation import prepare_data


def drafted(table: pd.DataFrame, target: str, **wanted):
    source = Source(uri="table.csv")
    return draft_table(table.copy(), source, (), Wanted("x", target, **wanted))


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


def clean_tables():
    credit = read_table(find_use_case("credit_scoring").source).sample(6000, random_state=1)
    yield credit, "SeriousDlqin2yrs"
    yield read_table(SimulatedTransactions(customers=60, terminals=120, days=60)), "fraud"
    for name in ("iris", "wine", "diabetes"):
        use_case = find_use_case(name)
        yield read_table(use_case.source), use_case.target
    yield loan_table(), "default"


def test_clean_tables_raise_no_alarm_about_leaks():
    for table, target in clean_tables():
        findings = drafted(table, target)
        assert not [c.name for c in findings.columns if c.gives_target_away], target
        assert declared_by(draft_text(findings)).features


def test_codes_of_the_credit_bureau_are_found_and_named():
    table = read_table(find_use_case("credit_scoring").source)
    columns = {c.name: c for c in drafted(table, "SeriousDlqin2yrs").columns}
    late = [name for name in columns if "PastDue" in name or "90Days" in name]
    assert len(late) == 3
    assert all(98 in columns[name].special_codes for name in late)
    assert not [n for n, c in columns.items() if c.special_codes and n not in late]


@pytest.mark.parametrize(
    ("labels", "positive", "certain"),
    [
        (["no", "yes"], "yes", True),
        (["good", "bad"], "bad", True),
        (["paid", "Charged Off"], "Charged Off", True),
        (["정상", "연체"], "연체", True),
        (["0", "1"], "1", True),
        (["blue", "red"], "red", False),
        (["2", "1"], "1", False),
    ],
)
def test_the_positive_label_is_the_worse_or_the_rarer_and_said(labels, positive, certain):
    table = loan_table(400)
    table["default"] = np.where(table["default"] == 1, labels[1], labels[0])
    target = drafted(table, "default").target
    assert (str(target.classes[1]), target.certain) == (positive, certain)
    assert repr(positive) in target.reason


def test_two_columns_of_cents_are_no_copies_but_euros_and_dollars_are():
    generator = np.random.default_rng(0)
    one, other = generator.random((2, 1000))
    table = loan_table(1000).assign(one=one, other=other, dollars=one * 1.1)
    left_out = {c.name: c.left_out for c in drafted(table, "default").columns if c.left_out}
    assert left_out == {"dollars": "says the same as 'one' in every row that was looked at"}


def test_a_customer_with_several_rows_stays_in_one_part():
    rows = np.arange(2000)
    table = loan_table(2000).assign(customer_id=1000 + rows // 4)
    split = drafted(table, "default").split
    assert (split.method, split.column) == ("grouped", "customer_id")
    table = table.assign(account=table.pop("customer_id"))
    assert drafted(table, "default", identifier="account").split.column == "account"


@pytest.mark.parametrize("letters", ["", "C"])
def test_of_two_identifiers_one_keeps_rows_together_and_none_is_a_size(letters):
    """The one that somebody names, else the first, however it is written."""
    rows = np.arange(2000)
    customers = pd.Series(1000 + rows // 4).map(lambda number: f"{letters}{number}")
    table = loan_table(2000).assign(customer_id=customers, shop_no=rows % 60)
    for named, split_by in ((None, "customer_id"), ("shop_no", "shop_no")):
        findings = drafted(table, "default", identifier=named)
        assert findings.split.column == split_by
        kinds = {c.name: c.kind for c in findings.kept}
        assert kinds[split_by] == "identifier"
        assert kinds.get("shop_no") in ("identifier", "category")
    (other,) = (c for c in findings.left_out if c.name == "customer_id")
    assert other.left_out == "500 different labels, hardly one shared: an identifier"


def test_codes_of_industries_agencies_and_statistics_programs_are_no_sizes():
    rows, table = np.arange(2000), loan_table(2000)
    table["nace"] = np.array(["01.11", "10.10", "64.20"])[rows % 3]
    table["sector_code"] = np.array(["01.10", "01.20", "10.00"])[rows // 5 % 3]
    table["hours"] = np.array(["01.10", "01.20", "10.00"])[rows // 7 % 3]
    table["gdp"] = [f"{row / 7:.1f}" if row % 3 == 0 else "." for row in rows]
    table["income"] = (
        table["income"].mask(rows % 9 == 0, 99_999_998).mask(rows % 8 == 0, 99_999_999)
    )
    table["ts"] = 1_600_000_000 + 3600 * rows
    findings = drafted(table.astype({"income": "float64"}), "default")
    found = {column.name: column for column in findings.columns}
    assert found["nace"].categories == ("01.11", "10.10", "64.20")
    assert found["sector_code"].categories == ("01.10", "01.20", "10.00")
    assert found["hours"].kind == "number", "but for its zero it is a size"
    assert found["income"].special_codes == (99_999_998, 99_999_999)
    assert "99999998, 99999999 lie apart" in found["income"].notes[0]
    assert (findings.split.method, findings.split.column) == ("out_of_time", "ts")
    assert find_missing_words(table[["gdp"]], Source(uri="table.csv")) == (".",)


def test_whoever_owes_is_whom_rows_are_about_and_of_others_it_is_asked():
    table = loan_table(2000).assign(debtor=[f"D-{row // 4:05d}" for row in range(2000)])
    assert drafted(table, "default").split.column == "debtor"
    (left_out,) = drafted(table.rename(columns={"debtor": "wer"}), "default").left_out
    assert "an identifier (of whom the rows are about? then say --id)" in left_out.left_out


def test_where_rows_can_not_be_split_by_customer_or_date_the_reason_is_said():
    table = loan_table(2000).assign(customer_id=np.maximum(np.arange(2000) - 1600, 0))
    assert "'customer_id' can't stay together" in drafted(table, "default").split.reason
    days = pd.date_range("2019-01-01", periods=2000).strftime("%Y-%m-%d")
    late = loan_table(2000).assign(opened=days)
    late.loc[1500:, "default"] = 0
    assert "the last of which have too few" in drafted(late, "default").split.reason


def test_labels_that_differ_in_capital_letters_are_one_label_of_the_target():
    table = loan_table(400)
    bad = np.where(np.arange(400) % 3, "Y", "y")
    table["default"] = np.where(table["default"] == 1, bad, "N")
    findings = drafted(table.assign(flag=bad), "default")
    assert findings.target.classes == ("N", "Y")
    assert findings.worth_a_look[0].endswith(
        "'Y' and 'y' differ only in capital letters: taken for one."
    )
    assert declared_by(draft_text(findings)).merge_classes == {"Y": ("y",)}
    (flag,) = (c for c in findings.columns if c.name == "flag")
    assert flag.notes == ["'Y' and 'y' differ only in capital letters: write them alike."]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["Zu\u0308rich", "z\u00fcrich"], "capital letters"),
        (["Bern", "Bern\u200b"], r"'Bern' and 'Bern\\u200b'"),
        (["\u0130zmir", "izmir"], "capital letters"),
        (["I\u011eDIR", "I\u011fd\u0131r"], "capital letters"),
    ],
)
def test_labels_that_look_the_same_are_told(labels, said):
    table = loan_table(400).assign(city=np.array(labels)[np.arange(400) % 2])
    (city,) = (c for c in drafted(table, "default").columns if c.name == "city")
    assert re.search(
        f"{said}.* letters: write them alike" if "and" in said else said, city.notes[0]
    )


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("Tak", "Nie"),
        ("EVET", "HAYIR"),
        ("\u662f", "\u5426"),
        ("\u0646\u0639\u0645", "\u0644\u0627"),
    ],
)
def test_yes_is_the_positive_label_in_other_languages_too(yes, no):
    table = loan_table(2000)
    table["default"] = np.where(np.arange(2000) % 3, yes, no)  # the rarer one is no
    target = drafted(table, "default").target
    assert (target.classes, target.certain) == ((no, yes), True)


@pytest.mark.parametrize(
    "scale",
    [("AAA", "AA+", "AA-", "A", "BBB+", "BBB"), ("Aaa", "Aa1", "Aa3", "A2", "Baa1", "Baa2")],
)
def test_grades_are_in_the_order_of_their_agency(scale):
    """The few of the best grade count as the next one, not as the worst."""
    rows_of = dict(zip(scale, (5, 80, 80, 80, 80, 75), strict=True))
    grades = [grade for grade, rows in rows_of.items() for _ in range(rows)]
    target = drafted(loan_table(400).assign(grade=grades), "grade").target
    assert (target.classes, target.ordered) == (scale[1:], True)
    assert target.merge_classes == {scale[1]: ()}


def test_nobody_is_asked_for_the_positive_one_of_three_labels():
    labels = np.where(np.arange(400) % 4 > 2, "paid", "Paid")
    three = np.where(np.arange(400) % 3, labels, np.where(np.arange(400) % 2, "late", "lost"))
    findings = draft_table(
        loan_table(400).assign(status=three),
        Source(uri="table.csv"),
        (),
        Wanted("x", "status"),
        ask=lambda _: pytest.fail("asked"),
    )
    assert findings.target.classes == ("Paid", "late", "lost")


def test_amounts_in_two_currencies_and_copies_of_most_rows_are_looked_at_first():
    table = loan_table(400).assign(currency=np.array(["EUR", "USD"])[np.arange(400) % 2])
    (first, *_) = drafted(table, "default").worth_a_look
    assert first.startswith("'currency' names 2 currencies: convert the amounts, such as 'income'")
    (first, *_) = drafted(pd.concat([table] * 5, ignore_index=True), "default").worth_a_look
    assert first.startswith("1,600 of 2,000 rows are exact copies of others: kept")


@pytest.mark.parametrize(
    ("cell", "said"),
    [("inf", "2 cells of the target are infinite"), ("#DIV/0!", "2 cells of the target are some")],
)
def test_a_target_with_cells_that_are_no_sizes_is_refused_with_how_many(cell, said):
    table = loan_table(400)
    losses = table["income"].astype("str")
    losses[:2] = cell
    with pytest.raises(DataRefused, match=said):
        drafted(table.assign(loss=losses), "loss")


def test_lists_and_objects_in_cells_are_left_out_as_such(tmp_path):
    """Whether JSON writes them as text or Parquet as what they are; none is a customer."""
    table = loan_table(400)
    table["customer"] = [{"age": int(row % 60)} for row in range(400)]
    table["tags"] = [["x"] * (row % 3) for row in range(400)]
    table.to_parquet(tmp_path / "t.parquet")
    table.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    for name in ("t.parquet", "t.jsonl"):
        read, source, said = read_undeclared(Source(uri=str(tmp_path / name)))
        findings = draft_table(read, source, said, Wanted("x", "default"))
        left_out = {c.name: c.left_out for c in findings.left_out}
        assert left_out.keys() == {"customer", "tags"}
        assert all(why.startswith("lists or objects in its cells") for why in left_out.values())


def test_dates_that_can_be_read_in_two_ways_are_read_in_one_and_said(tmp_path):
    generator = np.random.default_rng(0)
    days, months = generator.integers(1, 13, 400), generator.integers(1, 13, 400)
    dates = [
        f"{d:02d}/{m:02d}/{y}" for d, m, y in zip(days, months, 2019 + months % 3, strict=True)
    ]
    loan_table(400).assign(opened=dates).to_csv(tmp_path / "t.csv", index=False)
    _, source, said = read_undeclared(Source(uri=str(tmp_path / "t.csv")))
    assert source.date_format == "%d/%m/%Y"
    assert any("%m/%d/%Y fits as well" in line for line in said)


@pytest.mark.parametrize(
    ("written", "settings"),
    [
        (["1,234", "12,345", "700", "5,678,901"], {"thousands": ","}),
        (["1.234,50", "700,25", "5.678.901,00", "3,10"], {"decimal": ",", "thousands": "."}),
        (["1,5", "2,25", "3", "0,125"], {"decimal": ","}),
        (["1.5", "2.25", "3", "0.125"], {}),
        (["1 234,5", "700,2", "5 678 901,0", "3,1"], {"decimal": ",", "thousands": " "}),
        (["1\u202f234,5", "700,2", "3,1"], {"decimal": ",", "thousands": "\u202f"}),
        (["1’234.5", "700.2", "3.1"], {"thousands": "’"}),  # noqa: RUF001
        (["1\u2009234,5", "700,2", "3,1"], {"decimal": ",", "thousands": "\u2009"}),
        (["1,234", *map(str, range(700, 720))], {"thousands": ","}),
        (["1.234", *map(str, range(700, 720))], {"decimal": ",", "thousands": "."}),
        (["1.234", "0", "2.500"], {}),
        ([f"{n}.5 % p.a." for n in range(20)], {"around_numbers": ("% p.a.",)}),
    ],
)
def test_marks_in_numbers_are_found(tmp_path, written, settings):
    table = (
        loan_table(400).assign(price=np.resize(written, 400)).drop(columns=["income", "balance"])
    )
    table.to_csv(tmp_path / "t.csv", index=False, sep=";")
    _, found, _ = read_undeclared(Source(uri=str(tmp_path / "t.csv")))
    assert found == Source(uri=found.uri, delimiter=";", **settings)


def test_a_report_is_drafted_as_it_was_exported(tmp_path):
    table = loan_table(400)
    gap = table["income"].isna()
    table["income"] = table["income"].map("${:,.2f}".format).mask(gap, "unknown")
    table["balance"] = table["balance"].map(lambda v: f"({-v:.2f})" if v < 0 else f"{v:.2f}")
    table["share"] = np.random.default_rng(1).uniform(0, 100, 400).round(1)
    table["share"] = table["share"].map("{}%".format)
    table["default"] = table["default"].map({0: "no", 1: "yes"}).mask(table.index < 7)
    total = ",".join(["Total", *[""] * (len(table.columns) - 2), "123"])
    file = tmp_path / "report.csv"
    text = table[[*table.columns.drop("default"), "default"]].to_csv(index=False)
    file.write_text(f"Loans\nAs of,2024-01-01\n\n{text}{total}\n")
    read, source, said = read_undeclared(Source(uri=str(file)))
    settings = source.model_dump(exclude_defaults=True, exclude={"uri"})
    assert settings == {
        "header_line": 4, "thousands": ",", "around_numbers": ("$", "%", "()"),
        "missing": ("unknown",),
    }  # fmt: skip
    assert any("'unknown' beside numbers or dates: read as missing" in line for line in said)
    found = draft_table(read, source, said, Wanted("loans", "default"))
    assert found.unlabelled == 8
    kinds = {column.name: column.kind for column in found.kept}
    assert (kinds["income"], kinds["balance"], kinds["share"]) == ("amount", "number", "ratio")
    declared = declared_by(draft_text(found)).model_copy(update={"source": source})
    assert declared.unlabelled == "drop"
    assert len(prepare_data.fn(declared).table) == found.rows


@pytest.mark.parametrize("written", ["{:.2f}-", "{:.2f} CR", "Fr. {:.2f}", "0.{:.0f}"])
def test_amounts_that_were_not_read_are_not_left_out_as_mere_identifiers(written):
    table = loan_table(400)
    amounts = pd.Series(np.random.default_rng(2).lognormal(8, 1, 400))
    other = amounts.map("{:.2f} DR".format)
    table["booked"] = amounts.map(written.format).where(table.index % 2 == 0, other)
    left_out = {column.name: column.left_out for column in drafted(table, "default").columns}
    assert "different cells in 400 rows: an identifier" in left_out["booked"]
    assert "or numbers with fractions: say in the source how they are written" in left_out["booked"]


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("{:.1f}K", "numbers in K and in M: write them in one unit"),
        ("{:.1f}", "numbers in M and in nothing: write them in one unit"),
        ("{:.0f}.-", "or numbers with fractions: say in the source how they are written"),
        ("{:.2f} USD", "numbers in USD and in €: convert them to one"),
    ],
)
def test_numbers_in_two_units_are_no_labels_and_a_price_is_not_below_zero(written, why):
    amounts = pd.Series(np.random.default_rng(2).lognormal(8, 1, 400).round(1))
    cells = amounts.map(written.format)
    if "M" in why:
        cells = cells.mask(cells.index % 3 == 0, (amounts % 9).map("{:.1f}M".format))
    if "€" in why:
        cells = cells.mask(cells.index % 3 == 0, amounts.map("€ {:.2f}".format))
    left_out = {
        c.name: c.left_out for c in drafted(loan_table(400).assign(sum=cells), "default").columns
    }
    assert why in left_out["sum"]


def test_an_end_that_is_9999_where_it_is_open_is_no_time_of_decision():
    table = loan_table(400)
    opened = pd.Series(pd.date_range("2019-01-01", periods=400, freq="D"))
    ends = (opened + pd.Timedelta(days=90)).dt.strftime("%Y-%m-%d")
    table.insert(0, "ends_on", ends.where(table.index % 3 > 0, "9999-12-31"))
    found = drafted(table.assign(opened_on=opened.dt.strftime("%Y-%m-%d")), "default")
    assert found.split.column == "opened_on"
    left_out = {column.name: column.left_out for column in found.columns}
    assert "later than 'opened_on' in 100.0% of the rows" in left_out["ends_on"]


def test_a_date_of_birth_is_no_time_of_decision():
    table = loan_table(400)
    opened = pd.Series(pd.date_range("2019-01-01", periods=400, freq="D"))
    table.insert(0, "DOB", (opened - pd.Timedelta(days=9000)).dt.strftime("%Y-%m-%d"))
    found = drafted(table.assign(opened_on=opened.dt.strftime("%Y-%m-%d")), "default")
    assert found.split.column == "opened_on"
    left_out = {column.name: column.left_out for column in found.columns}
    assert "no feature: compute days from it" in left_out["DOB"]


def test_a_column_with_a_few_cells_of_something_else_says_how_many():
    table = loan_table(1000).assign(price=np.arange(1000) * 1.25)
    table["price"] = table["price"].astype(str)
    table.loc[:9, "price"] = "on request"
    (price,) = [c for c in drafted(table, "default").columns if c.name == "price"]
    assert "10 cells are something else" in price.left_out


def test_codes_that_no_float_can_tell_apart_are_labels_and_empty_columns_are_called_so():
    table, some = loan_table(), np.random.default_rng(1).integers(0, 100, 2000)
    table["teller"] = [str(2**53 + code) for code in some]
    table["desk"] = 2**60 + some
    table["contract_id"] = [Decimal(10**25 + row) for row in range(2000)]
    table["wealth"] = 2.0**60 * (1 + some)
    table["nothing"], table["blank"] = np.nan, ""
    found = {column.name: column for column in drafted(table, "default").columns}
    assert {found[name].kind for name in ("teller", "desk")} == {"category"}
    assert found["teller"].notes[0].startswith("100 labels"), "not the 51 of their floats"
    assert found["contract_id"].left_out.startswith("2,000 different cells in 2,000 rows")
    assert found["wealth"].kind in ("count", "number")
    assert {found[name].left_out for name in ("nothing", "blank")} == {"empty in all rows"}


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


@pytest.mark.parametrize(
    ("rows_of", "classes", "merged", "ordered"),
    [
        ({"A": 300, "B": 200, "C": 80, "D": 12, "E": 3}, ("A", "B", "C"), "C", True),
        ({"1": 9, "2": 300, "3": 200, "4": 90}, (2, 3, 4), "2", True),
        ({"1": 9, "2": 300, "3": 200, "4": 90, "5": 15}, (2, 3, 4, "other"), "other", False),
        ({"red": 300, "blue": 200, "tan": 90, "pink": 5}, ("blue", "red", "tan"), "tan", False),
    ],
)  # fmt: skip
def test_a_class_of_few_rows_is_counted_and_not_named(rows_of, classes, merged, ordered):
    labels = [label for label, rows in rows_of.items() for _ in range(rows)]
    table = loan_table(len(labels)).assign(default=labels).drop(columns="region")
    findings = drafted(table, "default")
    target = findings.target
    assert (target.classes, target.ordered) == (classes, ordered)
    assert target.merge_classes == {merged: ()}
    text = draft_text(findings)
    assert not [label for label, rows in rows_of.items() if rows < 20 and f'"{label}"' in text]
    data = prepared(declared_by(text), table)
    assert data.report.critical == ()
    assert sum(map(len, data.parts)) == len(table)


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


def test_the_last_of_two_columns_that_together_give_the_target_away_is_left_out():
    table = loan_table(1500)
    generator = np.random.default_rng(1)
    paid, owed = generator.gamma(2, 900, 1500), generator.gamma(2, 900, 1500)
    table = table.assign(paid=paid, owed=owed, default=(paid < owed).astype(int))
    findings = drafted(table, "default")
    given_away = {c.name: c.left_out for c in findings.columns if c.gives_target_away}
    assert [*given_away] == ["owed"]
    assert "'paid'" in given_away["owed"]


def test_columns_that_only_a_sum_of_many_gives_the_target_away_are_named():
    table = loan_table(1500)
    parts = np.random.default_rng(1).gamma(2, 900, (1500, 4))
    names = ["rent", "food", "travel", "phone"]
    table[names] = parts
    table["default"] = (parts.sum(axis=1) > 7200).astype(int)
    findings = drafted(table, "default")
    assert not [c.name for c in findings.columns if c.gives_target_away]
    assert findings.gate is not None
    assert set(findings.gate.together) <= {*names}
    assert len(findings.gate.together) >= 2
    assert any("'rent'" in said for said in findings.worth_a_look)


def test_a_logarithm_of_a_regression_target_gives_it_away():
    table = loan_table(800).drop(columns="default")
    table["price"] = np.random.default_rng(2).lognormal(8, 1, 800).round(2)
    table["log_price"] = -np.log(table["price"]).round(3)
    (left_out,) = [c for c in drafted(table, "price").columns if c.gives_target_away]
    assert left_out.name == "log_price"


def test_a_column_of_numbers_beyond_all_measure_is_left_out_with_its_name():
    table = loan_table(600).assign(sensor=1e300 * np.arange(600))
    (sensor,) = [c for c in drafted(table, "default").columns if c.name == "sensor"]
    assert "larger than a network can hold" in sensor.left_out


def test_a_size_that_lies_apart_and_repeats_is_a_question():
    table = loan_table(2000).assign(rooms=np.arange(2000) % 5 + 1.0)
    table.loc[: len(table) // 20, "rooms"] = 5000
    (rooms,) = [c for c in drafted(table, "default").columns if c.name == "rooms"]
    assert rooms.special_codes == ()
    assert "5000 lies apart and repeated: a size, or a code?" in " ".join(rooms.notes)


KNOWN_TO_GIVE_AWAY = {
    "vub_credit": ["Days_late"],
    "wage": ["logwage"],
    "card_approved": ["share", "expenditure"],
    "credit_grade": ["interest_rate", "installment", "sub_grade"],
}


@pytest.mark.services
@pytest.mark.parametrize("name", [name for name in BY_HAND if name != "credit_scoring"])
def test_public_tables_raise_no_false_alarm_about_leaks(name):
    findings = draft_of(BY_HAND[name])
    accused = [column.name for column in findings.columns if column.gives_target_away]
    assert accused == KNOWN_TO_GIVE_AWAY.get(name, [])
    assert findings.gate is None or not findings.gate.too_good
    use_case = declared_by(draft_text(findings))
    assert prepared(use_case.model_copy(update={"source": BY_HAND[name].source}))


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
