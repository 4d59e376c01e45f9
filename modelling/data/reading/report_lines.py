"""Lines of a report among the rows of its table: the header again, on each page, and totals."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_WORDS = (
    "(grand |sub-?|sub )?totals?|total (général|general)|(gesamt|zwischen)?summe|gesamt|sum|somme"
    "|totale|totaal|suma|razem|итого|всего|合计|总计|小计|合計|小計"
)
TOTAL = rf"^\s*(?i:{_WORDS})[^\pL]*$"
NOT_IN_TOTALS = r"\pL|:|[0-9][-./][0-9]{1,2}[-./][0-9]"  # other words, times and dates


def lines_of_a_report(batch: pa.RecordBatch, numbers: Collection[str] = ()) -> np.ndarray:
    """Which rows (n,) bool of a table of text are none: all cells are the names of their columns,
    or one says Total and the others are numbers, of which some are missing.

    In the columns of ``numbers`` such a word is not looked for, which makes it faster: it is no
    number there.
    """
    return _headers(batch) | _totals(batch, numbers)


def _headers(batch: pa.RecordBatch) -> np.ndarray:
    rows = np.full(len(batch), batch.num_columns > 1)
    for name, cells in zip(batch.schema.names, batch.columns, strict=True):
        if not rows.any():
            break
        is_text = pa.types.is_string(cells.type)
        rows &= _where(pc.equal(pc.utf8_trim_whitespace(cells), name)) if is_text else False
    return rows


def _totals(batch: pa.RecordBatch, numbers: Collection[str]) -> np.ndarray:
    incomplete = np.zeros(len(batch), dtype=bool)
    for cells in batch.columns:
        incomplete |= np.asarray(cells.is_null())
    found, rows = incomplete.copy(), batch.filter(pa.array(incomplete))
    found[found] = _any_of(rows, lambda name, cells: name not in numbers and _says(cells, TOTAL))
    rows = batch.filter(pa.array(found))
    found[found] = ~_any_of(rows, lambda _, cells: ~_says(cells, TOTAL) & _is_other(cells))
    if not found.any():
        return found
    # Where whole rows have the word as well, it is a label, such as the name of a merchant.
    whole = batch.filter(pa.array(~incomplete))
    columns = zip(whole.schema.names, whole.columns, strict=True)
    labels = [name for name, cells in columns if _says(cells, TOTAL).any()]
    return _totals(batch, {*numbers, *labels}) if {*labels} - {*numbers} else found


def _any_of(rows: pa.RecordBatch, said: Callable[[str, pa.Array], Any]) -> np.ndarray:
    """Which rows (n,) have a cell of which that is ``said``."""
    found = np.zeros(len(rows), dtype=bool)
    for name, cells in zip(rows.schema.names, rows.columns, strict=True):
        found |= said(name, cells)
    return found


def _says(cells: pa.Array, pattern: str) -> np.ndarray:
    """Which cells (n,) are text with the ``pattern``."""
    if not pa.types.is_string(cells.type):
        return np.zeros(len(cells), dtype=bool)
    return _where(pc.match_substring_regex(cells, pattern))


def _is_other(cells: pa.Array) -> np.ndarray:
    """Which cells (n,) hold something that is no number."""
    if pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type):
        return np.zeros(len(cells), dtype=bool)
    is_text = pa.types.is_string(cells.type)
    return _says(cells, NOT_IN_TOTALS) if is_text else np.asarray(cells.is_valid())


def _where(found: pa.BooleanArray) -> np.ndarray:
    return np.asarray(found.fill_null(False))
