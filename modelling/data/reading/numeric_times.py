"""Points in time that are whole numbers: the digits of dates, or how much time has passed."""

import re
from datetime import UTC, datetime

import pandas as pd

from modelling.refusals import DataRefused

DECLARE = "declare it with date_format in the source, as in date_format='%d.%m.%Y'"
EPOCHS = {10: "s", 13: "ms", 16: "us", 19: "ns"}  # digits of a time since 1970, by its unit
CENTURY_FIRST = r"(?:1[0-6]|0?\d)\d{5}"  # 1210131 is 2021-01-31, 0991231 and 991231 are 1999-12-31
MOST_DAYS = 100_000  # since any day from which programs count


def times_of_digits(texts: pd.Series, name: str) -> pd.Series:
    """Whole numbers (n,) that are all dates, or all times since 1970 in one unit; NaT where the
    digits are those of no day. Raises DataRefused where they may be several things."""
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
    if digits.max() == 7 and texts.str.fullmatch(CENTURY_FIRST).all():
        years = texts.str.zfill(7).str.slice(0, 1).map({"0": "19", "1": "20"})
        return pd.to_datetime(years + texts.str.slice(-6), format="%Y%m%d", errors="coerce")
    raise DataRefused(
        f"{name}: whole numbers that can be dates (20190713, 201907), years, days or times since "
        f"1970 in several units: {DECLARE}, or 'days since 1899-12-30' as Excel counts"
    )


def with_leading_zeros(texts: pd.Series, date_format: str) -> pd.Series:
    """Dates (n,) of digits alone with the zeros that a spreadsheet has left out: 1112021, written
    as ``%d%m%Y``, is 1 November, and ``strptime`` takes it for 11 January."""
    digits = re.match(r"\d*", datetime(2021, 12, 31, tzinfo=UTC).strftime(date_format))
    assert digits is not None
    if not re.match("%[dmy]%", date_format):
        return texts
    return texts.str.replace(r"^\d+", lambda found: found[0].zfill(digits.end()), regex=True)


def times_of_days(texts: pd.Series, since: str) -> pd.Series:
    """Days (n,) and fractions of days since that one as times, to the second; else NaT."""
    days = pd.to_numeric(texts, errors="coerce").astype("float64")
    known = days.where(days.abs() < MOST_DAYS)
    return pd.Timestamp(since) + pd.to_timedelta(known, unit="D").dt.round("s")
