"""Read a table once, and find out how it is written where its source does not say so."""

import re
from ast import literal_eval
from collections.abc import Iterator, Mapping

import pandas as pd

from modelling.data.loading import read_source
from modelling.data.reading.cells import TextFormat, read_cells
from modelling.data.reading.times import is_text, is_time
from modelling.declaration import Source
from modelling.refusals import DataRefused

FEW_WRONG = 0.1  # of a column's cells: it is still one of numbers, which somebody has to correct
PROBED = 2000  # cells of a column that tell how its numbers are written
MARKS: tuple[tuple[str, str | None], ...] = (
    (".", None),
    (",", None),
    (",", "."),
    (".", ","),
    (",", " "),
    (".", " "),
    (".", "'"),
)
DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d", "%d.%m.%y", "%d%b%Y")
CLOCKS = ("", " %H:%M", " %H:%M:%S")
ENCODINGS = ("cp1252", "latin-1")


def read_undeclared(source: Source) -> tuple[pd.DataFrame, Source, tuple[str, ...]]:
    """The table at ``source`` with its cells as they stand there, the source with the settings that
    its file was found to need, and how those were taken that were not certain.

    Raises as ``read_source`` does, where no setting that is tried reads the table.
    """
    given, said = source.encoding, []
    table, source, found = _read(source)
    if source.encoding != given:
        said.append(f"not UTF-8: encoding '{source.encoding}' was taken")
    marks = _marks(table, source)
    if marks:
        said.append(f"numbers are written with {_in_words(marks)}: most columns are read so")
    source = source.model_copy(update={**found, **marks})
    date_format, doubt = _date_format(table, source)
    if date_format:
        source = source.model_copy(update={"date_format": date_format})
        said += [f"dates are read as {date_format}{doubt}"] if doubt else []
    return table, source, tuple(said)


def _read(source: Source) -> tuple[pd.DataFrame, Source, Mapping[str, str]]:
    """With another encoding where the reader asks for one."""
    try:
        table, found = read_source(source)
        return table, source, dict(map(_setting, found))
    except DataRefused as refused:
        if "encoding=" not in str(refused) or source.encoding:
            raise
        for encoding in ENCODINGS:
            declared = source.model_copy(update={"encoding": encoding})
            try:
                table, found = read_source(declared)
            except DataRefused:
                continue
            return table, declared, dict(map(_setting, found))
        raise


def _setting(found: str) -> tuple[str, str]:
    """What the reader says that it found ("delimiter ';'") as a setting of the source."""
    name, _, value = found.partition(" ")
    return name, literal_eval(value) if value[:1] in "'\"" else value


def probe(cells: pd.Series) -> pd.Series:
    """Some known cells of a column, spread over all of it."""
    known = cells.dropna()
    return known.iloc[:: max(len(known) // PROBED, 1)]


def _texts(table: pd.DataFrame) -> Iterator[pd.Series]:
    yield from (probe(table[name]) for name in table if is_text(table[name]))


def _marks(table: pd.DataFrame, source: Source) -> dict[str, str]:
    """The decimal mark and the mark of thousands under which most columns of text are numbers; the
    plain ones where others read no more."""
    declared = {"decimal", "thousands"} & source.model_fields_set
    texts = [
        cells for cells in _texts(table) if cells.astype("str").str.contains(r"\d").mean() > 0.5
    ]
    if declared or not texts:
        return {}
    texts = [cells for cells in texts if not looks_like_dates(cells)]
    read = {marks: sum(_is_written(cells, *marks) for cells in texts) for marks in MARKS}
    decimal, thousands = max(MARKS, key=lambda marks: read[marks])
    found = {"decimal": decimal} if decimal != "." else {}
    return found | ({"thousands": thousands} if thousands else {})


def _is_written(cells: pd.Series, decimal: str, thousands: str | None) -> bool:
    """Whether the cells are numbers with these marks, and thousands are where the mark is."""
    if not is_number(cells, TextFormat(decimal, thousands)):
        return False
    texts = cells.astype("str").str.strip()
    if thousands is None:  # 1,234 beside 5,678 and no other comma is no fraction
        fractions = texts[texts.str.contains(",", regex=False)]
        grouped = fractions.str.fullmatch(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")
        return decimal == "." or fractions.empty or not grouped.all()
    pattern = rf"[+-]?\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})*(?:[{decimal}]\d+)?"
    marked = texts[texts.str.contains(thousands, regex=False)]
    return bool(marked.str.fullmatch(pattern).all())


def is_number(cells: pd.Series, text_format: TextFormat) -> bool:
    """Whether nearly all cells of a probe are numbers, and some known."""
    try:
        numbers, unread = read_cells(cells, "number", text_format)
    except DataRefused:
        return False
    return unread <= FEW_WRONG * len(cells) and bool(numbers.notna().any())


def _in_words(marks: Mapping[str, str]) -> str:
    words = {"decimal": "a decimal mark", "thousands": "a mark between thousands"}
    return " and ".join(f"{words[name]} {mark!r}" for name, mark in marks.items())


def _date_format(table: pd.DataFrame, source: Source) -> tuple[str | None, str]:
    """The format that reads all dates, and what to say where another one fits as well."""
    written = [cells for cells in _texts(table) if looks_like_dates(cells)]
    if source.date_format or not written:
        return None, ""
    formats = [date + clock for date in DATES for clock in CLOCKS]
    fits = {one: sum(is_time(cells, one) for cells in written) for one in formats}
    best = max(formats, key=lambda one: fits[one])
    if fits[best] < len(written) and all(is_time(cells, None) for cells in written):
        return None, ""
    others = [one for one in formats if fits[one] == fits[best] and one != best]
    doubt = f", though {others[0]} fits as well: look whether it is right" if others else ""
    return (best, doubt) if fits[best] else (None, "")


def looks_like_dates(cells: pd.Series) -> bool:
    pattern = r"\d{1,2}([./-])\d{1,2}\1\d{2,4}.*|\d{2}[A-Za-z]{3}\d{4}"
    return bool(cells.astype("str").str.fullmatch(pattern).mean() > 0.9)
