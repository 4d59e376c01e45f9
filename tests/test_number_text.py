"""Numbers as people write them: signs, brackets, percentages, words for a missing one."""

import re
from typing import get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from small_models import loan_table, loans

from modelling.data.reading.cells import read_cells
from modelling.data.reading.number_signs import currencies_of, signs_around
from modelling.data.reading.number_text import TextFormat, numbers_in_text
from modelling.data.reading.other_writing import refuse_other_unit, unit_of, units_in
from modelling.data.typed_columns import type_columns
from modelling.declaration import Source
from modelling.declaration.declared_data import ThousandsMark
from modelling.drafting.columns.findings import Wanted
from modelling.drafting.columns.number_format import find_number_format
from modelling.drafting.columns.table_source import read_undeclared
from modelling.drafting.drafting import draft_table
from modelling.judgement.packaging import contract_of
from modelling.refusals import DataRefused, UsageError

BOOKED = TextFormat(thousands=",", around_numbers=("$", "USD", "%", "()"), missing=("-", "unknown"))
BOOKED_BY_LETTER = TextFormat(around_numbers=("C", "D", "H", "S"), thousands=",")
BOOKED_BEHIND = TextFormat(thousands=",", around_numbers=("$", "-", "CR", "DR"))
GERMAN = TextFormat(decimal=",", thousands=".", around_numbers=("€", "%"))


@pytest.mark.parametrize(
    ("written", "text_format", "numbers"),
    [
        (["$1,200.50", "$ 5", "-$4", "$-4", "6 $", "7"], BOOKED, [1200.5, 5, -4, -4, 6, 7]),
        (["($3.00)", "(1,000)", "3"], BOOKED, [-3, -1000, 3]),
        (["$ (3.00)", "(4) $"], BOOKED, [-3, -4]),
        (["5 USD", "USD 6"], BOOKED, [5, 6]),
        (["12.5%", "3 %", "(1%)", "0"], BOOKED, [0.125, 0.03, -0.01, 0]),
        (["1", " - ", "unknown", "-5"], BOOKED, [1, np.nan, np.nan, -5]),
        (["1.234,50 €", "€5"], GERMAN, [1234.5, 5]),
        (["12,5 %", "3\u00a0%", "4\u202f%"], GERMAN, [0.125, 0.03, 0.04]),
        (
            ["5%", "unknown"],
            TextFormat(around_numbers=("k", "%"), missing=("unknown",)),
            [0.05, np.nan],
        ),
        (["500.00-", "1,200 -", "3", "4-$", "$ 5-"], BOOKED_BEHIND, [-500, -1200, 3, -4, -5]),
        (["5.00 CR", "1,200 Dr", "3", "$4dr."], BOOKED_BEHIND, [5, -1200, 3, -4]),
        (
            ["5.00 S", "1,200 H", "3", "0 S", "S 7.5", "H8"],
            BOOKED_BY_LETTER,
            [-5, 1200, 3, 0, -7.5, 8],
        ),
        (["5.00 D", "1,200C", "D 6.5"], BOOKED_BY_LETTER, [-5, 1200, -6.5]),
        (
            ["1.234,56 Soll", "5 haben", "€ 7 SOLL"],
            TextFormat(",", ".", around_numbers=("Soll", "Haben", "€")),
            [-1234.56, 5, -7],
        ),
        (["5 AUD", "6 AUD D"], TextFormat(around_numbers=("AUD", "C", "D")), [5, -6]),
        (["5 S", "6S"], TextFormat(around_numbers=("S",)), [5, 6]),
        (["3.5 % p.a.", "4% p.a."], TextFormat(around_numbers=("% p.a.",)), [3.5, 4]),
        (["\u22125.5 kr", "3 kr"], TextFormat(around_numbers=("kr",)), [-5.5, 3]),
        (["\u22125.5", "3"], TextFormat(), [-5.5, 3]),
        (["5 kr", "6 kr"], TextFormat(around_numbers=("k", "kr")), [5, 6]),
    ],
)
@pytest.mark.parametrize("kind", ["str", "object"])
def test_what_stands_around_a_number_is_read_as_declared(written, text_format, numbers, kind):
    read, unread = read_cells(pd.Series(written, dtype=kind), "number", text_format)
    assert unread == 0
    np.testing.assert_array_equal(read.to_numpy(), numbers)
    np.testing.assert_array_equal(numbers_in_text(pa.array(written), text_format), numbers)


@pytest.mark.parametrize(
    ("written", "declared", "said"),
    [
        (["$5", "€7"], (), "income: numbers in $ and in €: convert them"),
        (["$5", "€7"], ("$", "€"), "income: numbers in $ and in €: convert them"),
        (["$5", "$8"], ("€",), "$ around a number: convert them, or add around_numbers='$,€'"),
        (["5%", "6%"], (), "2 cells of income have % (12.5% is 0.125) around a number"),
        (["12%", "0.12"], ("%",), "income: 1 numbers lack the % of the others"),
        (["12%", 0.12, np.nan], ("%",), "income: 1 numbers lack the % of the others"),
        (["5k", "5000"], ("k",), "income: 1 numbers lack the k of the others"),
        (["1.234,5\u00a0€"], ("€",), "1 cells of income look like numbers with a mark between"),
        (["$5", "$7"], (), "2 cells of income have $ around a number: add around_numbers='$'"),
        (
            ["5-", "7-"],
            ("$",),
            "- behind (5- is -5) around a number: add around_numbers='$,-'",
        ),
        (["5 Dr", "7 Cr"], (), "around a number: add around_numbers='CR,DR'"),
        (["5 S", "7 H"], (), "H and S (5 S is -5) around a number: add around_numbers='H,S'"),
        (["5%-", "0.12"], ("%", "-"), "income: 1 numbers lack the % of the others"),
        (["(5)", "(7)"], ("$",), "have () around a number: add around_numbers='$,()'"),
    ],
)
def test_what_is_not_declared_or_of_two_units_is_refused_with_the_line_to_add(
    written, declared, said
):
    with pytest.raises(DataRefused, match=re.escape(said)) as refused:
        read_cells(pd.Series(written, name="income"), "number", TextFormat(around_numbers=declared))
    assert "7" not in str(refused.value)


@pytest.mark.parametrize(
    "written",
    [["A-1", "B-2"], ["4+", "5+"], ["5 km", "6 km"], ["#12"], ["LOA0012"], ["10-20"], ["A-"]],
)
def test_what_is_no_unit_stays_text(written):
    assert signs_around(pd.Series(written)) == (set(), 0)


@pytest.mark.parametrize("kind", ["str", "object"])
def test_blanks_around_a_word_for_a_missing_time_do_not_count(kind):
    cells = pd.Series(["2020-01-31", " - ", "-", " ", None], dtype=kind)
    read, unread = read_cells(cells, "time", BOOKED)
    assert (unread, read.isna().tolist()) == (0, [False, True, True, True, True])


def test_a_price_without_cents_is_not_below_zero():
    """As 1200.- is written in Switzerland, and 1200,- elsewhere."""
    prices = pd.Series(["1'200.-", "700.-"], name="price")
    with_minus = TextFormat(thousands="'", around_numbers=("-",))
    assert read_cells(prices, "number", with_minus)[1] == 2
    assert signs_around(prices) == (set(), 0)


def test_a_country_may_stand_before_its_dollar():
    assert signs_around(pd.Series(["R$ 1.234,50", "R$5"])) == ({"R$"}, 2)
    assert currencies_of(["R$"]) == {"BRL"}
    assert signs_around(pd.Series(["Rs. 1,00,000.50", "Rs. 5"])) == ({"Rs."}, 2)
    assert (
        TextFormat(thousands=",", around_numbers=("Rs.",)).plain("Rs. 1,00,000.50") == "100000.50"
    )
    assert currencies_of(["Rs.", "Rs", "\u20b9"]) == {"INR"}
    assert currencies_of(["US$"]) == currencies_of(["$"])


def test_a_sign_may_stand_outside_of_brackets():
    assert signs_around(pd.Series(["$ (5.00)", "6 $", "(7)"])) == ({"$", "()"}, 3)
    assert signs_around(pd.Series(["(030) 123", "a (5)", "(b)"])) == (set(), 0)


def test_a_word_of_a_category_is_a_label():
    cells = pd.Series(["unknown", "a"])
    assert read_cells(cells, "category", BOOKED)[0].tolist() == ["unknown", "a"]


@pytest.mark.parametrize("sign", ["5", "--", ".", "(", "k 1", ""])
def test_a_sign_is_none_of_what_numbers_are_written_with(sign):
    with pytest.raises(ValueError, match="around_numbers"):
        Source(uri="a.csv", around_numbers=(sign,))


def test_a_file_that_is_scored_may_be_written_differently_but_in_the_same_currency():
    def scored(**declared):
        return GERMAN.overridden_by(Source(uri="a.csv", **declared))

    assert scored() == GERMAN
    assert scored(decimal=".") == TextFormat(around_numbers=GERMAN.around_numbers)
    assert scored(around_numbers="EUR,()").around_numbers == ("EUR", "()")
    with pytest.raises(UsageError, match="learnt numbers in EUR, these are in USD: convert them"):
        scored(around_numbers="$")
    plain = TextFormat().overridden_by(Source(uri="a.csv", around_numbers="$"))
    assert plain.around_numbers == ("$",)


def test_a_flag_names_several_words_with_commas():
    assert Source(uri="a.csv", around_numbers="$, %").around_numbers == ("$", "%")
    assert Source(uri="a.csv", around_numbers="").around_numbers == ()


def test_a_model_keeps_which_sign_stood_beside_the_numbers_of_a_column():
    """A share in one column, beside percentages in another, would else be scored from either."""
    rows = loan_table(40)
    raw = rows.assign(balance=rows["balance"].map("{:.2f} %".format), income="$5")
    source = Source(uri="loans.csv", around_numbers=("$", "%"))
    use_case = loans(source=source)
    typed = type_columns(raw, use_case)
    columns = contract_of(use_case, typed.table, units=typed.units)["columns"]
    kept = {column["name"]: column["written_in"] for column in columns}
    expected = dict.fromkeys(kept) | {"balance": "%", "income": "$", "age": ""}
    assert kept == expected
    assert not type_columns(rows, loans()).units
    zeros = type_columns(raw.assign(age="0%", balance=0.0), use_case).units
    assert zeros == {"income": "$"}, "0 tells no unit: none is refused later"


def test_a_column_keeps_its_currency_where_another_column_has_another():
    """Where both are declared, each would be read in either column."""
    of_both = TextFormat(around_numbers=("USD", "$", "€"))
    dollars = pd.Series(["5 USD", "6 USD", "0"], name="invoice")
    assert unit_of(dollars, of_both) == "USD"
    assert unit_of(dollars, TextFormat(around_numbers=("USD", "$"))) is None
    for same in (dollars, pd.Series(["$ 7"]), pd.Series([7.0])):
        refuse_other_unit("invoice", units_in(same, of_both), "USD", of_both)
    with pytest.raises(DataRefused, match="invoice: 1 numbers have € beside them, in training the"):
        refuse_other_unit("invoice", units_in(pd.Series(["€ 7"]), of_both), "USD", of_both)


def test_a_draft_names_the_currencies_that_stand_in_the_cells(tmp_path):
    rows = loan_table(400)
    written = {"income": rows["income"].map("{:.2f} USD".format), "balance": "€ 5"}
    rows.assign(**written, open=[f"€ {n % 37}" for n in range(400)]).to_csv(
        tmp_path / "a.csv", index=False
    )
    read, source, said = read_undeclared(Source(uri=str(tmp_path / "a.csv")))
    found = draft_table(read, source, said, Wanted("loans", "default"))
    units = {column.name: (column.kind, column.unit) for column in found.kept}
    assert (units["income"], units["open"]) == (("amount", "USD"), ("amount", "EUR"))


def test_a_draft_finds_what_says_behind_a_number_that_it_is_below_zero():
    numbers = np.random.default_rng(0).normal(2000, 3000, 400)
    sap = [f"{abs(number):,.2f}{'-' if number < 0 else ''}" for number in numbers]
    booked = [f"{abs(number):,.2f} {'Dr' if number < 0 else 'Cr'}" for number in numbers]
    found, said = find_number_format(pd.DataFrame({"a": sap, "b": booked}), Source(uri="a.csv"))
    assert found == {"around_numbers": ("-", "CR", "DR"), "thousands": ","}
    assert "numbers are written with - and CR and DR around them" in said[0]
    assert "those with - and DR as below zero" in said[0]
    for written in (sap, booked):
        read, _ = read_cells(pd.Series(written), "number", TextFormat(**found))
        np.testing.assert_allclose(read, numbers, atol=0.006)


@pytest.mark.parametrize(("debit", "credit"), [("S", "H"), ("D", "C"), ("Soll", "Haben")])
def test_a_draft_finds_debits_and_credits_and_takes_no_flats_for_them(debit, credit):
    numbers = np.random.default_rng(0).normal(0, 3000, 400)
    written = [f"{abs(number):,.2f} {debit if number < 0 else credit}" for number in numbers]
    found, said = find_number_format(pd.DataFrame({"a": written}), Source(uri="a.csv"))
    assert found == {"around_numbers": (*sorted((debit, credit)),), "thousands": ","}
    assert f"those with {debit} as below zero" in said[0]
    read, _ = read_cells(pd.Series(written), "number", TextFormat(**found))
    np.testing.assert_allclose(read, numbers, atol=0.006)
    flats = [f"{abs(number):.0f}{debit if number < 0 else credit}" for number in numbers]
    alone = [f"{abs(number):.2f} {credit}" for number in numbers]
    found, _ = find_number_format(pd.DataFrame({"a": flats}), Source(uri="a.csv"))
    assert not found or len(debit) > 1
    found, _ = find_number_format(pd.DataFrame({"a": alone}), Source(uri="a.csv"))
    assert found == {"around_numbers": (credit,)}, "a unit, which changes no sign"


@pytest.mark.parametrize("unit", ["", "CHF"])
@pytest.mark.parametrize(
    ("mark", "decimal"),
    [(mark, decimal) for mark in get_args(ThousandsMark) for decimal in ".," if mark != decimal],
)
def test_a_draft_finds_each_mark_that_can_be_declared(mark, decimal, unit):
    swap = str.maketrans({",": mark, ".": decimal})
    amounts = [f"{number:,.2f} {unit}".strip() for number in np.linspace(0.25, 12345.67, 90)]
    table = pd.DataFrame({"amount": [amount.translate(swap) for amount in amounts]})
    found, _ = find_number_format(table, Source(uri="a.csv"))
    expected = {"around_numbers": (unit,)} if unit else {}
    expected |= {"decimal": ","} if decimal == "," else {}
    assert found == {**expected, "thousands": mark}
