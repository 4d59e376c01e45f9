"""Dates as tables write them: what looks like one, and how it is read."""

from collections.abc import Iterable

import pandas as pd

from modelling.data.reading.times import MONTH, YEAR_FIRST, is_time, read_times
from modelling.drafting.columns.name_words import DATES as DATE_WORDS
from modelling.drafting.columns.name_words import suggests
from modelling.refusals import DataRefused
from modelling.scorer.cells import label_text

DATES = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d", "%d.%m.%y", "%d%b%Y"),
    *("%d/%m/%y", "%m/%d/%y", "%d%m%Y", "%m/%Y", "%m.%Y", "%Y.%m", "%b-%y", "%m%Y"),
)
CLOCKS = ("", " %H:%M", " %H:%M:%S", ":%H:%M:%S")
DB2 = "%Y-%m-%d-%H.%M.%S.%f"
_DAY, _MONTH, _YEAR = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])", r"(?:19|20)\d\d"
WITHOUT_ORDER = (  # or, of two digits, without a century
    r"\d{1,2}(?P<mark>[./-])\d{1,2}(?P=mark)\d{2,4}.*",
    r"\d{2}[A-Za-z]{3}\d{4}.*",
    rf"(?:{_DAY}|[1-9]){_MONTH}{_YEAR}",
    rf"{_MONTH}[./]?{_YEAR}",
    rf"{_YEAR}[.]{_MONTH}",
    r"[A-Za-z]{3}-\d{2}",
    rf"{_YEAR}-\d\d-\d\d-\d\d\.\d\d\.\d\d\.\d+",  # DB2
)
WITH_YEAR = (  # or with a month in letters: no other text is written so
    rf"\d{{1,2}}(?P<mark>[./ -])\d{{1,2}}(?P=mark){_YEAR}\b.*",
    rf"{YEAR_FIRST}.*",
    r"\w{2,4}\.?,? \d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b.*",
    rf"\d{{1,2}}[ ./-]?{MONTH}[ ./-]?\d{{2,4}}\b.*",
    rf"{_DAY}\.{_MONTH}\.\d\d",
)
DIGITS = rf"{_YEAR}{_MONTH}(?:{_DAY})?|(?:1[0-6]\d|0?\d\d){_MONTH}{_DAY}"
DAYS_OF_EXCEL = "days since 1899-12-30"
COUNTED = (30_000, 60_000)  # such days, from 1982 to 2064
MONTHS, HOURS = 12, 24  # of which labels may be
OF_AN_ERA = r"(?:明治|大正|昭和|平成|令和|[MTSHR])\s?(?:元|\d{1,2})[年./-]\d{1,2}[月./-]\d{1,2}日?"
WEEK = rf"{_YEAR}[ -]?[Ww]?(?:0[1-9]|[1-4]\d|5[0-3])"
WEEKS = (
    "weeks of a year: no format reads them, so write the first day of each, as in 2021-02-01 for "
    "2021-W05"
)
PERIOD = rf"{_YEAR}(?:[ /-]?(?:Q[1-4]|{_MONTH}))?|(?:Q[1-4]|[1-4]Q|{_MONTH})[ /-]?{_YEAR}"
EPOCHS = {"seconds": (1e9, 2.5e9), "milliseconds": (1e12, 2.5e12)}  # since 1970, from 2001 to 2049
TIME_OF_DAY = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?: ?[AaPp][Mm])?"
DIGITS_OF_A_DAY = r"(?:[01]\d|2[0-3])[0-5]\d"  # 0930; the codes of a country's places go higher
SHORT_QUARTER = r"(?:Q[1-4][ /-]?|[1-4]Q[ /-]?)\d\d"
ENOUGH = 0.9  # of the cells


def looks_like_dates(cells: pd.Series) -> bool:
    """Whether nearly all cells of a probe look like days, months and years in some order."""
    texts = cells.astype("str")
    if texts.str.fullmatch(r"1[0-2]\d{4}").all():
        return False  # 112000 is no November where no 092000 stands beside it
    return bool(texts.str.fullmatch("|".join(WITHOUT_ORDER)).mean() > ENOUGH)


def are_digits_of_dates(cells: pd.Series) -> bool:
    """Whether all cells are digits as in 20190713, 201907 or 1190713, and so many are different
    that no other number would be only such."""
    few = cells.head(MONTHS).map(label_text).astype("str")  # most columns are none at a look
    if not few.str.fullmatch(DIGITS).all():
        return False
    digits = cells.map(label_text).astype("str")
    return digits.nunique() > MONTHS and bool(digits.str.fullmatch(DIGITS).all()) and is_time(cells)


def are_days_of_excel(cells: pd.Series) -> bool:
    """Whether a column named like a date holds days as Excel counts them, and nothing else."""
    if not suggests(str(cells.name), DATE_WORDS):
        return False
    numbers = pd.to_numeric(cells, errors="coerce")
    return numbers.nunique() > MONTHS and bool(numbers.between(*COUNTED).all())


def are_weeks(different: pd.Series) -> bool:
    """Whether the different cells (k,) are years with weeks, as in 2021-W05, or so many in 202105
    that no other number would be only such."""
    texts = different.map(label_text).astype("str")
    enough = len(texts) > MONTHS or bool(texts.str.contains("w", case=False).all())
    return enough and bool(texts.str.fullmatch(WEEK).all())


def find_date_format(texts: Iterable[pd.Series]) -> tuple[str | None, str]:
    """The format that reads all dates among probes of columns, and what to say where another one
    fits as well; none where all are certain."""
    texts = [cells[cells.astype("str").str.contains("[1-9]")] for cells in texts]
    written = [cells for cells in texts if looks_like_dates(cells)]
    if not written and (days := [str(c.name) for c in texts if are_days_of_excel(c)]):
        return DAYS_OF_EXCEL, f", as Excel counts them, in {', '.join(map(repr, days))}"
    formats = [date + clock for date in DATES for clock in CLOCKS] + [DB2]
    fits = {one: sum(is_time(cells, one) for cells in written) for one in formats}
    best = max(formats, key=lambda one: fits[one])
    if fits[best] < len(written) and all(is_time(cells) for cells in written):
        return None, ""
    others = [one for one in formats if fits[one] == fits[best] and one != best]
    doubt = f", though {others[0]} fits as well: look whether it is right" if others else ""
    return (best, doubt) if fits[best] else (None, "")


def unit_of_an_epoch(numbers: pd.Series) -> str | None:
    """The unit in which all ``numbers`` (k,) could be times since 1970; None where they could not,
    or are so few that they may be codes."""
    if numbers.nunique() <= MONTHS:
        return None
    return next((unit for unit, ends in EPOCHS.items() if numbers.between(*ends).all()), None)


def why_no_times(labels: pd.Series) -> str | None:
    """Why the different cells (k,) of a column were not read as times, where nearly all are dates;
    None where they are something else."""
    if labels.str.fullmatch(OF_AN_ERA).mean() > ENOUGH:
        return "dates in years of an era: write them as in 2021-12-31"
    by_clock = labels.str.fullmatch(TIME_OF_DAY).mean() > ENOUGH
    if (by_clock or labels.str.fullmatch(DIGITS_OF_A_DAY).all()) and len(labels) > HOURS:
        return "times of day: give the hour as a number, as in 13.5 for 13:30"
    if labels.str.fullmatch(SHORT_QUARTER).mean() > ENOUGH:
        return "quarters of years of two digits: write them as in 2021Q3"
    if labels.str.fullmatch(PERIOD).mean() > ENOUGH and not labels.str.fullmatch(_YEAR).all():
        return "years, quarters or months in several writings: write them as in 2021-12-31"
    if labels.str.fullmatch("|".join(WITH_YEAR)).mean() <= ENOUGH:
        return None
    try:
        _, unread = read_times(labels)
    except DataRefused as refused:
        return str(refused).removeprefix(f"{labels.name}: ")
    return f"dates, {unread:,} of {len(labels):,} written otherwise: write all as in 2021-12-31"
