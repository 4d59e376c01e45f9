"""Columns of which nothing can be learnt, or only the wrong thing, whatever the target is."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from modelling.data.absurd_values import is_beyond_all
from modelling.data.reading.number_signs import MARKS
from modelling.drafting.columns.findings import SHARED_BY, ColumnFinding
from modelling.drafting.columns.kinds import is_marked, is_money, is_prose
from modelling.drafting.columns.name_words import (
    COUNTS,
    CUSTOMERS,
    is_called_a_date,
    names_somebody,
    suggests,
)
from modelling.drafting.columns.profiles import Profile
from modelling.drafting.columns.spelling import lists_of_labels
from modelling.drafting.columns.unread_dates import (
    MAY_BE_DATES,
    WEEKS,
    are_weeks,
    may_be_dates,
    why_no_times,
)
from modelling.drafting.columns.unread_numbers import why_no_numbers
from modelling.drafting.columns.written_dates import (
    DAYS_OF_EXCEL,
    MONTHS,
    are_digits_of_dates,
    unit_of_an_epoch,
)
from modelling.leaks.columns import NEARLY_UNIQUE

RARE_SHARE = 0.005  # labels in fewer rows share one feature
HARDLY_ANY = 0.1
MANY_LABELS = 50
LONG = 10  # digits
FRACTION = rf"^\D{{0,8}}\d[\d\s{MARKS}]*[.,](?:\d+|-+)\D{{0,8}}$"
NESTED = r"(?s)\{.*\}|\[.*\]"
OTHER_DIGITS = r"[+\-−＋－]?[\d.,．，٫٬]*\d"  # noqa: RUF001
MOST = 0.9
MANY_CUSTOMERS = 100  # whom a column stands for, and no product or branch
LEAST_OF_A_DATE = 1000


def leave_out(found: ColumnFinding, column: Profile) -> None:
    """Say in ``found`` why the column is left out, where it is."""
    known = column.rows - column.missing
    if column.refused:
        found.left_out = column.refused
    elif not known:
        found.left_out = "empty in all rows"
    elif reason := as_unread(column):
        found.left_out = reason
    elif column.unreadable and column.distinct > MANY_LABELS:
        found.left_out = (
            f"numbers or dates, but {column.unreadable:,} cells are something else: correct them, "
            "or say in the source how they are written"
        )
    elif column.written == "text" and column.known.astype("str").str.fullmatch(NESTED).all():
        found.left_out = (
            "lists or objects in its cells: give what stands in them columns of its own, as "
            "pandas.json_normalize does"
        )
    elif column.distinct < 2 and not is_marked(column):
        found.left_out = (
            "the same in all rows" if not column.missing else "the same where it is known"
        )
    elif found.kind == "identifier":
        return
    elif column.written == "number" and is_beyond_all(column.known.to_numpy(dtype=np.float64)):
        found.left_out = "its numbers are larger than a network can hold: give a larger unit"
    elif reason := _as_time(column):
        found.left_out = reason
    elif reason := as_identifier(column):
        found.left_out = reason + unless_numbers(column)
    elif found.kind == "category" and not is_repeated_identifier(column):
        found.left_out = hardly_shared(column)  # of identifiers it is asked when one is chosen


def as_unread(column: Profile) -> str | None:
    """Why cells that look like times or numbers were not read as such."""
    if column.written == "text":
        labels = pd.Series(column.known.unique(), dtype="str")
        if not labels.str.isascii().all() and labels.str.fullmatch(OTHER_DIGITS).all():
            return "numbers in other digits than 0 to 9, such as full-width ones: write these"
        if are_weeks(labels):
            return WEEKS
        return why_no_numbers(labels) or why_no_times(labels.rename(column.name))
    if _is_called_like_a_date(column):
        return (
            "numbers that are called like a date: say in the source how it is written, as in "
            f"date_format='%y%m%d', '%Y%j' or, of days as Excel counts them, {DAYS_OF_EXCEL!r}"
        )
    if column.whole and are_weeks(pd.Series(column.known.unique())):
        return WEEKS
    days = column.known[column.known != 0] if column.whole else column.known.iloc[:0]
    if 0 < len(days) < len(column.known) and are_digits_of_dates(days):
        zeros = len(column.known) - len(days)
        return f"dates as whole numbers, but {zeros:,} cells are 0: leave those empty"
    return None


def _as_time(column: Profile) -> str | None:
    """Why whole numbers that may be times are no feature, whatever their column is called."""
    if not column.whole or is_money(column.name) or names_somebody(column.name):
        return None
    if not _is_counted(column) and may_be_dates(pd.Series(column.known.unique())):
        return MAY_BE_DATES
    if not (unit := unit_of_an_epoch(column.known)):
        return None
    return (
        f"whole numbers that may be {unit} since 1970: if so, say --time, or compute days from "
        "them; else an identifier, or declare them"
    )


def _is_called_like_a_date(column: Profile) -> bool:
    """Whether whole numbers that were not read as dates are called so, and are large enough."""
    if not column.whole or not is_called_a_date(column.name) or _is_counted(column):
        return False
    large = (column.known >= LEAST_OF_A_DATE).mean() > MOST
    return column.distinct > MONTHS and bool(large)


def _is_counted(column: Profile) -> bool:
    """Whether the name is that of what was counted, or paid to date."""
    return suggests(column.name, f"to {COUNTS}")


def unless_numbers(column: Profile) -> str:
    """What to add where the text may be amounts in a writing that was not found out."""
    if column.written != "text" or column.known.astype("str").str.contains(FRACTION).mean() < MOST:
        return ""
    return ", or numbers with fractions: say in the source how they are written"


def as_identifier(column: Profile) -> str | None:
    """Why nearly each cell stands in one row only, where the column seems to number or name rows.
    None of other columns."""
    known = int(column.counts.sum())
    if known < SHARED_BY or column.distinct < NEARLY_UNIQUE * known:
        return None
    said = f"{column.distinct:,} different cells in {known:,} rows"
    if column.written == "text":
        return f"{said}: {'free text' if is_prose(column) else 'an identifier'}"
    if not column.whole:
        return None
    if names_somebody(column.name):
        return f"{said}: an identifier"
    numbers = column.known.to_numpy()
    steps = np.diff(numbers)
    if (steps > 0).all() or (steps < 0).all():
        return f"{said}, in the order of the rows: a row number"
    digits = np.floor(np.log10(np.maximum(np.abs(numbers), 1))) + 1
    if digits.min() == digits.max() >= LONG:
        return f"{said}, all of {int(digits.max())} digits: an identifier"
    apart = (numbers.max() - numbers.min() + 1) / column.rows
    return f"{said} without gaps: a row number" if 0.95 < apart < 1.2 else None


def hardly_shared(column: Profile) -> str | None:
    """Why labels of which too few rows hold one that has a feature of its own are left out."""
    least = max(SHARED_BY, RARE_SHARE * len(column.values))
    shared = column.counts[column.counts >= least].sum()
    if column.distinct <= MANY_LABELS or shared >= HARDLY_ANY * column.counts.sum():
        return None
    if column.written == "text" and (lists := lists_of_labels(column.known.value_counts())):
        return lists
    named = is_prose(column) or not names_somebody(column.name)
    whom = "an identifier (of whom the rows are about? then say --id)"
    what = "free text" if is_prose(column) else f"{whom} or free text"
    return (
        f"{column.distinct:,} different labels, hardly one shared: "
        f"{what if named else 'an identifier'}{unless_numbers(column)}"
    )


def leave_out_copies(pairs: Iterable[tuple[ColumnFinding, Profile]]) -> None:
    """Of columns whose cells are in one-to-one correspondence, the first is kept."""
    first: dict[bytes, ColumnFinding] = {}
    for found, column in pairs:
        if not found.declared or column.distinct < 2 or found.kind in ("time", "identifier"):
            continue
        kept = first.setdefault(column.digest, found)
        if kept is not found:
            found.left_out = f"says the same as {kept.name!r} in every row that was looked at"


def repeats(column: Profile) -> bool:
    """Whether an identifier stands in several rows, as a customer with several loans does."""
    known = int(column.counts.sum())
    return column.distinct >= SHARED_BY and known >= 1.05 * column.distinct


def is_repeated_identifier(column: Profile) -> bool:
    """Whether a column names whom its rows are about, by its name and by how few rows share one."""
    known = int(column.counts.sum())
    many = suggests(column.name, CUSTOMERS) and column.distinct >= MANY_CUSTOMERS  # over years
    spread = (many or 0.02 * known <= column.distinct) and column.distinct < NEARLY_UNIQUE * known
    of_labels = column.written == "text" or column.whole
    return of_labels and spread and repeats(column) and names_somebody(column.name)
