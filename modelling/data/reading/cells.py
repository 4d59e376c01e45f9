"""What a cell means: by the kind that its column is declared as, whatever the cell came in."""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress

import numpy as np
import pandas as pd
import pyarrow as pa

from modelling.data.reading.number_text import TextFormat, numbers_in_text
from modelling.data.reading.other_writing import (
    refuse_other_writing,
    refuse_several_units,
    units_in,
)
from modelling.data.reading.times import read_times
from modelling.refusals import DataRefused
from modelling.scorer.cells import Labels, different_cells, label_text, number_of, truth_of

ROUNDED = r"-?\d(?:[.,]\d+)?[Ee]\+\d{2,3}"  # a long number as a spreadsheet writes it: 4.12346E+15
EXACT_FLOATS = 2**53  # beyond, a float stands for several whole numbers


def read_cells(
    cells: pd.Series, kind: str, text_format: TextFormat, known: Iterable[str] = ()
) -> tuple[pd.Series, int]:
    """One column as its kind.

    Parameters
    ----------
    cells : Series (n,)
        As they were read, of any type.
    kind : str
        "number" becomes float64 (missing: NaN), "time" a time in UTC without a zone, "category" the
        text of its label, "identifier" text, or int64 where all are whole numbers without zeros in
        front.
    text_format : TextFormat
        How text writes numbers and times.
    known : iterable of str
        Labels that a category's cells are read as where they mean one of them.

    Returns
    -------
    Series (n,), int
        The column, and how many cells are there but are not of that kind. Where there are any, the
        column comes back as it was.

    Raises
    ------
    DataRefused
        Where cells can be read in two ways, or identifiers were rounded.
    """
    if pd.api.types.is_timedelta64_dtype(cells.dtype):
        raise DataRefused(f"{cells.name}: durations: give them as numbers of one unit, as of days")
    if kind == "number":
        return _numbers(cells, text_format)
    whole = pd.api.types.is_signed_integer_dtype(cells.dtype) and not cells.hasnans
    if kind == "identifier" and whole:
        return cells.astype("int64"), 0
    if kind == "identifier" and pd.api.types.is_float_dtype(cells.dtype):
        _refuse_rounded(str(cells.name), int((cells.abs() > EXACT_FLOATS).sum()))
    if kind == "time":
        return read_times(cells, text_format.date_format, text_format.missing)
    labels = texts_of(cells, Labels(known).find if known else label_text)
    return (_whole_numbers(labels) if kind == "identifier" else labels), 0


def is_text(cells: pd.Series) -> bool:
    """Whether a column came as text, or as values of several types."""
    return isinstance(cells.dtype, pd.StringDtype) or cells.dtype == object


def texts_of(cells: pd.Series, find: Callable[[object], str | None]) -> pd.Series:
    """The column (n,) as text, ``find`` asked once for each different cell; missing stays so."""
    codes, unique = different_cells(cells)
    texts = pd.Series([*map(find, unique), None], dtype="str")
    return pd.Series(texts.array.take(codes), index=cells.index, name=cells.name)


def _whole_numbers(labels: pd.Series) -> pd.Series:
    """Identifiers that are whole numbers, as numbers: their order is that of their size."""
    codes, unique = pd.factorize(labels)
    rounded = np.array([re.fullmatch(ROUNDED, text) is not None for text in unique])
    if rounded.any():
        _refuse_rounded(str(labels.name), int(rounded[codes[codes >= 0]].sum()))
    if (codes < 0).any() or not all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", text) for text in unique):
        return labels
    numbers = np.array([int(text) for text in unique], dtype=np.int64)
    return pd.Series(numbers[codes], index=labels.index, name=labels.name)


def _refuse_rounded(name: str, count: int) -> None:
    """Of rounded identifiers several are one: rows of many customers would be those of one."""
    if count:
        raise DataRefused(
            f"{name}: {count:,} identifiers were rounded, as a spreadsheet does with long numbers "
            "(4.12346E+15) and a column of floats: export them as text"
        )


def _numbers(cells: pd.Series, text_format: TextFormat) -> tuple[pd.Series, int]:
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return cells.astype("float64"), 0
    refuse_several_units(str(cells.name), units_in(cells, text_format))
    values = _number_values(cells, text_format)
    if (unread := _are_unread(values)).any():
        refuse_other_writing(cells[unread], int(cells.notna().sum()), text_format)
        return cells, int(unread.sum())
    return pd.Series(values.astype(np.float64), index=cells.index, name=cells.name), 0


def count_unread(cells: pd.Series, text_format: TextFormat) -> int:
    """How many cells (n,) are there but are no numbers. Why is not looked for, which would take
    many times as long."""
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return 0
    return int(_are_unread(_number_values(cells, text_format)).sum())


def _number_values(cells: pd.Series, text_format: TextFormat) -> np.ndarray:
    """Numbers (n,) float64; or objects, with None where a cell is none."""
    with suppress(pa.ArrowInvalid):
        if isinstance(cells.dtype, pd.StringDtype):
            return numbers_in_text(pa.array(cells), text_format)
    values = np.array([_number(cell, text_format) for cell in cells], dtype=object)
    return _with_truths(values, cells)


def _are_unread(values: np.ndarray) -> np.ndarray:
    if values.dtype != object:
        return np.zeros(len(values), dtype=bool)
    return np.array([value is None for value in values], dtype=bool)


def _with_truths(values: np.ndarray, cells: pd.Series) -> np.ndarray:
    """``values`` (n,) with 1 and 0 where ``cells`` say True and False, if there are no others."""
    read = pd.Series([value for value in values if value is not None], dtype="float64")
    if len(read) == len(values) or (read.notna().any() and not zero_or_one(read)):
        return values
    pairs = zip(values, cells, strict=True)
    return np.array([truth_of(cell) if v is None else v for v, cell in pairs], dtype=object)


def zero_or_one(numbers: pd.Series) -> bool:
    """Whether the numbers (n,) that are not missing are all 0 or 1, and there are some."""
    known = numbers.dropna()
    return bool(len(known)) and bool(known.isin((0, 1)).all())


def _number(cell: object, text_format: TextFormat) -> float | None:
    return number_of(text_format.plain(cell) if isinstance(cell, str) else cell)
