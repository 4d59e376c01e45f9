"""Cells of any type as labels and numbers.

Like all of this room, it travels inside every registered model. Training reads cells with it, too:
there is one implementation.
"""

import math
import re
import unicodedata
from collections.abc import Hashable, Iterable
from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd


def label_text(value: object) -> str | None:
    """The text of a label, the same for all types that it may have; None where it is missing.

    Text is kept except for blanks around it: "001", "True", "NA" and 19 digits keep every
    character. A whole number is written without a fraction: 7, 7.0, "7.0" (as pandas writes whole
    numbers in a column with missing cells) and Decimal("7.00") are "7". Bytes are the text that
    they are in UTF-8, else their digits; a day has no time of day, as in a file of days. Letters
    with accents are composed (NFC), as two programs may write them differently. Blank text, None
    and NaN are missing.
    """
    if isinstance(value, bytes):
        value = _text_in(value)
    if isinstance(value, str):
        text = composed(value.strip())
        return text[:-2].replace("-0", "0") if _WHOLE.fullmatch(text) else text or None
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        whole = bool(np.abs(value) < 1e16) and value == int(value)
        return str(int(value)) if whole else np.format_float_positional(value, trim="-")
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime | np.datetime64):
        value = _day_or_time(pd.Timestamp(value))
    return str(value).strip() or None


def composed(text: str) -> str:
    """The text with each letter and its accent as one (NFC): ö, not o and two dots."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _day_or_time(value: pd.Timestamp) -> object:
    is_day = value.tzinfo is None and value == value.normalize()
    return value.date() if is_day else value


def _text_in(written: bytes) -> str:
    try:
        text = written.decode()
    except UnicodeDecodeError:
        return written.hex()
    return text if "".join(text.split()).isprintable() else written.hex()


_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)\.0")


def different_cells(cells: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Which of the different cells of a column each cell (n,) is, -1 where missing; and these (k,).

    True is another cell than 1, though they are equal, and lists and objects are told apart by
    their text: what a cell means never depends on the others.
    """
    if cells.dtype == object and pd.api.types.infer_dtype(cells, skipna=True) != "string":
        cells = pd.Series([*map(_told_apart, cells)], dtype=object)  # whole numbers stay whole
    return pd.factorize(cells)


def _told_apart(cell: object) -> object:
    return (
        str(cell) if isinstance(cell, bool | np.bool_) or not isinstance(cell, Hashable) else cell
    )


class Labels:
    """The known labels of one column, and which of them a cell stands for.

    A number has lost the way it was written: 7 stands for "007" where that is the only known label
    with this value. True and False stand for the only known labels that are spelled so in any
    capitals ("true"), or else for "1" and "0".
    """

    def __init__(self, known: Iterable[str]):
        self.known = frozenset(known)
        by_size: dict[float, list[str]] = {}
        for label in sorted(self.known):
            if _NUMBER.fullmatch(label):
                by_size.setdefault(float(label), []).append(label)
        self.by_size = {size: labels[0] for size, labels in by_size.items() if len(labels) == 1}
        self.truths: dict[str, str] = {}
        for word, digit in _TRUTH.items():
            spelled = [label for label in self.known if label.title() == word]
            meant = spelled or [digit] * (digit in self.known)
            if len(meant) == 1:
                self.truths[word] = meant[0]

    def find(self, cell: object) -> str | None:
        """The label of ``cell``, known or unknown; None where it is missing."""
        text = label_text(cell)
        if text is None or text in self.known:
            return text
        if text.title() in _TRUTH:
            return self.truths.get(text.title(), text)
        if isinstance(cell, str) or not _NUMBER.fullmatch(text):
            return text
        return self.by_size.get(float(text), text)


_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE | re.ASCII)
_NAN = re.compile(r"[+-]?nan(\([a-z0-9_]*\))?", re.IGNORECASE | re.ASCII)  # nan(ind) is that of C
MINUS_SIGN = "\u2212"  # that of typesetters and of some locales
_TRUTH = {"True": "1", "False": "0"}
MISSING_NUMBERS = frozenset(
    ("", "NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "nan", "<NA>", "#N/A", "#NA", "-nan",
     "-NaN", "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN")
)  # fmt: skip


def number_of(cell: object) -> float | None:
    """A cell as a float; NaN where it is missing; None where it is not a number.

    Text is read as files have it: with blanks around it, with either minus sign, and with what
    programs write for a missing number (``MISSING_NUMBERS``, and NaN in any capitals). Only digits
    0 to 9 count. A number too large for a float is not a number; nor are True and False: see
    ``truth_of``.
    """
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return math.nan
    if isinstance(cell, str):
        text = cell.strip().replace(MINUS_SIGN, "-")
        if text in MISSING_NUMBERS or _NAN.fullmatch(text):
            return math.nan
        if _INFINITE.fullmatch(text):
            return float(text)
        return _finite(text) if _NUMBER.fullmatch(text) else None
    if isinstance(cell, Decimal):
        return math.nan if cell.is_nan() else float(cell) if cell.is_infinite() else _finite(cell)
    if isinstance(cell, int | float | np.number) and not isinstance(cell, bool):
        try:
            return float(cell)
        except (OverflowError, TypeError):  # an integer too large for a float; a complex number
            return None
    return None


def _finite(written: str | Decimal) -> float | None:
    return number if math.isfinite(number := float(written)) else None


def truth_of(cell: object) -> float | None:
    """1 and 0 for True and False, as values or as text; None for anything else.

    They count as numbers only in a column that holds nothing but 1, 0, True and False. Among other
    numbers they are an error: nobody earns True.
    """
    text = str(cell).strip().title() if isinstance(cell, str | bool | np.bool_) else ""
    return float(_TRUTH[text]) if text in _TRUTH else None
