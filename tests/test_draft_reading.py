"""How a draft reads what nobody declared: marks, signs, dates, units, and cells of another kind."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from small_models import drafted, loan_table

from modelling.data.reading.number_text import TextFormat
from modelling.data.sources.frames import in_memory
from modelling.declaration import Source
from modelling.drafting.columns.findings import Wanted
from modelling.drafting.columns.number_format import find_number_format
from modelling.drafting.columns.profiles import profile_column
from modelling.drafting.columns.table_source import read_undeclared
from modelling.drafting.drafting import draft_table
from modelling.drafting.writer import declared_by, draft_text
from tasks.preparation import prepare


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


def test_codes_keep_their_zeros_however_their_column_is_packed(tmp_path):
    """As a dictionary, in which pandas keeps categories, as Arrow's text in a frame, or with blanks
    behind them, as CHAR(5) of a database has them: 007 is no 7."""
    codes = pd.Series([f"{row % 8 + 1:03d}" for row in range(400)])
    table = loan_table(400).assign(branch=codes)
    category = table.assign(branch=codes.astype("category"))
    category.to_parquet(tmp_path / "category.parquet")
    table.assign(branch=codes + "  ").to_csv(tmp_path / "blanks.csv", index=False)
    with in_memory(category.convert_dtypes(dtype_backend="pyarrow"), "frame") as held:
        for uri in (held, str(tmp_path / "category.parquet"), str(tmp_path / "blanks.csv")):
            read, source, said = read_undeclared(Source(uri=uri))
            findings = draft_table(read, source, said, Wanted("x", "default"))
            branch = next(c for c in findings.columns if c.name == "branch")
            assert branch.categories == tuple(f"{code:03d}" for code in range(1, 9))


@pytest.mark.parametrize(
    ("name", "others", "read"),
    [
        ("branch", ["120", "310", ""], "text"),
        ("amount", ["120", "310", ""], "number"),  # SAS writes 1E8 where nine digits have no room
        ("branch", ["120.0", "310.5"], "number"),
        ("branch", ["120", "1e+05"], "number"),
    ],
)
def test_codes_that_look_like_powers_of_ten_are_no_numbers(name, others, read):
    """2E5 was 200,000, though only one row in thousands says that these are codes."""
    cells = pd.Series([*others * 2000, "2E5"], name=name)
    profile = profile_column(cells, TextFormat(), np.arange(len(cells)))
    assert profile.written == read


def test_periods_of_a_frame_are_their_first_days():
    days = pd.period_range("2019-01", periods=400, freq="M")
    with in_memory(loan_table(400).assign(opened=days), "frame") as held:
        read, _, _ = read_undeclared(Source(uri=held))
    assert read["opened"].tolist() == days.to_timestamp().tolist()


def test_long_cells_with_many_numbers_are_looked_at_in_no_time():
    """What stands around a number was looked for in lists of thousands, for hours."""
    lists = pd.Series([str([*range(row, row + 5000)]) for row in range(400)], name="payments")
    assert find_number_format(lists.to_frame().astype("str"), Source(uri="x.csv")) == ({}, [])


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
    table = loan_table(10_001).assign(opened=[*dates * 25, "01/25/2021"])
    table.to_csv(tmp_path / "t.csv", index=False)
    _, source, said = read_undeclared(Source(uri=str(tmp_path / "t.csv")))
    assert (source.date_format, said) == ("%m/%d/%Y", ())  # by one date that no probe has


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
    assert found.unlabelled == 7
    assert "lines with the header again or totals, left out: 1" in said
    kinds = {column.name: column.kind for column in found.kept}
    assert (kinds["income"], kinds["balance"], kinds["share"]) == ("amount", "number", "ratio")
    declared = declared_by(draft_text(found)).model_copy(update={"source": source})
    assert declared.unlabelled == "drop"
    assert len(prepare(declared).table) == found.rows


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
        ("{:.1f} %", "numbers in % and in nothing: write them in one unit"),
        ("{:.0f}.-", "or numbers with fractions: say in the source how they are written"),
        ("{:.2f} USD", "numbers in USD and in €: convert them to one"),
    ],
)
def test_numbers_in_two_units_are_no_labels_and_a_price_is_not_below_zero(written, why):
    amounts = pd.Series(np.random.default_rng(2).lognormal(8, 1, 400).round(1))
    cells = amounts.map(written.format)
    if "%" in why:
        cells = cells.mask(cells.index % 9 == 0, amounts.map("{:.2f}".format))
    if "M" in why:
        cells = cells.mask(cells.index % 3 == 0, (amounts % 9).map("{:.1f}M".format))
    if "€" in why:
        cells = cells.mask(cells.index % 3 == 0, amounts.map("€ {:.2f}".format))
    left_out = {
        c.name: c.left_out for c in drafted(loan_table(400).assign(sum=cells), "default").columns
    }
    assert why in left_out["sum"]


@pytest.mark.parametrize(
    ("written", "other", "why"),
    [
        ("{:.1f}", "<5", "numbers with < beside them: write the numbers alone"),
        ("~{:.0f}", "{:.0f} *", "numbers with * and ~ beside them"),
        ("{:.1f}/10", "{:.0f}/10", "numbers out of 10: write the numbers alone"),
    ],
)
def test_numbers_beside_limits_footnotes_and_totals_are_no_labels(written, other, why):
    numbers = pd.Series(np.random.default_rng(3).uniform(0, 100, 400))
    cells = numbers.map(written.format).where(numbers.index % 4 > 0, numbers.map(other.format))
    classes = np.array(["<5", "5", "10", ">10", "3/10"])[np.arange(400) % 5]
    found = drafted(loan_table(400).assign(sum=cells, size=classes), "default").columns
    columns = {column.name: column for column in found}
    assert why in columns["sum"].left_out
    assert columns["size"].kind == "category"


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


def test_a_column_of_numbers_beyond_all_measure_is_left_out_with_its_name():
    table = loan_table(600).assign(sensor=1e300 * np.arange(600))
    (sensor,) = [c for c in drafted(table, "default").columns if c.name == "sensor"]
    assert "larger than a network can hold" in sensor.left_out
