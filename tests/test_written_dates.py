"""Dates as people's tables write them: a draft reads them as such, or says why it can't."""

import re

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from small_models import loan_table

from modelling.data.reading.cells import read_cells
from modelling.data.reading.number_text import TextFormat
from modelling.data.reading.times import read_times
from modelling.declaration import Source
from modelling.drafting.columns.exclusions import leave_out
from modelling.drafting.columns.kinds import find_kind
from modelling.drafting.columns.profiles import profile_column
from modelling.drafting.columns.table_source import read_undeclared
from modelling.drafting.target import find_target
from modelling.refusals import DataRefused

ROWS = 400
DAYS = pd.Series(pd.Timestamp("2019-01-01") + pd.to_timedelta(np.arange(ROWS) * 2, unit="D"))
BORN = DAYS - pd.to_timedelta(np.arange(ROWS) % 50 * 365 + 6000, unit="D")


def examined(folder, **columns):
    """How the file of ``columns`` is written, and of the first one the kind and why it is left
    out."""
    table = loan_table(ROWS).assign(**columns)
    table.to_csv(folder / "t.csv", index=False, sep=";")
    read, source, _ = read_undeclared(Source(uri=str(folder / "t.csv")))
    first = read[next(iter(columns))]
    profile = profile_column(first, TextFormat.of(source), np.arange(ROWS))
    found = find_kind(profile)
    leave_out(found, profile)
    return source, found.kind, found.left_out


@pytest.mark.parametrize(
    ("written", "settings"),
    [
        ("%Y%m%d", {}),
        ("%Y%m", {}),
        ("1%y%m%d", {}),
        ("%Y.%m.%d", {}),
        ("%Y/%m", {}),
        ("%d-%b-%y", {}),
        ("%m.%Y", {"date_format": "%m.%Y"}),
        ("%m/%Y", {"date_format": "%m/%Y"}),
        ("%b-%y", {"date_format": "%b-%y"}),
        ("%d%m%Y", {"date_format": "%d%m%Y"}),
        ("%m/%d/%y", {"date_format": "%m/%d/%y"}),
        ("%d/%m/%y", {"date_format": "%d/%m/%y"}),
        ("%y.%m.%d", {"date_format": "%y.%m.%d"}),
        ("%y-%m-%d", {"date_format": "%y-%m-%d"}),
        ("%d%b%Y:%H:%M:%S", {"date_format": "%d%b%Y:%H:%M:%S"}),
        ("%Y-%m-%d-%H.%M.%S.%f", {"date_format": "%Y-%m-%d-%H.%M.%S.%f"}),
    ],
)
def test_a_date_is_no_number_and_no_label_whatever_its_column_is_called(
    tmp_path, written, settings
):
    source, kind, left_out = examined(tmp_path, since=DAYS.dt.strftime(written))
    assert (kind, left_out) == ("time", None)
    assert source == Source(uri=source.uri, delimiter=";", **settings)


@pytest.mark.parametrize("written", ["2021Q{0}", "Q{0} 2021", "Q{0}/2021", "{0}Q2021", "2021/Q{0}"])
def test_quarters_are_times_unless_the_century_is_missing(tmp_path, written):
    cells = pd.Series([written.format(row % 4 + 1) for row in range(ROWS)])
    assert examined(tmp_path, since=cells)[1:] == ("time", None)
    read, _ = read_cells(cells.rename("since"), "time", TextFormat())
    assert read.dt.month.head(4).tolist() == [1, 4, 7, 10]
    if not written.startswith("2021"):
        _, _, why = examined(tmp_path, since=cells.str.replace("2021", "21"))
        assert why == "quarters of years of two digits: write them as in 2021Q3"


@pytest.mark.parametrize("written", ["%G-W%V", "%G W%V", "%G%V"])
def test_weeks_of_a_year_are_no_counts_and_no_labels(tmp_path, written):
    """2021-W05 has no day that a format could read, and 202105 may be May."""
    _, _, why = examined(tmp_path, since=DAYS.dt.strftime(written))
    assert why.startswith("weeks of a year")
    assert examined(tmp_path, since=pd.Series(200_000 + np.arange(ROWS) * 37 % 997))[1:] == (
        "count",
        None,
    )


def test_dates_and_numbers_of_japan_are_read_or_said(tmp_path):
    assert examined(tmp_path, since=DAYS.dt.strftime("%Y年%m月%d日"))[1:] == ("time", None)
    era = DAYS.map(lambda day: f"令和{day.year - 2018}年{day.month}月{day.day}日")
    assert examined(tmp_path, since=era)[2].startswith("dates in years of an era: write them as")
    wide = str.maketrans("0123456789", "".join(map(chr, range(0xFF10, 0xFF1A))))
    ages = pd.Series(np.arange(ROWS) % 50 + 20).astype("str").str.translate(wide)
    assert examined(tmp_path, since=ages)[2].startswith("numbers in other digits than 0 to 9")


def test_durations_are_left_out_with_what_to_do(tmp_path):
    lent = pd.to_timedelta(np.arange(ROWS) * 3, unit="D")
    loan_table(ROWS).assign(lent=lent).to_parquet(tmp_path / "t.parquet")
    read, source, _ = read_undeclared(Source(uri=str(tmp_path / "t.parquet")))
    profile = profile_column(read["lent"], TextFormat.of(source), np.arange(ROWS))
    assert profile.refused == "durations: give them as numbers of one unit, as of days"
    with pytest.raises(DataRefused, match="lent: durations: give them as numbers"):
        find_target(profile, None)
    with pytest.raises(DataRefused, match="lent: durations: give them as numbers"):
        read_cells(read["lent"], "number", TextFormat())


def test_an_identifier_as_target_is_asked_about():
    numbers = pd.Series(np.arange(ROWS) + 70_001, name="loan_id")
    found = find_target(profile_column(numbers, TextFormat(), np.arange(ROWS)), None)
    assert (found.problem, found.certain) == ("regression", False)
    assert found.reason.endswith("400 rows: an identifier: is it the right column?")


def test_where_sap_writes_zeros_there_is_no_date(tmp_path):
    days = DAYS.dt.strftime("%Y%m%d")
    source, kind, _ = examined(tmp_path, closed=days.where(DAYS.index % 5 == 0, "00000000"))
    assert (source.missing, kind) == (("00000000",), "time")
    _, _, why = examined(tmp_path, closed=days.where(DAYS.index % 5 == 0, "0"))
    assert why == "dates as whole numbers, but 320 cells are 0: leave those empty"


def test_a_digit_for_the_century_stands_before_the_year(tmp_path):
    days = pd.Series(pd.Timestamp("1995-03-01") + pd.to_timedelta(np.arange(ROWS) * 9, unit="D"))
    written = days.dt.year.floordiv(100).sub(19).astype("str") + days.dt.strftime("%y%m%d")
    for cells in (written, written.astype(int)):  # a spreadsheet has left the zero out
        assert (read_times(cells)[0] == days).all()
        assert examined(tmp_path, since=cells)[1:] == ("time", None)
    codes = pd.Series(1_010_001 + np.arange(ROWS) * 7)
    assert examined(tmp_path, plan=codes)[1] == "count"


def test_days_as_excel_counts_them_are_dates_where_the_name_says_so(tmp_path):
    days = (DAYS - pd.Timestamp("1899-12-30")).dt.days
    written = "days since 1899-12-30"
    for cells in (days, days + 0.75):
        source, kind, left_out = examined(tmp_path, Eröffnungsdatum=cells)
        assert (source.date_format, kind, left_out) == (written, "time", None)
        moment = DAYS + pd.to_timedelta(24 * (cells - days), unit="h")
        assert (read_times(cells, written)[0] == moment).all()
    mileage = np.random.default_rng(0).permutation(days)
    assert examined(tmp_path, mileage=mileage)[1:] == ("count", None)
    german = DAYS.dt.strftime("%d.%m.%Y")
    source, _, left_out = examined(tmp_path, open_date=days, due=german)
    assert source.date_format == "%d.%m.%Y"
    assert "numbers that are called like a date" in left_out


@pytest.mark.parametrize("written", ["%d%m%Y", "%m%d%Y", "%y%m%d", "%d%m%Y %H:%M"])
def test_digits_of_a_date_may_lack_the_zero_that_a_spreadsheet_leaves_out(written):
    """Else 1112021 would be 11 January: it is 1 November."""
    days = pd.Series(pd.date_range("2001-01-01", periods=ROWS, freq="9D"))
    cells = days.dt.strftime(written).str.lstrip("0")
    assert (read_times(cells, written)[0] == days).all()


def test_a_draft_finds_dates_that_lack_such_a_zero(tmp_path):
    source, kind, _ = examined(tmp_path, since=DAYS.dt.strftime("%d%m%Y").str.lstrip("0"))
    assert (source.date_format, kind) == ("%d%m%Y", "time")


def test_numbers_that_are_called_like_a_date_are_no_sizes(tmp_path):
    """As YYMMDD, the day of a year, or days since 1970; what was paid to date is a size."""
    since = (DAYS - pd.Timestamp("1970-01-01")).dt.days
    for cells in (DAYS.dt.strftime("%y%m%d"), DAYS.dt.strftime("%Y%j"), since):
        mixed = np.random.default_rng(0).permutation(cells)
        assert "called like a date" in examined(tmp_path, due_date=mixed)[2]
        assert examined(tmp_path, paid_to_date=mixed)[2] is None


@pytest.mark.parametrize(
    "written", ["%y%m%d", "%d%m%y", "%m%d%y", "%Y%j", "%Y-%j", "%y%j", "%y%m", "%m%y"]
)
def test_digits_of_dates_that_no_reading_is_certain_of_are_no_sizes(tmp_path, written):
    """Whatever their column is called; said in the source, they are read."""
    cells = DAYS.dt.strftime(written)
    assert examined(tmp_path, opened=cells)[2].startswith("digits that may be dates: say in the")
    read, source, _ = read_undeclared(Source(uri=str(tmp_path / "t.csv"), date_format=written))
    profile = profile_column(read["opened"], TextFormat.of(source), np.arange(ROWS))
    assert profile.written == "time"
    days = pd.to_datetime(cells, format=written).rename("opened")
    pd.testing.assert_series_equal(profile.values, days, check_dtype=False)


def test_quarters_as_digits_are_no_sizes_and_sizes_are_no_dates(tmp_path):
    quarters = DAYS.dt.year.map(str) + DAYS.dt.quarter.map(str)
    assert examined(tmp_path, opened=quarters)[2].startswith("digits that may be dates")
    for low, high in (
        (100, 1300),
        (10_101, 13_200),
        (21_001, 23_366),
        (101, 113),
        (20_000, 20_500),
    ):
        sizes = np.random.default_rng(0).integers(low, high, ROWS)
        assert examined(tmp_path, visits=sizes)[1:] == ("count", None)


def test_dates_and_durations_in_words_are_called_so(tmp_path):
    months = dict(enumerate(["enero", "febrero", "marzo", "abril", "mayo", "junio"], 1))
    spanish = DAYS.map(lambda day: f"{day.day} de {months.get(day.month, 'julio')} de {day.year}")
    assert examined(tmp_path, opened=spanish)[2].startswith("dates with months in words of another")
    for written in ("{}yrs {}mon", "{} years, {} months", "P{}Y{}M"):
        known = pd.Series([written.format(row % 9, row % 12) for row in range(ROWS)])
        assert examined(tmp_path, known_for=known)[2].startswith("durations: give them as numbers")


@pytest.mark.parametrize(
    "months",
    [
        "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
        "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre "
        "dicembre",
    ],
)
@pytest.mark.parametrize("year", [" %Y", "-%y"])
def test_months_in_words_of_another_language_are_no_labels(tmp_path, months, year):
    words = months.split()
    written = DAYS.map(lambda day: words[day.month - 1] + day.strftime(year))
    assert examined(tmp_path, month=written)[2].startswith("dates with months in words of another")
    models = ["Golf", "Marea", "Octavia", "Passat", "Polo", "Tiguan", "Leon", "Ibiza"]
    cars = DAYS.map(lambda day: models[day.day_of_year % 8] + day.strftime(year))
    assert examined(tmp_path, model=cars)[1:] == ("category", None)


@pytest.mark.parametrize("given", ["days since 2021-02-30", "days since then"])
def test_days_are_counted_from_a_day(given):
    with pytest.raises(ValidationError, match="date_format"):
        Source(uri="a.csv", date_format=given)


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (
            (DAYS + pd.to_timedelta(DAYS.index * 37, unit="min")).dt.strftime("%H:%M"),
            "times of day or durations: give hours as a number, as in 13.5 for 13:30",
        ),
        (
            (DAYS + pd.to_timedelta(DAYS.index * 37, unit="min")).dt.strftime("%H%M"),
            "times of day or durations: give hours as a number, as in 13.5 for 13:30",
        ),
        (
            (DAYS + pd.to_timedelta(DAYS.index * 37, unit="min")).dt.strftime("%H:%M EST"),
            "times of day or durations: give hours as a number, as in 13.5 for 13:30",
        ),
        (DAYS.dt.strftime("%G-W%V-%u"), "weeks of a year: no format reads them"),
        (DAYS.dt.strftime("%a %d/%m/%Y"), "the times are written in a way that is not certain"),
        (BORN.dt.strftime("%d-%b-%y"), "years of two digits seem to be of two centuries"),
        (BORN.dt.strftime("%d.%m.%y"), "the times are written in a way that is not certain"),
        (
            DAYS.dt.strftime("%d/%m/%Y").where(DAYS.index % 9 > 0, DAYS.dt.strftime("%m/%d/%Y")),
            "day and month can stand in either order",
        ),
        (
            DAYS.dt.strftime("%Y-%m-28").where(DAYS.index % 2 > 0, DAYS.dt.strftime("28.%m.%Y")),
            "written otherwise: write all as in 2021-12-31",
        ),
        (
            DAYS.dt.strftime("%Y").where(
                DAYS.index % 3 > 0, DAYS.dt.strftime("%Y-%m").where(DAYS.index % 2 > 0, "2021-Q4")
            ),
            "years, quarters or months as no format reads them: write them as in 2021-12-31",
        ),
    ],
)
def test_dates_that_are_not_certain_are_left_out_as_dates(tmp_path, cells, why):
    """Not as identifiers, nor kept as labels where a few months are all."""
    assert why in examined(tmp_path, since=cells)[2]


@pytest.mark.parametrize("unit", ["s", "ms"])
@pytest.mark.parametrize("each", [1, 4])
def test_times_since_1970_are_no_sizes_whatever_their_column_is_called(tmp_path, unit, each):
    times = DAYS.dt.as_unit(unit).astype("int64").to_numpy()[np.arange(ROWS) // each]
    why = examined(tmp_path, opened=times)[2]
    assert why.startswith(f"whole numbers that may be {'milli' * (unit == 'ms')}seconds since 1970")
    assert read_cells(pd.Series(times, name="opened"), "time", TextFormat())[0][0] == DAYS[0]
    for other in ("total_assets", "customer_no"):
        assert "1970" not in (examined(tmp_path, **{other: times})[2] or "")


def test_hours_of_a_day_may_be_labels(tmp_path):
    hours = pd.Series(np.arange(ROWS) % 12).map("{:02d}:00".format)
    assert examined(tmp_path, opens=hours)[1:] == ("category", None)


def test_months_before_their_year_are_times_as_loan_tapes_write_them(tmp_path):
    source, kind, left_out = examined(tmp_path, act_period=DAYS.dt.strftime("%m%Y"))
    assert (source.date_format, kind, left_out) == ("%m%Y", "time", None)
    read, _ = read_cells(pd.Series(["022021", "122020"]), "time", TextFormat(date_format="%m%Y"))
    assert read.tolist() == [pd.Timestamp("2021-02-01"), pd.Timestamp("2020-12-01")]
    limits = pd.Series([112_000, 122_000, 102_000] * ROWS).head(ROWS)
    assert examined(tmp_path, credit_limit=limits)[1:] == ("amount", None)


def test_what_looks_a_little_like_a_date_is_none(tmp_path):
    shares = pd.Series(["50-30-20", "60-30-10", "10-20-70"]).iloc[DAYS.index % 3]
    codes = pd.Series(190_001 + np.arange(ROWS) * 7 % 600).map(str)
    for cells, kind in ((shares, "category"), (codes, "count")):
        assert examined(tmp_path, plan=cells.to_numpy())[1:] == (kind, None)


def test_two_columns_may_write_dates_in_two_ways_where_one_is_iso_8601(tmp_path):
    german, iso = DAYS.dt.strftime("%d.%m.%Y %H:%M"), DAYS.dt.strftime("%Y-%m-%d %H:%M:%S")
    ambiguous = german.where(DAYS.dt.day <= 12, "01.02.2019 00:00")
    source, kind, left_out = examined(tmp_path, booked=iso, due=ambiguous)
    assert (source.date_format, kind, left_out) == ("%d.%m.%Y %H:%M", "time", None)


def test_the_months_of_one_year_are_times_and_of_fewer_by_their_name(tmp_path):
    """A panel of customers by month; 202201 is no size."""
    year = pd.Series([202201 + row % 12 for row in range(ROWS)])
    assert examined(tmp_path, perf=year)[1:] == ("time", None)
    half = pd.Series([202207 + row % 6 for row in range(ROWS)])
    assert examined(tmp_path, reporting_period=half)[1:] == ("time", None)
    assert examined(tmp_path, product=half)[1] != "time"


def test_branches_of_four_digits_are_no_times_of_day(tmp_path):
    """0001 to 0059, and higher ones by their name."""
    for name, codes in (("depot", range(1, 40)), ("branch", range(101, 1160, 21))):
        few = [f"{code:04d}" for code in codes if code % 100 < 60]
        cells = pd.Series([few[row % len(few)] for row in range(ROWS)])
        assert examined(tmp_path, **{name: cells})[1:] == ("category", None)


@pytest.mark.parametrize(
    "written", ["FY{0:%y} Q{1}", "FY{0:%Y} Q{1}", "{0:%Y}M{0:%m}", "{0:%Y}P{0:%m}"]
)
def test_fiscal_periods_are_no_labels(tmp_path, written):
    """Those of the next year would be unknown to the model."""
    cells = DAYS.map(lambda day: written.format(day, day.quarter))
    assert re.search("quarters .*: write them as in 20", examined(tmp_path, fiscal=cells)[2])
