"""Why the dates and times of a column were not read as such, though each cell holds one."""

import pandas as pd

from modelling.data.reading.times import MONTH as MONTH_IN_LETTERS
from modelling.data.reading.times import YEAR_FIRST, read_times
from modelling.drafting.columns.name_words import CODES, NEVER_SIZES, names_somebody, suggests
from modelling.drafting.columns.written_dates import DAY, ENOUGH, MONTH, MONTHS, YEAR
from modelling.refusals import DataRefused
from modelling.scorer.cells import label_text

WITH_YEAR = (  # or with a month in letters: no other text is written so
    rf"\d{{1,2}}(?P<mark>[./ -])\d{{1,2}}(?P=mark){YEAR}\b.*",
    rf"{YEAR_FIRST}.*",
    r"\w{2,4}\.?,? \d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b.*",
    rf"\d{{1,2}}[ ./-]?{MONTH_IN_LETTERS}[ ./-]?\d{{2,4}}\b.*",
    rf"{DAY}\.{MONTH}\.\d\d",
)
DAY_OF_YEAR = r"(?:00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])"
# Dates of which no reading is certain, a zero in front left out as a spreadsheet does: one part of
# each, and how many different ones it has at least, in more cells, as no other numbers would.
UNCERTAIN = (
    (rf"\d{{1,2}}({MONTH}{DAY})", MONTHS + 1),  # 240131
    (rf"({DAY}|[1-9]){MONTH}\d\d", MONTHS + 1),
    (rf"({MONTH}|[1-9]){DAY}\d\d", MONTHS),
    (rf"{YEAR}[ ./-]?({DAY_OF_YEAR})", MONTHS + 1),
    (rf"\d{{1,2}}({DAY_OF_YEAR})", 60),
    (rf"\d{{1,2}}({MONTH})", MONTHS),  # 2401
    (rf"({MONTH})[./-]?\d\d", MONTHS),
    (rf"{YEAR}([1-4])", 4),
)
MAY_BE_DATES = (
    "digits that may be dates: say in the source how they are written, as in date_format='%y%m%d' "
    "or '%Y%j', or write them as in 2021-12-31; else declare them"
)
HOURS = 24  # of which labels may be
OF_AN_ERA = r"(?:明治|大正|昭和|平成|令和|[MTSHR])\s?(?:元|\d{1,2})[年./-]\d{1,2}[月./-]\d{1,2}日?"
WEEK = rf"{YEAR}(?:[ -]?[Ww]?(?:0[1-9]|[1-4]\d|5[0-3])|-?W[0-5]\d-?[1-7])"
WEEKS = (
    "weeks of a year: no format reads them, so write the first day of each, as in 2021-02-01 for "
    "2021-W05"
)
PERIOD = (
    rf"(?:FY ?)?{YEAR}(?:[ /-]?(?:Q[1-4]|[MP]?{MONTH}))?|"
    rf"(?:Q[1-4]|[1-4]Q|[MP]?{MONTH})[ /-]?(?:FY ?)?{YEAR}"
)
TIME_OF_DAY = r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?: ?[A-Za-z]{2,4})?"
DIGITS_OF_A_DAY = r"([01]\d|2[0-3])[0-5]\d"  # 0930; the codes of a country's places go higher
LEAST_HOURS = 6  # different ones: 0001 to 0059 are branches
SHORT_QUARTER = r"(?:FY ?\d\d[ /-]?Q[1-4]|(?:Q[1-4][ /-]?|[1-4]Q[ /-]?)(?:FY ?)?\d\d)"
IN_WORDS = rf"\d{{1,2}}[ .-]{{1,2}}(?:de )?([^\W\d_]{{3,10}})\.?[ ,.-]{{1,2}}(?:de )?{YEAR}"
MONTH_IN_WORDS = rf"([^\W\d_]{{3,10}})\.?[ .-](?:{YEAR}|\d\d)"
SHARED_MONTHS = 0.3  # of any language's months begin as English ones do: Jan, Nov
IN_ANOTHER_LANGUAGE = "dates with months in words of another language: write them as in 2021-12-31"
# 2 yrs 3 mon and P2Y3M; in one unit alone, what stands behind the numbers is left out.
DURATION = (
    r"(?i:(?:\d+ ?(?:y|m|w|d|h|yrs?|mon?s?|years?|months?|weeks?|days?)\.?[ ,]*){2}.*|"
    r"P(?:\d+[YMWD])+(?:T.*)?)"
)
DURATIONS = "durations: give them as numbers of one unit, as of days"


def are_weeks(different: pd.Series) -> bool:
    """Whether the different cells (k,) are years with weeks, as in 2021-W05, or so many in 202105
    that no other number would be only such."""
    texts = different.map(label_text).astype("str")
    enough = len(texts) > MONTHS or bool(texts.str.contains("w", case=False).all())
    return enough and bool(texts.str.fullmatch(WEEK).all())


def may_be_dates(different: pd.Series) -> bool:
    """Whether the different cells (k,) are all digits of days as in 240131, 310124 or 2024031, of
    months as in 2401, or of quarters as in 20241."""
    few = different.head(MONTHS).map(label_text).astype("str")  # most columns are none at a look
    for pattern, least in UNCERTAIN:
        if len(different) > least and few.str.fullmatch(pattern).all():
            texts = different.map(label_text).astype("str")
            part = texts.str.extract(f"^{pattern}$")[0]
            if part.notna().all() and part.nunique() >= least:
                return True
    return False


def _have_months_in_words(labels: pd.Series) -> bool:
    """Whether the labels (k,) are days as in 5 März 2021, or months as in Mär 2021 or Mrz-21."""
    for pattern, least, shared in ((IN_WORDS, 2, 0.0), (MONTH_IN_WORDS, 6, SHARED_MONTHS)):
        words = labels.str.extract(f"^{pattern}$")[0]
        different = words.drop_duplicates().dropna()
        english = different.str.match(MONTH_IN_LETTERS)
        as_many = least <= len(different) <= 2 * MONTHS
        if as_many and words.notna().mean() > ENOUGH and english.mean() >= shared:
            return True
    return False


def _are_digits_of_a_day(labels: pd.Series) -> bool:
    """Whether the labels (k,) are all as in 0930, in many hours, and not called codes."""
    if suggests(str(labels.name), f"{CODES} {NEVER_SIZES}") or names_somebody(str(labels.name)):
        return False
    hours = labels.str.extract(f"^{DIGITS_OF_A_DAY}$")[0]
    return bool(hours.notna().all()) and hours.nunique() >= LEAST_HOURS


def why_no_times(labels: pd.Series) -> str | None:
    """Why the different cells (k,) of a column were not read as times, where nearly all are dates;
    None where they are something else."""
    if labels.str.fullmatch(OF_AN_ERA).mean() > ENOUGH:
        return "dates in years of an era: write them as in 2021-12-31"
    if may_be_dates(labels):
        return MAY_BE_DATES
    by_clock = labels.str.fullmatch(TIME_OF_DAY).mean() > ENOUGH
    if (by_clock or _are_digits_of_a_day(labels)) and len(labels) > HOURS:
        return "times of day or durations: give hours as a number, as in 13.5 for 13:30"
    if labels.str.fullmatch(DURATION).mean() > ENOUGH and len(labels) > MONTHS:
        return DURATIONS
    if labels.str.fullmatch(SHORT_QUARTER).mean() > ENOUGH:
        return "quarters of years of two digits: write them as in 2021Q3"
    if labels.str.fullmatch(PERIOD).mean() > ENOUGH and not labels.str.fullmatch(YEAR).all():
        return "years, quarters or months as no format reads them: write them as in 2021-12-31"
    if labels.str.fullmatch("|".join(WITH_YEAR)).mean() <= ENOUGH:
        return IN_ANOTHER_LANGUAGE if _have_months_in_words(labels) else None
    try:
        _, unread = read_times(labels)
    except DataRefused as refused:
        return str(refused).removeprefix(f"{labels.name}: ")
    return f"dates, {unread:,} of {len(labels):,} written otherwise: write all as in 2021-12-31"
