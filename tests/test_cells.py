"""What stands in a cell is what it means, whatever it comes in; what fits two ways is refused."""

import json
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from modelling.data.reading.cells import read_cells
from modelling.data.reading.number_text import TextFormat, numbers_in_text
from modelling.declaration import Source
from modelling.refusals import DataRefused
from modelling.scorer.cells import Labels, label_text, number_of

PLAIN = TextFormat()
LABELS = [
    ("001", "001"),
    ("True", "True"),
    ("true", "true"),
    (True, "True"),
    (np.True_, "True"),
    (json.loads("true"), "True"),
    ("1234567890123456789", "1234567890123456789"),
    (1234567890123456789, "1234567890123456789"),
    (np.int64(1234567890123456789), "1234567890123456789"),
    ("NA", "NA"),
    ("None", "None"),
    (" Paris ", "Paris"),
    ("Übersee", "Übersee"),
    ("Ko\u0308ln", "K\u00f6ln"),
    ("Ko\u0308ln".encode(), "K\u00f6ln"),
    (7, "7"),
    (7.0, "7"),
    ("7.0", "7"),
    (np.float32(7), "7"),
    (np.uint8(7), "7"),
    (Decimal("7.00"), "7"),
    (Decimal("1.50"), "1.5"),
    (0.1, "0.1"),
    (np.float32(0.1), "0.1"),
    (-0.0, "0"),
    ("-0.0", "0"),
    (1e20, "100000000000000000000"),
    ("007.0", "007.0"),
    ("1.10", "1.10"),
    (b"x", "x"),
    ("\u00df".encode(), "\u00df"),
    (b"\xff\x00", "ff00"),
    (b"\x01", "01"),
    (date(2024, 2, 29), "2024-02-29"),
    (datetime(2024, 2, 29), "2024-02-29"),
    (np.datetime64("2024-02-29", "ns"), "2024-02-29"),
    (datetime(2024, 2, 29, 10, 30), "2024-02-29 10:30:00"),
    ("", None),
    ("  ", None),
    (None, None),
    (np.nan, None),
    (pd.NA, None),
    (pd.NaT, None),
    (Decimal("NaN"), None),
]


@pytest.mark.parametrize(("cell", "text"), LABELS, ids=lambda one: repr(one))
def test_a_label_has_one_form_whatever_it_comes_in(cell, text):
    assert label_text(cell) == text
    assert label_text(text) == text, "its form is its own"


@pytest.mark.parametrize(
    ("known", "cell", "found"),
    [
        (["007", "012"], 7, "007"),
        (["007", "012"], 12.0, "012"),
        (["007", "7"], 7, "7"),
        (["007", "07"], 7, "7"),  # which of the two it was nobody knows
        (["007"], "7", "7"),  # a text is another code
        (["1E5"], 100_000.0, "1E5"),
        (["1.10"], 1.1, "1.10"),
        (["0", "1"], True, "1"),
        (["0", "1"], "False", "0"),
        (["True", "False"], True, "True"),
        (["true", "false"], True, "true"),
        (["TRUE", "FALSE", "0"], "false", "FALSE"),
        (["true", "TRUE"], True, "True"),  # which of the two nobody knows
        (["A"], "B", "B"),
        (["A"], None, None),
    ],
)
def test_a_number_means_the_only_label_of_its_size(known, cell, found):
    assert Labels(known).find(cell) == found


KEPT = {"text": pd.Series(["7", "8", None]), "object": pd.Series(["7", 8, None], dtype=object)}
KEPT |= {"gaps": pd.Series([7.0, 8.0, np.nan]), "nullable": pd.Series([7, 8, None], dtype="Int64")}
KEPT |= {"categorical": pd.Series(["7", "8", None], dtype="category")}
KEPT |= {"dictionary": pa.array(["7", "8", None]).dictionary_encode().to_pandas()}


@pytest.mark.parametrize("cells", KEPT.values(), ids=KEPT.keys())
def test_a_column_of_labels_has_one_form_too(cells):
    read, unread = read_cells(cells.set_axis([5, 5, 1]), "category", PLAIN)
    assert unread == 0
    assert read.index.tolist() == [5, 5, 1]
    assert read.fillna("-").tolist() == ["7", "8", "-"]


NUMBERS = [
    ("1.5", 1.5), (" 2 ", 2.0), ("+3", 3.0), (".5", 0.5), ("1e3", 1000.0), ("-7", -7.0),
    ("0.1", 0.1), (Decimal("2.50"), 2.5), ("inf", np.inf), ("-Infinity", -np.inf), (7, 7.0),
    ("4_5", None), ("٣", None), ("0x1F", None), ("1,5", None), ("12 EUR", None), ([1], None),
    ({}, None), (10**400, None), ("1" + "0" * 400, None), ("1e400", None), ("--1", None),
    (Decimal("1e400"), None), ("+-inf", None), ("\u0131nf", None), ("True", None), (True, None),
    ("\u22125", -5.0), ("\u2212inf", -np.inf), ("5e\u22123", 0.005), ("\u2212\u22125", None),
    ("\u20135", None), ("\u200b5", None), ("\u00a05", 5.0), ("nane", None), ("nan(", None),
]  # fmt: skip
MISSING = ["", "  ", "NA", "n/a", "NaN", "None", "<NA>", None, np.nan, pd.NA, "Nan", "+NAN"]
MISSING += ["-nan(ind)", "\u2212nan"]


@pytest.mark.parametrize(("cell", "number"), NUMBERS, ids=lambda one: repr(one)[:20])
def test_a_number_is_what_is_written_with_the_digits_0_to_9(cell, number):
    assert number_of(cell) == number


@pytest.mark.parametrize("cell", MISSING, ids=repr)
def test_what_programs_write_for_a_missing_number_is_missing(cell):
    assert np.isnan(number_of(cell))


def test_arrow_reads_text_as_the_scorer_does():
    texts = [cell for cell, number in NUMBERS if isinstance(cell, str)]
    texts += [cell for cell in MISSING if isinstance(cell, str)]
    for text in texts:
        try:
            fast = numbers_in_text(pa.array([text]), PLAIN)[0]
        except pa.ArrowInvalid:
            continue  # left to the scorer's
        slow = number_of(text)
        assert slow is not None, text
        assert fast == slow or (np.isnan(fast) and np.isnan(slow)), text
    generator = np.random.default_rng(0)
    many = generator.normal(size=2000) * 10 ** generator.uniform(-300, 300, 2000)
    written = [repr(float(one)) for one in many]
    np.testing.assert_array_equal(numbers_in_text(pa.array(written), PLAIN), many)


FLAGS = {
    "booleans": [True, False, True],
    "text": ["True", "FALSE", " true"],
    "with gaps": ["True", "", None],
    "beside 1 and 0": ["1", "False", "1.0"],
    "values beside 1 and 0": [1, False, None],
}


@pytest.mark.parametrize("case", FLAGS)
def test_true_and_false_are_1_and_0_where_no_other_number_is(case):
    read, unread = read_cells(pd.Series(FLAGS[case], name="vip"), "number", PLAIN)
    yes, no = ("true", "1", "1.0"), ("false", "0")
    words = [str(one).strip().lower() for one in FLAGS[case]]
    assert unread == 0
    assert read.eq(1).tolist() == [word in yes for word in words]
    assert read.eq(0).tolist() == [word in no for word in words]


@pytest.mark.parametrize(
    "cells", [[2.5, True, 0.0], ["2.5", "True", "0"], ["1", "True", "about 3"]]
)
def test_beside_other_numbers_they_are_a_mistake(cells):
    assert read_cells(pd.Series(cells, name="income"), "number", PLAIN)[1] == 1


def test_marks_are_read_as_declared_and_refused_with_the_line_to_add_otherwise():
    cells = pd.Series(["1.234,5", "0,25", None], name="income")
    german = TextFormat(decimal=",", thousands=".")
    read, unread = read_cells(cells, "number", german)
    assert unread == 0
    assert read.fillna(-1).tolist() == [1234.5, 0.25, -1]
    with pytest.raises(DataRefused, match=r"2 cells of income look like decimal .*decimal=','"):
        read_cells(cells, "number", PLAIN)
    with pytest.raises(DataRefused, match="thousands=','"):
        read_cells(pd.Series(["1,234,567", "12,000"], name="income"), "number", PLAIN)
    read, unread = read_cells(
        pd.Series(["1.5", "0,25"], name="x"), "number", TextFormat(decimal=",")
    )
    assert unread == 1, "a point is no decimal mark where a comma is"


@pytest.mark.parametrize(
    "cells",
    [
        ["4.12346E+15", "4.12346E+15", "12"],
        ["4,12346E+15", "1E+15", None],
        [4.123456789012345e18, 4.2e18, 12.0],
        [float(2**53 + 2), -float(2**60), np.nan],
    ],
)
def test_identifiers_that_lost_their_last_digits_are_refused(cells):
    with pytest.raises(DataRefused, match="customer: 2 identifiers were rounded"):
        read_cells(pd.Series(cells, name="customer"), "identifier", PLAIN)


@pytest.mark.parametrize(
    "cells",
    [
        ["2E5", "1E+5", "E+15", "4.5E15"],
        [float(2**53), 12.0, np.nan],
        [9_007_199_254_740_993, 9_007_199_254_740_994],
        ["9007199254740993", "9007199254740994"],
    ],
)
def test_identifiers_with_all_their_digits_stay_apart(cells):
    read, unread = read_cells(pd.Series(cells, name="customer"), "identifier", PLAIN)
    assert unread == 0
    assert read.nunique() == pd.Series(cells).nunique()


@pytest.mark.parametrize(("mark", "said"), [(",", "','"), ("'", '"\'"'), (" ", "' '")])
def test_a_mark_between_thousands_is_named_as_it_is_declared(mark, said):
    cells = pd.Series([f"1{mark}234{mark}567.50", f"12{mark}000", "3"], name="income")
    with pytest.raises(DataRefused, match=f"between thousands: add thousands={said} to"):
        read_cells(cells, "number", PLAIN)


@pytest.mark.parametrize(
    ("written", "text_format"),
    [
        (["1234.50", "1.2.3", "1.23.", "12.34.5"], TextFormat(decimal=",", thousands=".")),
        (["1'5", "12'34"], TextFormat(thousands="'")),
    ],
)
def test_a_mark_that_is_not_between_thousands_is_not_left_out(written, text_format):
    """As in a file of another program, whose 99.5 would be 995."""
    assert read_cells(pd.Series(written, name="x"), "number", text_format)[1] == len(written)
    with pytest.raises(
        DataRefused, match=r"3 cells of x look like decimal points: add decimal='\.'"
    ):
        read_cells(
            pd.Series(["1234.50", "99.5", "0.771", "700"], name="x"),
            "number",
            TextFormat(decimal=",", thousands="."),
        )
    english = TextFormat(thousands=",")
    assert read_cells(pd.Series(["1,234E+02", "3,500e5"], name="x"), "number", english)[1] == 2
    with pytest.raises(DataRefused, match="2 cells of x look like decimal commas"):
        read_cells(pd.Series(["1,5", "2,75"], name="x"), "number", english)
    assert read_cells(pd.Series(["12,34,567.5"]), "number", english)[0].tolist() == [1234567.5]


def test_identifiers_are_whole_numbers_or_the_text_that_stands_there():
    for cells in (["7", "12"], [7, 12], [7.0, 12.0]):
        read, _ = read_cells(pd.Series(cells), "identifier", PLAIN)
        assert read.dtype == np.int64
        assert read.tolist() == [7, 12]
    for cells in (["007", "12"], ["7", "x"], ["1234567890123456789012", "1"]):
        assert read_cells(pd.Series(cells), "identifier", PLAIN)[0].tolist() == cells


CERTAIN = {
    "iso": (["2019-07-13", "2019-12-01 10:30"], "2019-07-13"),
    "slashes, year first": (["2019/07/13", "2019/08/01"], "2019-07-13"),
    "integers": ([20190713, 20191201], "2019-07-13"),
    "integers with gaps": ([20190713.0, np.nan], "2019-07-13"),
    "digits": (["20190713", "20191201"], "2019-07-13"),
    "months": (["201907", "201912"], "2019-07-01"),
    "seconds": ([1562976000, 1575158400], "2019-07-13"),
    "milliseconds": (["1562976000000", "1575158400000"], "2019-07-13"),
    "day first": (["13/07/2019", "01/12/2019"], "2019-07-13"),
    "month first": (["7/13/2019", "12/1/2019"], "2019-07-13"),
    "dots": (["13.07.2019", "01.12.2019"], "2019-07-13"),
    "letters": (["13-Jul-2019", "1 Dec 2019"], "2019-07-13"),
    "letters and two digits": (["13-JUL-19", "1 Dec 19"], "2019-07-13"),
    "points, year first": (["2019.07.13", "2019. 12. 1."], "2019-07-13"),
    "Japanese": (["2019年07月13日", "2019年12月1日"], "2019-07-13"),
    "Korean": (["2019년 7월 13일", "2019년 12월 1일"], "2019-07-13"),
    "one digit": (["2019-7-13", "2019-12-1"], "2019-07-13"),
    "dates": ([date(2019, 7, 13), date(2019, 12, 1)], "2019-07-13"),
    "datetimes": ([datetime(2019, 7, 13), None], "2019-07-13"),
    "zones": (["2019-07-13 02:00:00+02:00", "2019-12-01T00:00:00Z"], "2019-07-13"),
    "missing": (["2019-07-13", "NULL", ""], "2019-07-13"),
}


@pytest.mark.parametrize("case", CERTAIN)
def test_times_are_read_where_their_writing_is_certain(case):
    cells, first = CERTAIN[case]
    read, unread = read_cells(pd.Series(cells, name="on"), "time", PLAIN)
    assert unread == 0
    assert read[0] == pd.Timestamp(first)
    assert read.dt.year.dropna().eq(2019).all()


DOUBTFUL = {
    "both orders": ["03/07/2019", "01/12/2019"],
    "some the one, some the other": ["13/07/2019", "12/31/2019"],
    "years": [2019, 2020],
    "several lengths": [20190713, 201907],
    "two digits for the year": ["13/07/19", "14/07/19"],
    "a weekday before": ["Fri 03/05/2019", "Mon 13/05/2019"],
    "no year": ["Dec-11", "Jan-12"],
    "people born in 65": ["05-Feb-65", "01-Mar-75", "07-Oct-01"],
    "some with a zone": ["2019-07-13 02:00:00+02:00", "2019-12-01 00:00:00"],
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_times_that_can_be_read_in_two_ways_are_refused_by_column(case):
    with pytest.raises(DataRefused, match=r"^on: "):
        read_cells(pd.Series(DOUBTFUL[case], name="on"), "time", PLAIN)


def test_years_of_two_digits_are_of_one_century_or_refused():
    declared = TextFormat(date_format="%d.%m.%y")
    due = pd.Series(["31.12.21", "31.12.45"], name="due")
    assert read_cells(due, "time", declared)[0].dt.year.tolist() == [2021, 2045]
    with pytest.raises(DataRefused, match="born: years of two digits seem to be of two"):
        read_cells(pd.Series(["31.12.65", "01.01.81", "02.03.01"], name="born"), "time", declared)


@pytest.mark.parametrize("given", ["dd.mm.yyyy", "%q", "%", "%d.%d.%Y", "%d.%m.", "mixed"])
def test_a_format_that_says_no_year_is_refused_where_it_is_declared(given):
    with pytest.raises(ValueError, match="is no format with a year: write it as in"):
        Source(uri="a.csv", date_format=given)


@pytest.mark.parametrize(
    "zone", ["+02", "+0200", "+02:00", " GMT+2", " UTC+02:00", "Z", " UTC", " GMT"]
)
def test_a_time_without_a_zone_among_others_with_one_is_refused_however_that_is_written(zone):
    """PostgreSQL writes hours alone; forms of Google GMT+2, which is east of Greenwich."""
    cells = pd.Series([f"2021-06-01 12:00:00{zone}", "2021-06-01 12:00:00"], name="at")
    with pytest.raises(DataRefused, match="at: some times name a zone and some do not"):
        read_cells(cells, "time", PLAIN)
    half_hours = pd.Series([cells[0], "2021-06-01 17:30:00+05:30"], name="at")
    read, _ = read_cells(half_hours, "time", PLAIN)
    assert read.dt.hour.tolist() == [10 if "2" in zone else 12, 12]


def test_a_declared_format_may_have_a_zone():
    cells = pd.Series(["13.07.2019 02:00 +0200", "01.12.2019 01:00 +0100"], name="on")
    declared = Source(uri="a.csv", date_format="%d.%m.%Y %H:%M %z")
    read, unread = read_cells(cells, "time", TextFormat.of(declared))
    assert (unread, read.tolist()) == (0, [pd.Timestamp("2019-07-13"), pd.Timestamp("2019-12-01")])


def test_a_column_of_iso_8601_may_stand_beside_another_in_the_declared_format():
    cells = pd.Series(["2019-03-07", "2019-12-01"], name="on")
    for declared, months in (("%d.%m.%Y", [3, 12]), ("%Y-%d-%m", [7, 1])):
        read, unread = read_cells(cells, "time", TextFormat(date_format=declared))
        assert (unread, read.dt.month.tolist()) == (0, months)


def test_a_declared_format_decides_and_dates_that_can_not_be_are_counted():
    cells = pd.Series(["03/07/2019", "01/12/2019", "31/02/2019"], name="on")
    read, unread = read_cells(cells.head(2), "time", TextFormat(date_format="%d/%m/%Y"))
    assert read.dt.month.tolist() == [7, 12]
    _, unread = read_cells(cells, "time", TextFormat(date_format="%d/%m/%Y"))
    assert unread == 1
    assert read_cells(pd.Series(["2019-02-30", "2019-03-01"], name="on"), "time", PLAIN)[1] == 1
