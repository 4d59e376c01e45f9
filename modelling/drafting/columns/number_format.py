"""How a table writes its numbers: found in the columns of text that hold little else."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from modelling.data.reading.cells import count_unread, is_text, read_cells
from modelling.data.reading.number_signs import (
    BELOW_ZERO,
    MARKS,
    PERCENT,
    WIDE_BLANKS,
    sides_among,
    signs_around,
    units_among,
)
from modelling.data.reading.number_text import TextFormat
from modelling.data.reading.times import is_time
from modelling.declaration import Source
from modelling.drafting.columns.findings import SHARED_BY
from modelling.drafting.columns.written_dates import are_digits_of_dates, looks_like_dates
from modelling.refusals import DataRefused
from modelling.scorer.cells import number_of

FEW_WRONG = 0.1  # of a column's cells: it is still one of numbers, which somebody has to correct
FEW_NUMBERS = 12  # a word beside so few different numbers is one of several codes
MOST_WORDS = 3  # for a missing number, in one column
PROBED = 2000  # cells of a column that tell how its numbers are written
APOSTROPHES = ("'", "\u2019")
Marks = tuple[str, str | None]  # the decimal mark, and what stands between thousands
DECIMAL_AND_THOUSANDS: tuple[Marks, ...] = (  # of equal ones, the first is taken
    *((".", None), (",", None), (",", "."), (".", ",")),
    *((decimal, blank) for decimal in (",", ".") for blank in WIDE_BLANKS),
    *((decimal, mark) for decimal in (".", ",") for mark in APOSTROPHES),
)
CENTS = r"\d[.,]\d{1,2}(?:\D*)$"
NUMBER = rf"\d[\d\s{MARKS}]*?"
UNIT = r"[^\d\s.,'+()-](?:[^\d,+()-]{0,13}[^\d\s,+()-])?"


def find_number_format(table: pd.DataFrame, source: Source) -> tuple[dict[str, Any], list[str]]:
    """The settings of the source under which most columns of text are numbers, and how that was
    taken. What the source declares itself stays."""
    declared = source.model_fields_set
    texts = [with_digits for cells in texts_in(table) if len(with_digits := _digits(cells))]
    columns = []
    for cells in (cells.astype("str") for cells in texts):
        around = source.around_numbers if "around_numbers" in declared else _signs(cells)
        bare = TextFormat(around_numbers=around, missing=source.missing).unsigned
        columns.append((around, cells.map(bare)))
    marks = DECIMAL_AND_THOUSANDS
    if {"decimal", "thousands"} & declared:
        marks = ((source.decimal, source.thousands),)
    written = [(signs, _marks_that_read(cells, marks)) for signs, cells in columns]
    read = {m: [signs for signs, readable in written if m in readable] for m in marks}
    decimal, thousands = best = max(marks, key=lambda m: len(read[m]))  # the plain ones come first
    found = {
        "around_numbers": tuple(sorted({sign for signs in read[best] for sign in signs})),
        "decimal": "" if decimal == "." else decimal,
        "thousands": thousands,
    }
    found = {name: taken for name, taken in found.items() if taken and name not in declared}
    return found, [_in_words(name, taken) for name, taken in found.items()]


def texts_in(table: pd.DataFrame) -> Iterator[pd.Series]:
    """A probe of each column that came as text."""
    yield from (probe(table[name]) for name in table if is_text(table[name]))


def _digits(cells: pd.Series) -> pd.Series:
    """The cells of a probe with digits, where most have some and they are no dates; the others may
    be words for a missing number."""
    found = cells[cells.astype("str").str.contains(r"\d")]
    return found.iloc[:0] if len(found) <= len(cells) / 2 or looks_like_dates(found) else found


def probe(cells: pd.Series) -> pd.Series:
    """Some known cells of a column, spread over all of it; text without the blanks around it, which
    mean nothing in any kind of cell."""
    known = cells.dropna()
    some = known.iloc[:: max(len(known) // PROBED, 1)]
    if isinstance(some.dtype, pd.StringDtype):
        return some.str.strip()
    return some.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)


def _signs(cells: pd.Series) -> tuple[str, ...]:
    """What stands around the numbers of a probe, in one unit, and of enough of them."""
    signs, rows = signs_around(cells)
    if not signs and (unit := _unit_behind(cells)):
        signs, rows = {unit}, len(cells)
    if any(len(sign) == 1 for sign in sides_among(signs) if sign.isalpha()):
        rows *= bool(cells.str.contains(CENTS).mean() >= 1 - FEW_WRONG)  # 12 C and 12 D are flats
    return tuple(signs) if rows >= SHARED_BY and len(units_among(signs)) <= 1 else ()


def _unit_behind(cells: pd.Series) -> str | None:
    """What stands behind all numbers of a probe: m², months, k, % p.a."""
    parts = cells.str.strip().str.extract(rf"^[+-]?({NUMBER})\s*({UNIT})$")
    several = parts[0].nunique() > FEW_NUMBERS and not parts[0].str.match(r"0\d").any()
    words = parts[1].unique()
    return str(words[0]) if several and len(words) == 1 and pd.notna(words[0]) else None


def _marks_that_read(cells: pd.Series, marks: Iterable[Marks]) -> set[Marks]:
    """Under which of the ``marks`` the cells of a probe are numbers."""
    cells, found, known = cells.str.strip(), set(), dict[tuple[str | None, ...], bool]()
    has = {mark: cells.str.contains(mark, regex=False).to_numpy(bool) for mark in MARKS}
    for decimal, thousands in marks:
        others = [there for mark, there in has.items() if mark not in (decimal, thousands)]
        if np.any(others, axis=0).mean() > FEW_WRONG:
            continue  # without reading them one by one, as most columns with most of the marks
        # On a mark that stands in no cell nothing depends.
        used = tuple(mark if mark and has[mark].any() else None for mark in (decimal, thousands))
        if used not in known:
            known[used] = _is_written(cells, decimal, thousands)
        if known[used]:
            found.add((decimal, thousands))
    return found


def _is_written(cells: pd.Series, decimal: str, thousands: str | None) -> bool:
    """Whether the cells are numbers with these marks, and thousands are where the mark is."""
    text_format = TextFormat(decimal, thousands)
    if not is_number(cells, text_format) or _are_thousands(cells, decimal):
        return False
    marked = cells[cells.str.contains(thousands, regex=False)] if thousands else cells.iloc[:0]
    return bool(marked.str.fullmatch(text_format.grouped).all())


def _are_thousands(cells: pd.Series, mark: str) -> bool:
    """Whether the ``mark`` stands between thousands only: 1,234 beside 5,678 and no other comma is
    no fraction. Nor is 1.234 beside 700, but without such numbers it may be one."""
    marked = cells.str.contains(mark, regex=False)
    grouped = cells[marked].str.fullmatch(rf"[+-]?[1-9]\d{{0,2}}(?:{re.escape(mark)}\d{{3}})+")
    whole = cells[~marked & cells.str.fullmatch(r"[+-]?[1-9]\d{0,2}")]
    return bool(marked.any() and grouped.all()) and (mark == "," or whole.nunique() >= FEW_NUMBERS)


def is_number(cells: pd.Series, text_format: TextFormat) -> bool:
    """Whether nearly all cells of a probe are numbers, and some known."""
    if count_unread(cells, text_format) > FEW_WRONG * len(cells):
        return False  # as most columns are not with most of the marks that are tried
    try:
        numbers, unread = read_cells(cells, "number", text_format)
    except DataRefused:
        return False
    return unread <= FEW_WRONG * len(cells) and bool(numbers.notna().any())


def find_missing_words(table: pd.DataFrame, source: Source) -> tuple[str, ...]:
    """Words that many rows share in columns that are numbers or times but for them; 0000-00-00 is
    one, too. None where the source declares them."""
    if "missing" in source.model_fields_set:
        return ()
    written, found = TextFormat.of(source), set[str]()
    for name in (name for name in table if is_text(table[name])):
        cells = probe(table[name]).astype("str").str.strip()
        words = {word for word in cells.unique() if not re.search(r"[1-9]|^\W?inf", word.lower())}
        no_date = {"00000000"} & words  # as SAP writes that there is none
        words = {word for word in words if number_of(written.plain(word)) is None} | no_date
        others = cells[~cells.isin(words)]
        sparse = len(others) < len(cells) / 2 and any(re.search(r"\w", word) for word in words)
        if not 0 < len(words) <= MOST_WORDS or (sparse and not no_date):  # "." is no label
            continue
        dated = are_digits_of_dates(others) or is_time(others, written.date_format)
        if dated or (not no_date and _are_numbers(others, written)):
            rows = table[name].astype("str").str.strip().value_counts()
            found |= {word for word in words if rows[word] >= SHARED_BY}
    return tuple(sorted(found))


def _are_numbers(cells: pd.Series, written: TextFormat) -> bool:
    return cells.nunique() > FEW_NUMBERS and is_number(cells, written)


def _in_words(setting: str, found: Any) -> str:
    if setting == "around_numbers":
        negative = [sign for sign in BELOW_ZERO if sign in sides_among(found)]
        below = f", those with {' and '.join(negative)} as below zero" if negative else ""
        share = ", 12.5% as 0.125" if PERCENT in found else ""
        signs = " and ".join(found)
        return f"numbers are written with {signs} around them: read without{share}{below}"
    mark = {"decimal": "a decimal mark", "thousands": "a mark between thousands"}[setting]
    return f"numbers are written with {mark} {found!r}: most columns are read so"
