"""Points in time, read where their writing is certain over the whole column, else refused."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from modelling.refusals import DataRefused
from modelling.scorer.cells import MISSING_NUMBERS, label_text

DECLARE = "declare it with date_format in the source, as in date_format='%d.%m.%Y'"
DAY_MONTH_YEAR = r"^(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?!\d)"
ISO = r"^\d{4}-\d{2}(-\d{2})?([T ]|$)|^\d{4}/\d{2}/\d{2}([T ]|$)"
DATED = r"\d{4}|\d{1,2}[./-](?:\d{1,2}|[A-Za-z]{3,})[./-]\d{2}|\d{2}[A-Za-z]{3}\d{2}"
QUARTER = r"(\d{4})[ -]?Q([1-4])"
EPOCHS = {10: "s", 13: "ms", 16: "us", 19: "ns"}  # digits of a time since 1970, by its unit


def read_times(
    cells: pd.Series, date_format: str | None = None, missing: Collection[str] = ()
) -> tuple[pd.Series, int]:
    """A column as points in time, where its writing is certain.

    Certain are ISO 8601, dates with the month in letters, quarters (2021Q3 is its first day), whole
    numbers that are all dates (20190713, 201907) or all times since 1970 (in seconds, milliseconds
    ...), and days and months in an order that allows one reading only.

    Parameters
    ----------
    cells : Series (n,)
        Text, numbers, dates or times; what is missing stays missing.
    date_format : str, optional
        Of ``strptime``, where it is declared.
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
    codes, unique = pd.factorize(cells.mask(_are(cells, {*MISSING_NUMBERS, "NaT", *missing})))
    read = _read(pd.Series(unique, dtype=object), str(cells.name), date_format)
    wrong = np.append(read.isna().to_numpy(), False)[codes]
    if wrong.any():
        return cells, int(wrong.sum())
    times = pd.concat([read, pd.Series([pd.NaT], dtype=read.dtype)], ignore_index=True)
    return pd.Series(times.array.take(codes), index=cells.index, name=cells.name), 0


def is_time(
    cells: pd.Series,
    date_format: str | None,
    missing: Collection[str] = (),
    few_wrong: float = 0.0,
) -> bool:
    """Whether all known cells (k,), or all but a ``few_wrong`` share, are points in time; the name
    of a month alone is none."""
    known = cells[~_are(cells, missing)]
    dated = known.astype("str").str.contains(DATED, regex=True) if is_text(known) else None
    if dated is not None and dated.mean() < 1 - few_wrong:
        return False
    try:
        times, unread = read_times(known, date_format)
    except DataRefused:
        return False
    return unread <= few_wrong * len(known) and bool(pd.Series(times).notna().any())


def _are(cells: pd.Series, words: Collection[str]) -> np.ndarray:
    """Which cells (n,) are one of the words, blanks around it aside."""
    codes, unique = pd.factorize(cells)
    found = [isinstance(cell, str) and cell.strip() in words for cell in unique]
    return np.array([*found, False])[codes]


def is_text(cells: pd.Series) -> bool:
    """Whether a column came as text, or as values of several types."""
    return isinstance(cells.dtype, pd.StringDtype) or cells.dtype == object


def _read(unique: pd.Series, name: str, date_format: str | None) -> pd.Series:
    """The different cells as times, NaT where one is none."""
    if unique.map(lambda cell: not isinstance(cell, str | int | float | np.number)).all():
        return _in_utc(unique, name)  # dates and times of a database
    texts = unique.map(label_text).astype("str")
    if date_format:
        return pd.to_datetime(texts, format=date_format, errors="coerce")
    readings = {
        _of_digits: texts.str.fullmatch(r"\d+"),
        _of_days_and_months: texts.str.match(DAY_MONTH_YEAR),
        _of_quarters: texts.str.fullmatch(QUARTER),
        _in_utc: texts.str.match(ISO) | texts.str.contains(r"[A-Za-z]{3}"),
    }
    reading, fitting = max(readings.items(), key=lambda item: item[1].sum())
    if fitting.mean() < 0.5:
        raise DataRefused(f"{name}: the times are written in a way that is not certain: {DECLARE}")
    return reading(texts[fitting], name).reindex(texts.index)


def _in_utc(texts: pd.Series, name: str) -> pd.Series:
    zoned = texts.astype("str").str.contains(r":\d{2}.*?(?:Z|[+-]\d{2}:?\d{2})$", regex=True)
    read = pd.to_datetime(texts, utc=True, errors="coerce", format="mixed")
    if zoned[read.notna()].nunique() > 1:
        raise DataRefused(f"{name}: some times name a zone and some do not: write all of one kind")
    return read.dt.tz_localize(None)


def _of_digits(texts: pd.Series, name: str) -> pd.Series:
    """Whole numbers: all dates, or all times since 1970 in one unit."""
    digits = texts.str.len()
    if digits.nunique() == 1:
        many = int(digits.iloc[0])
        if many in EPOCHS:
            since = texts.astype("int64").to_numpy().astype(f"datetime64[{EPOCHS[many]}]")
            return pd.Series(since, index=texts.index)
        if many in (6, 8):
            read = pd.to_datetime(texts, format="%Y%m%d" if many == 8 else "%Y%m", errors="coerce")
            if read.dt.year.between(1900, 2100).mean() > 0.99:
                return read
    raise DataRefused(
        f"{name}: whole numbers that can be dates (20190713, 201907), years or times since 1970 in "
        f"several units: {DECLARE}"
    )


def _of_quarters(texts: pd.Series, _: str) -> pd.Series:
    """2021Q3 is the first day of July."""
    parts = texts.str.extract(QUARTER)
    month = (parts[1].astype(int) * 3 - 2).astype("str").str.zfill(2)
    return pd.to_datetime(parts[0] + "-" + month + "-01")


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
