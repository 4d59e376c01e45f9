"""Read a table once, and find out how it is written where its source does not say so."""

import numpy as np
import pandas as pd

from modelling.data.loading import read_source
from modelling.data.reading.cells import is_text, texts_of
from modelling.data.reading.raw_tables import Found
from modelling.declaration import Source
from modelling.drafting.columns.number_format import (
    find_missing_words,
    find_number_format,
    probe,
)
from modelling.drafting.columns.written_dates import find_date_format, looks_like_dates
from modelling.refusals import DataRefused
from modelling.scorer.cells import label_text

ENCODINGS = ("cp1252", "latin-1")
NOT_UTF_8 = "not UTF-8: encoding"


def read_undeclared(source: Source) -> tuple[pd.DataFrame, Source, tuple[str, ...]]:
    """The table at ``source`` with its cells as they stand there, the source with the settings that
    its file was found to need, and how those were taken that were not certain.

    Raises as ``read_source`` does, where no setting that is tried reads the table.
    """
    given = source
    table, source, found = _read(source)
    said = list(found._replace(settings={}).in_words())
    for name in [name for name in table if _is_nested(table[name])]:
        table[name] = texts_of(table[name], label_text)
    if source.header_line != given.header_line:
        said.append(f"line {source.header_line} names the columns; what stands above is left out")
    if source.encoding != given.encoding:
        said.append(f"{NOT_UTF_8} '{source.encoding}' was taken")
    numbers, how = find_number_format(table, source)
    source = source.model_copy(update={**found.settings, **numbers})
    said += how
    date_format, doubt = _date_format(table)
    if date_format and not source.date_format:
        source = source.model_copy(update={"date_format": date_format})
        said += [f"dates are read as {date_format}{doubt}"] if doubt else []
    if words := find_missing_words(table, source):
        source = source.model_copy(update={"missing": words})
        said.append(f"{' and '.join(map(repr, words))} beside numbers or dates: read as missing")
    return table, source, tuple(said)


def _date_format(table: pd.DataFrame) -> tuple[str | None, str]:
    """``find_date_format`` of probes, or where two formats fit these, of all different dates."""
    probes = [probe(table[name]) for name in table]
    found = find_date_format(probes)
    if not found[1]:
        return found
    dated = [str(cells.name) for cells in probes if is_text(cells) and looks_like_dates(cells)]
    different = (table[name].dropna().drop_duplicates().astype("str").str.strip() for name in dated)
    settled = find_date_format(different)
    return settled if settled[0] else found


def _is_nested(cells: pd.Series) -> bool:
    """Whether cells are lists or objects, as Parquet has them, or bytes, as a frame may."""
    if cells.dtype != object:
        return False
    return bool(
        probe(cells).map(lambda cell: isinstance(cell, dict | list | np.ndarray | bytes)).any()
    )


def _read(source: Source) -> tuple[pd.DataFrame, Source, Found]:
    """With another encoding, or another line as the header, where the reader asks for one."""
    try:
        table, found = read_source(source)
        return table, source, found
    except DataRefused as refused:
        if "header_line" in refused.settings:
            return _read(source.model_copy(update=refused.settings))
        if "encoding" not in refused.settings or source.encoding:
            raise
        for encoding in ENCODINGS:
            declared = source.model_copy(update={"encoding": encoding})
            try:
                table, found = read_source(declared)
            except DataRefused:
                continue
            return table, declared, found
        raise
