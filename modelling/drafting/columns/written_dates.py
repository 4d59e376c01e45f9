"""Dates as tables write them: what looks like one, and how it is read."""

from collections.abc import Iterable

import pandas as pd

from modelling.data.reading.times import is_time, read_times
from modelling.drafting.columns.name_words import is_called_a_date
from modelling.refusals import DataRefused
from modelling.scorer.cells import label_text

DATES = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d", "%d.%m.%y", "%d%b%Y"),
    *("%d/%m/%y", "%m/%d/%y", "%d%m%Y", "%m/%Y", "%m.%Y", "%Y.%m", "%b-%y", "%m%Y"),
    *("%d-%m-%y", "%y.%m.%d", "%y-%m-%d", "%y/%m/%d"),
)
CLOCKS = ("", " %H:%M", " %H:%M:%S", ":%H:%M:%S")
DB2 = "%Y-%m-%d-%H.%M.%S.%f"
DAY, MONTH, YEAR = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])", r"(?:19|20)\d\d"
WITHOUT_ORDER = (  # or, of two digits, without a century
    r"\d{1,2}(?P<mark>[./-])\d{1,2}(?P=mark)\d{2,4}.*",
    r"\d{2}[A-Za-z]{3}\d{4}.*",
    rf"(?:{DAY}|[1-9]){MONTH}{YEAR}",
    rf"{MONTH}[./]?{YEAR}",
    rf"{YEAR}[.]{MONTH}",
    r"[A-Za-z]{3}-\d{2}",
    rf"{YEAR}-\d\d-\d\d-\d\d\.\d\d\.\d\d\.\d+",  # DB2
)
DIGITS = rf"{YEAR}{MONTH}(?:{DAY})?|(?:1[0-6]\d|0?\d\d){MONTH}{DAY}"
MONTH_OF_YEAR = rf"{YEAR}{MONTH}"
DAYS_OF_EXCEL = "days since 1899-12-30"
COUNTED = (30_000, 60_000)  # such days, from 1982 to 2064
MONTHS = 12  # of which labels may be
MANY_YEARS = 24  # only days take so many values
EPOCHS = {"seconds": (1e9, 2.5e9), "milliseconds": (1e12, 2.5e12)}  # since 1970, from 2001 to 2049
ENOUGH = 0.9  # of the cells


def looks_like_dates(cells: pd.Series) -> bool:
    """Whether nearly all cells of a probe look like days, months and years in some order."""
    texts = cells.astype("str")
    if texts.str.fullmatch(r"1[0-2]\d{4}").all():
        return False  # 112000 is no November where no 092000 stands beside it
    return bool(texts.str.fullmatch("|".join(WITHOUT_ORDER)).mean() > ENOUGH)


def are_digits_of_dates(cells: pd.Series) -> bool:
    """Whether all cells are digits as in 20190713, 201907 or 1190713, and so many are different
    that no other number would be only such: more than twelve, or the twelve months of a year."""
    few = cells.head(MONTHS).map(label_text).astype("str")  # most columns are none at a look
    if not few.str.fullmatch(DIGITS).all():
        return False
    digits = cells.map(label_text).astype("str")
    whole_year = digits.nunique() == MONTHS and bool(digits.str.fullmatch(MONTH_OF_YEAR).all())
    enough = whole_year or digits.nunique() > MONTHS
    return enough and bool(digits.str.fullmatch(DIGITS).all()) and is_time(cells)


def are_days_of_excel(cells: pd.Series) -> bool:
    """Whether a column named like a date holds days as Excel counts them, and nothing else."""
    if not is_called_a_date(str(cells.name)):
        return False
    numbers = pd.to_numeric(cells, errors="coerce")
    return numbers.nunique() > MONTHS and bool(numbers.between(*COUNTED).all())


def find_date_format(texts: Iterable[pd.Series]) -> tuple[str | None, str]:
    """The format that reads all dates among probes of columns, and what to say where another one
    fits as well; none where all are certain."""
    texts = [cells[cells.astype("str").str.contains("[1-9]")] for cells in texts]
    written = [cells for cells in texts if looks_like_dates(cells)]
    if not written and (days := [str(c.name) for c in texts if are_days_of_excel(c)]):
        return DAYS_OF_EXCEL, f", as Excel counts them, in {', '.join(map(repr, days))}"
    formats = [date + clock for date in DATES for clock in CLOCKS] + [DB2]
    fits = {one: [years for cells in written if (years := _years(cells, one))] for one in formats}
    # 21.03.14 is no 21 March where the last digits run from 1 to 31.
    ranks = {one: (len(fits[one]), -sum(n >= MANY_YEARS for n in fits[one])) for one in formats}
    best = max(formats, key=lambda one: ranks[one])
    if len(fits[best]) < len(written) and all(is_time(cells) for cells in written):
        return None, ""
    rival = ranks[best][:1] if best.startswith("%y") else ranks[best]
    others = [one for one in formats if ranks[one][: len(rival)] == rival and one != best]
    doubt = f", though {others[0]} fits as well: look whether it is right" if others else ""
    return (best, doubt) if fits[best] else (None, "")


def _years(cells: pd.Series, date_format: str) -> int:
    """In how many different years the cells of a probe are, read so; 0 where one is no date."""
    if len(cells) > MONTHS and not _years(cells.head(MONTHS), date_format):
        return 0  # at a look, as with most formats
    try:
        times, unread = read_times(cells, date_format)
    except DataRefused:
        return 0
    return 0 if unread else int(times.dt.year.nunique())


def unit_of_an_epoch(numbers: pd.Series) -> str | None:
    """The unit in which all ``numbers`` (k,) could be times since 1970; None where they could not,
    or are so few that they may be codes."""
    if numbers.nunique() <= MONTHS:
        return None
    return next((unit for unit, ends in EPOCHS.items() if numbers.between(*ends).all()), None)
