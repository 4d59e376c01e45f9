"""Points in time, read where their writing is certain over the whole column, else refused."""

import re
from collections.abc import Collection

import numpy as np
import pandas as pd

from modelling.data.reading.numeric_times import (
    DECLARE,
    times_of_days,
    times_of_digits,
    with_leading_zeros,
)
from modelling.declaration.declared_data import DAYS_SINCE
from modelling.refusals import DataRefused
from modelling.scorer.cells import MISSING_NUMBERS, different_cells, label_text

DAY_MONTH_YEAR = r"^(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?!\d)"
ISO = r"^\d{4}-\d{2}(-\d{2})?([T ]|$)"
YEAR_FIRST = r"^(\d{4})(?:[-/]|[.년年] ?)(\d{1,2})(?:[-/]|[.월月] ?)(\d{1,2})[.일日]?(?=[T ]|$)"
MONTH_OF_YEAR = r"^\d{4}[-/]\d{2}$"
MONTH = r"(?i:(?<![a-z])(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)"
SHORT_YEAR = rf"^(\d{{1,2}}[ ./-]?{MONTH}[ ./-]?)(\d{{2}})(?![\d:])"
IN_LETTERS = rf"(?=.*{MONTH}).*(?<![\d.:+])\d{{4}}(?!\d)"
ZONE = r"Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?"
FROM_UTC = (
    r" ?(?:UTC|GMT)([+-])(\d{1,2})(?::?(\d{2}))?$"  # libraries go the other way, as POSIX does
)
QUARTER = r"(\d{4})[ /-]?Q([1-4])|Q([1-4])[ /-]?(\d{4})|([1-4])Q[ /-]?(\d{4})"


def read_times(
    cells: pd.Series, date_format: str | None = None, missing: Collection[str] = ()
) -> tuple[pd.Series, int]:
    """A column as points in time, where its writing is certain.

    Certain are ISO 8601 and other dates that begin with the year, dates with the month in letters,
    quarters (2021Q3, Q3 2021 and 3Q2021 are its first day), whole numbers that are all dates
    (20190713, 201907, 1190713 with a digit for the century) or all times since 1970 (in seconds,
    milliseconds ...), and days and months in an order that allows one reading only. Years of two
    digits are those from 1969 to 2068.

    Parameters
    ----------
    cells : Series (n,)
        Text, numbers, dates or times; what is missing stays missing.
    date_format : str, optional
        Of ``strptime``, or ``days since 1899-12-30``, where it is declared.
    missing : collection of str
        Words for a missing time, beside the usual ones.

    Returns
    -------
    Series (n,), int
        Times in UTC without a zone, NaT where there is none; and how many cells are there but are
        no time. Where there are any, the column comes back as it was.

    Raises
    ------
    DataRefused
        Where the column can be read in two ways.
    """
    if isinstance(cells.dtype, pd.DatetimeTZDtype):
        return cells.dt.tz_convert("UTC").dt.tz_localize(None), 0
    if pd.api.types.is_datetime64_dtype(cells.dtype):
        return cells, 0
    codes, unique = different_cells(
        cells.mask(_are_among(cells, {*MISSING_NUMBERS, "NaT", *missing}))
    )
    read = _read(pd.Series(unique, dtype=object), str(cells.name), date_format)
    wrong = np.append(read.isna().to_numpy(), False)[codes]
    if wrong.any():
        return cells, int(wrong.sum())
    times = pd.concat([read, pd.Series([pd.NaT], dtype=read.dtype)], ignore_index=True)
    return pd.Series(times.array.take(codes), index=cells.index, name=cells.name), 0


def is_time(
    cells: pd.Series,
    date_format: str | None = None,
    missing: Collection[str] = (),
    few_wrong: float = 0.0,
) -> bool:
    """Whether all known cells (k,), or all but a ``few_wrong`` share, are points in time."""
    known = cells[~_are_among(cells, missing)]
    try:
        times, unread = read_times(known, date_format)
    except DataRefused:
        return False
    return unread <= few_wrong * len(known) and bool(pd.Series(times).notna().any())


def _are_among(cells: pd.Series, words: Collection[str]) -> np.ndarray:
    """Which cells (n,) are one of the words, blanks around them aside."""
    codes, unique = different_cells(cells)
    found = [isinstance(cell, str) and cell.strip() in words for cell in unique]
    return np.array([*found, False])[codes]


def _read(unique: pd.Series, name: str, date_format: str | None) -> pd.Series:
    """The different cells as times, NaT where one is none."""
    if unique.map(lambda cell: not isinstance(cell, str | int | float | np.number)).all():
        return _in_utc(unique, name)  # dates and times of a database
    texts = unique.map(label_text).astype("str")
    if date_format:
        read = _as_declared(texts, date_format)
        if read.notna().any() or not texts.str.match(rf"{ISO}|\d+$").all():
            return _of_one_century(read, name) if "%y" in date_format else read
    if texts.str.match(ISO).all():  # beside others in the declared format, too
        return _in_utc(texts, name)
    readings = {
        times_of_digits: texts.str.fullmatch(r"\d+"),
        _of_days_and_months: texts.str.match(DAY_MONTH_YEAR),
        _of_quarters: texts.str.fullmatch(QUARTER),
        _of_years_first: texts.str.match(f"{YEAR_FIRST}|{MONTH_OF_YEAR}"),
        _of_letters: texts.str.match(f"{SHORT_YEAR}|{IN_LETTERS}"),
    }
    reading, fitting = max(readings.items(), key=lambda item: item[1].sum())
    if fitting.mean() < 0.5:
        raise DataRefused(f"{name}: the times are written in a way that is not certain: {DECLARE}")
    return reading(texts[fitting], name).reindex(texts.index)


def _as_declared(texts: pd.Series, date_format: str) -> pd.Series:
    if not (counted := re.fullmatch(DAYS_SINCE, date_format)):
        whole = with_leading_zeros(texts, date_format)
        read = pd.to_datetime(whole, utc=True, format=date_format, errors="coerce")
        return read.dt.tz_localize(None)
    return times_of_days(texts, counted[1])


def _in_utc(texts: pd.Series, name: str) -> pd.Series:
    if isinstance(texts.dtype, pd.StringDtype):
        texts = texts.str.replace(FROM_UTC, _as_offset, regex=True)
    zoned = texts.astype("str").str.contains(rf":\d{{2}}.*?(?:{ZONE})$", regex=True)
    read = pd.to_datetime(texts, utc=True, errors="coerce", format="mixed")
    if zoned[read.notna()].nunique() > 1:
        raise DataRefused(f"{name}: some times name a zone and some do not: write all of one kind")
    return read.dt.tz_localize(None)


def _as_offset(zone: re.Match[str]) -> str:
    return f" {zone[1]}{zone[2]:0>2}:{zone[3] or '00'}"


def _of_years_first(texts: pd.Series, name: str) -> pd.Series:
    """2021.1.5 and 2021/01/05 are 2021-01-05."""
    other = ~texts.str.match(ISO)
    iso = texts[other].str.replace(
        YEAR_FIRST, lambda date: f"{date[1]}-{date[2]:0>2}-{date[3]:0>2}", regex=True
    )
    return _in_utc(texts.mask(other, iso), name)


def _of_letters(texts: pd.Series, name: str) -> pd.Series:
    """5-Feb-21 is 2021; where no year stands, as in 5 Feb, libraries would take one."""
    short = texts.str.match(SHORT_YEAR)
    whole = texts[short].str.replace(SHORT_YEAR, _with_century, regex=True)
    read = _in_utc(texts.mask(short, whole), name)
    _of_one_century(read[short], name)
    return read


def _with_century(date: re.Match[str]) -> str:
    return f"{date[1]}{'19' if date[2] >= '69' else '20'}{date[2]}"


def _of_one_century(read: pd.Series, name: str) -> pd.Series:
    """Times (n,) whose years had two digits, as they came. Raises DataRefused where they would lie
    closer together if some were a century earlier: people born in 65 were not born in 2065."""
    years = np.unique(read.dt.year.dropna())
    if len(years) and np.diff(years).max(initial=0) > 100 - (years[-1] - years[0]):
        raise DataRefused(
            f"{name}: years of two digits seem to be of two centuries (65 would be 2065): write "
            "them with four"
        )
    return read


def _of_quarters(texts: pd.Series, _: str) -> pd.Series:
    """2021Q3, Q3 2021 and 3Q2021 are the first day of July."""
    parts = texts.str.extract(QUARTER)
    year = parts[0].fillna(parts[3]).fillna(parts[5])
    quarter = parts[1].fillna(parts[2]).fillna(parts[4]).astype(int)
    return pd.to_datetime(year + "-" + (quarter * 3 - 2).astype("str").str.zfill(2) + "-01")


def _of_days_and_months(texts: pd.Series, name: str) -> pd.Series:
    """Day and month stand in the one order in which no month is above 12."""
    parts = texts.str.extract(DAY_MONTH_YEAR)
    first, second = parts[0].astype(int), parts[2].astype(int)
    day_first, month_first = bool((first > 12).any()), bool((second > 12).any())
    if day_first == month_first:
        how = "some fit only the one, some only the other" if day_first else "all fit both"
        raise DataRefused(
            f"{name}: day and month can stand in either order ({how}): {DECLARE}, or '%m/%d/%Y'"
        )
    day, month = (parts[0], parts[2]) if day_first else (parts[2], parts[0])
    rest = texts.str.replace(DAY_MONTH_YEAR, "", regex=True)
    iso = parts[3] + "-" + month.str.zfill(2) + "-" + day.str.zfill(2) + rest
    return _in_utc(iso, name)
