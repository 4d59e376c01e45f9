"""What a cell means: by the kind that its column is declared as, whatever the cell came in."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from modelling.data.reading.times import read_times
from modelling.declaration import Source
from modelling.refusals import DataRefused
from modelling.scorer.scoring import MISSING_NUMBERS, Labels, label_text, number_of, truth_of

DECIMAL_COMMA = r"[+-]?(\d{1,3}(\.\d{3})*|\d+),\d+"
THOUSANDS = r"[+-]?\d{1,3}([,. ' ]\d{3})+([.,]\d+)?"


@dataclass(frozen=True)
class TextFormat:
    """How the text of a source writes numbers and times, as far as that is declared."""

    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None

    @classmethod
    def of(cls, source: object) -> "TextFormat":
        if not isinstance(source, Source):
            return cls()
        return cls(source.decimal, source.thousands, source.date_format)


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
        Where cells can be read in two ways.
    """
    if kind == "number":
        return _numbers(cells, text_format)
    whole = pd.api.types.is_signed_integer_dtype(cells.dtype) and not cells.hasnans
    if kind == "identifier" and whole:
        return cells.astype("int64"), 0
    if kind == "time":
        return read_times(cells, text_format.date_format)
    labels = texts_of(cells, Labels(known).find if known else label_text)
    return (_whole_numbers(labels) if kind == "identifier" else labels), 0


def texts_of(cells: pd.Series, find: Callable[[object], str | None]) -> pd.Series:
    """The column (n,) as text, ``find`` asked once for each different cell; missing stays so."""
    codes, unique = _factorize(cells)
    texts = pd.Series([*map(find, unique), None], dtype="str")
    return pd.Series(texts.array.take(codes), index=cells.index, name=cells.name)


def _factorize(cells: pd.Series) -> tuple[np.ndarray, pd.Index]:
    try:
        return pd.factorize(cells)
    except TypeError:  # lists and dictionaries
        return pd.factorize(cells.map(str, na_action="ignore"))


def _whole_numbers(labels: pd.Series) -> pd.Series:
    """Identifiers that are whole numbers, as numbers: their order is that of their size."""
    codes, unique = pd.factorize(labels)
    if (codes < 0).any() or not all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", text) for text in unique):
        return labels
    numbers = np.array([int(text) for text in unique], dtype=np.int64)
    return pd.Series(numbers[codes], index=labels.index, name=labels.name)


def _numbers(cells: pd.Series, text_format: TextFormat) -> tuple[pd.Series, int]:
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return cells.astype("float64"), 0
    text = isinstance(cells.dtype, pd.StringDtype)
    try:
        values = numbers_in_text(pa.array(cells), text_format) if text else None
    except pa.ArrowInvalid:
        values = None
    if values is None:
        values = np.array([_number(cell, text_format) for cell in cells], dtype=object)
        values = _with_truths(values, cells)
    unread = np.array([value is None for value in values]) if values.dtype == object else None
    if unread is not None and unread.any():
        refuse_commas(cells[unread], text_format)
        return cells, int(unread.sum())
    return pd.Series(values.astype(np.float64), index=cells.index, name=cells.name), 0


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
    if isinstance(cell, str):
        if text_format.thousands:
            cell = cell.replace(text_format.thousands, "")
        if text_format.decimal != ".":
            cell = cell.replace(".", "?").replace(text_format.decimal, ".")
    return number_of(cell)


def plain_numbers(cells: pa.Array, text_format: TextFormat) -> pa.Array:
    """Text (n,) as it is written with a decimal point and without marks between thousands."""
    texts = pc.utf8_trim_whitespace(cells)
    if text_format.thousands:
        texts = pc.replace_substring(texts, text_format.thousands, "")
    if text_format.decimal != ".":
        texts = pc.replace_substring(
            pc.replace_substring(texts, ".", "?"), text_format.decimal, "."
        )
    return texts


def numbers_in_text(cells: pa.Array, text_format: TextFormat) -> np.ndarray:
    """Text (n,) as float64, as ``scorer.scoring.number_of`` reads it, at the speed of Arrow.

    Raises ArrowInvalid where a cell is not a number, or one that only ``number_of`` can read.
    """
    texts = plain_numbers(cells, text_format)
    try:
        values = pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        missing = pc.is_in(texts, pa.array(sorted(MISSING_NUMBERS)))
        texts = pc.if_else(missing, pa.scalar(None, pa.string()), texts)
        values = pc.cast(texts, pa.float64())
    if pc.any(pc.is_inf(values)).as_py():  # written so, or a number beyond all floats
        raise pa.ArrowInvalid("only number_of can tell")
    return values.to_numpy(zero_copy_only=False)


def refuse_commas(unread: pd.Series, text_format: TextFormat) -> None:
    """Raise DataRefused where cells would be numbers with another decimal or thousands mark."""
    texts = unread.astype("str").str.strip()
    for pattern, looks_like, add in (
        (THOUSANDS, "numbers with a mark between thousands", "thousands=',' (or '.')"),
        (DECIMAL_COMMA, "decimal commas", "decimal=','"),
    ):
        count = int(texts.str.fullmatch(pattern).sum())
        only = pattern is DECIMAL_COMMA or count == len(texts)
        if count and only and (text_format.decimal == "." or pattern is THOUSANDS):
            raise DataRefused(
                f"{count:,} cells of {unread.name} look like {looks_like}: add {add} to the source "
                "(finflows score: --source)"
            )
