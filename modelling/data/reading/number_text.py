"""Numbers as people and programs write them: marks, signs around them, words for a missing one."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from modelling.declaration import Source
from modelling.refusals import DataRefused, UsageError
from modelling.scorer.scoring import MISSING_NUMBERS

DECIMAL_COMMA = r"[+-]?(\d{1,3}(\.\d{3})*|\d+),\d+"
THOUSANDS = r"[+-]?\d{1,3}([,. ' ]\d{3})+([.,]\d+)?"
BRACKETS, PERCENT = "()", "%"
BLANKS = "[\\s\u00a0\u202f]*"  # Arrow's \\s has no blanks that keep a line together, as before €
CURRENCIES = (
    *("USD", "EUR", "GBP", "CHF", "JPY", "KRW", "CNY", "INR", "CAD", "AUD", "NZD", "SEK", "NOK"),
    *("DKK", "PLN", "CZK", "HUF", "TRY", "BRL", "MXN", "SGD", "HKD", "ZAR", "ILS", "THB", "AED"),
)
CODES = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₩": "KRW", "₹": "INR"}
_UNIT = rf"(?P<{{}}>[^\w\s.,'+()-]|{'|'.join(CURRENCIES)})?"  # a currency's sign or code, or %
SIGNED = (
    rf"[+-]?{_UNIT.format('before')}\s*[+-]?"
    rf"(?P<number>\d[\d.,'\s\u00a0\u202f]*|[.,]\d+)\s*{_UNIT.format('behind')}"
)
IN_BRACKETS = r"^([^\d()]*)\(([^()]+)\)([^\d()]*)$"


@dataclass(frozen=True)
class TextFormat:
    """How the text of a source writes numbers and times, as far as that is declared."""

    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None
    around_numbers: Sequence[str] = ()
    missing: Sequence[str] = ()

    @classmethod
    def of(cls, source: object) -> "TextFormat":
        if not isinstance(source, Source):
            return cls()
        names = cls.__dataclass_fields__
        return cls(**{name: getattr(source, name) for name in names})

    def overridden_by(self, source: Source) -> "TextFormat":
        """With what is declared of another table; of two marks that would be the same, that one.

        Raises UsageError where its numbers are in another currency.
        """
        names = source.model_fields_set & set(self.__dataclass_fields__)
        declared = {name: getattr(source, name) for name in names}
        if declared.get("decimal") == self.thousands:
            declared = {"thousands": None, **declared}
        ours = currencies_of(self.around_numbers)
        if ours and (others := currencies_of(declared.get("around_numbers", ())) - ours):
            raise UsageError(
                f"around_numbers: the model learnt numbers in {' and '.join(sorted(ours))}, these "
                f"are in {' and '.join(sorted(others))}: convert them"
            )
        return replace(self, **declared)

    def plain(self, text: str) -> str:
        """One cell as ``plain_numbers`` has it."""
        text = text.strip()
        for pattern, written in self._signs:
            text = re.sub(pattern, written, text)
        if self.thousands and re.fullmatch(self.grouped, text):
            text = text.replace(self.thousands, "")
        for mark, written in self._decimal_marks:
            text = text.replace(mark, written)
        return text

    @cached_property
    def grouped(self) -> str:
        """A number with marks where thousands are (also 12,34,567, as in India). Anywhere else the
        mark is another's decimal mark, without which 1,5 would be 15."""
        mark, decimal = re.escape(self.thousands or ""), re.escape(self.decimal)
        groups = rf"[1-9][0-9]{{0,2}}({mark}[0-9]{{2,3}})*{mark}[0-9]{{3}}"
        return rf"^[+-]?{groups}({decimal}[0-9]*)?([eE][+-]?[0-9]+)?$"

    @cached_property
    def _signs(self) -> list[tuple[str, str]]:
        """What stands around a number, as patterns that Arrow and Python both read. A percentage
        is written as a power of ten, which is exact: 12.5 % becomes 12.5e-2."""
        found = []
        if self.missing:
            found.append((rf"^(?:{_any_of(self.missing)})$", ""))
        units = [sign for sign in self.around_numbers if sign != BRACKETS]
        if len(units) < len(self.around_numbers):  # a sign may stand outside, too
            unit = rf"(?:{_any_of(units)})?"
            found.append((rf"^({unit}{BLANKS})\(([^()]+)\)({BLANKS}{unit})$", r"-\1\2\3"))
        if signs := [unit for unit in units if unit != PERCENT]:
            found.append((rf"^([+-]?){BLANKS}(?:{_any_of(signs)}){BLANKS}", r"\1"))
            found.append((rf"{BLANKS}(?:{_any_of(signs)})$", ""))
        if PERCENT in self.around_numbers:
            found.append((rf"(\d){BLANKS}%$", r"\1e-2"))
        return found

    @cached_property
    def _decimal_marks(self) -> list[tuple[str, str]]:
        return [(".", "?"), (self.decimal, ".")] if self.decimal != "." else []


def _any_of(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


def plain_numbers(cells: pa.Array, text_format: TextFormat) -> pa.Array:
    """Text (n,) as it is written with a decimal point, without marks and signs."""
    texts = pc.utf8_trim_whitespace(cells)
    for pattern, written in text_format._signs:
        texts = pc.replace_substring_regex(texts, pattern, written)
    if text_format.thousands:
        grouped = pc.match_substring_regex(texts, text_format.grouped)
        texts = pc.if_else(grouped, pc.replace_substring(texts, text_format.thousands, ""), texts)
    for mark, written in text_format._decimal_marks:
        texts = pc.replace_substring(texts, mark, written)
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


def units_in(cells: pd.Series, text_format: TextFormat) -> Counter[str]:
    """How many numbers (n,) have each of the declared signs beside them, and under "" how many have
    none; 0 needs none."""
    signs = [sign for sign in text_format.around_numbers if sign != BRACKETS]
    if not signs:
        return Counter()
    is_text = isinstance(cells.dtype, pd.StringDtype)
    words = cells if is_text else [cell for cell in cells if isinstance(cell, str)]
    texts = pc.utf8_trim_whitespace(pa.array(words, pa.string()))
    unit = pc.struct_field(
        pc.extract_regex(texts, rf"^[(+-]*{BLANKS}(?P<unit>{_any_of(signs)}){BLANKS}[(+-]*[0-9.,]"),
        [0],
    )
    behind = pc.struct_field(
        pc.extract_regex(texts, rf"[0-9.,)]{BLANKS}(?P<unit>{_any_of(signs)})\)?$"), [0]
    )
    known = pc.match_substring_regex(texts, "[1-9]")
    units = pc.coalesce(unit, behind, pa.scalar("")).filter(known)
    found = Counter({one["values"]: one["counts"] for one in pc.value_counts(units).to_pylist()})
    bare = (
        0 if is_text else sum(not isinstance(cell, str) and bool(cell) for cell in cells.dropna())
    )
    return found + Counter({"": bare})


def refuse_several_units(name: str, units: Counter[str]) -> None:
    """Raise DataRefused where $5 stands below 5 €, which can't be compared, or 5 below 12%, which
    can be 0.05 or 5."""
    found = sorted(unit for unit in units if unit)
    if len(found) > 1:
        raise DataRefused(
            f"{name}: numbers in {' and in '.join(found)}: convert them, or leave it out"
        )
    if found and units[""] and not currencies_of(found):
        raise DataRefused(
            f"{name}: {units['']:,} numbers lack the {found[0]} of the others: add it"
        )


def signs_around(texts: pd.Series) -> tuple[set[str], int]:
    """What stands around the numbers among ``texts`` (n,) as ``around_numbers`` names it, and
    around how many."""
    texts = texts.str.strip()
    parts = texts.str.replace(IN_BRACKETS, r"\1\2\3", regex=True).str.extract(rf"^{SIGNED}$")
    bracketed = parts["number"].notna() & texts.str.fullmatch(IN_BRACKETS)
    around = pd.concat([parts["before"], parts["behind"]]).dropna()
    around = around[around.map(_is_unit).astype(bool)]
    rows = bracketed | parts.index.isin(around.index)
    return {*around} | ({BRACKETS} if bracketed.any() else set()), int(rows.sum())


def _is_unit(sign: str) -> bool:
    return sign == PERCENT or bool(currencies_of([sign]))


def currencies_of(signs: Iterable[str]) -> set[str]:
    """The codes of the currencies among ``signs``, or the sign where there is no one code."""
    return {CODES.get(sign, sign) for sign in signs if sign in CURRENCIES or _is_currency(sign)}


def _is_currency(sign: str) -> bool:
    return len(sign) == 1 and unicodedata.category(sign) == "Sc"


def refuse_other_writing(unread: pd.Series, text_format: TextFormat) -> None:
    """Raise DataRefused where cells would be numbers with other marks or signs than declared."""
    texts = unread.astype("str").str.strip()
    _refuse_other_signs(texts, text_format)
    for pattern, written in text_format._signs:
        texts = texts.str.replace(pattern, written, regex=True)
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


def _refuse_other_signs(texts: pd.Series, text_format: TextFormat) -> None:
    signs, count = signs_around(texts)
    if len(units := sorted(signs - {BRACKETS})) > 1:
        several = " and in ".join(units)
        raise DataRefused(f"{texts.name}: numbers in {several}: convert them, or leave it out")
    declared = {*text_format.around_numbers}
    if not signs - declared or count < len(texts):
        return
    said = " and ".join(
        f"{sign} (12.5% is 0.125)" if sign == PERCENT else sign for sign in sorted(signs)
    )
    ours = currencies_of(declared)
    convert = "convert them, or " if ours and currencies_of(signs) - ours else ""
    around = ",".join(sorted(declared | signs))
    raise DataRefused(
        f"{count:,} cells of {texts.name} have {said} around a number: {convert}add "
        f"around_numbers='{around}' to the source (finflows score: --source)"
    )
