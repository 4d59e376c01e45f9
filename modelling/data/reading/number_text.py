"""Numbers as people and programs write them, and how that is declared."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelling.data.reading.number_signs import (
    BLANKS,
    LONGEST,
    PERCENT,
    currencies_of,
    side_patterns,
    sides_among,
    units_among,
)
from modelling.declaration import Source
from modelling.refusals import UsageError
from modelling.scorer.cells import MINUS_SIGN, MISSING_NUMBERS


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
        text = self.unsigned(text)
        if self.thousands and re.fullmatch(self.grouped, text):
            text = text.replace(self.thousands, "")
        for mark, written in self.decimal_marks:
            text = text.replace(mark, written)
        return text

    def unsigned(self, text: str) -> str:
        """One cell without what stands around its number, with the marks that it has."""
        text = text.strip().replace(MINUS_SIGN, "-")
        if len(text) > LONGEST:
            return text
        for pattern, written in self.signs:
            text = re.sub(pattern, written, text)
        return text

    @cached_property
    def grouped(self) -> str:
        """A number with marks where thousands are (also 12,34,567, as in India). Anywhere else the
        mark is another's decimal mark, without which 1,5 would be 15."""
        mark, decimal = re.escape(self.thousands or ""), re.escape(self.decimal)
        groups = rf"[1-9][0-9]{{0,2}}({mark}[0-9]{{2,3}})*{mark}[0-9]{{3}}"
        return rf"^[+-]?{groups}({decimal}[0-9]*)?(e-2)?$"  # a percentage, else no exponent

    @cached_property
    def signs(self) -> list[tuple[str, str]]:
        """What stands around a number, as patterns that Arrow and Python both read. A percentage
        is written as a power of ten, which is exact: 12.5 % becomes 12.5e-2."""
        found = []
        if self.missing:
            found.append((rf"^(?:{any_of(self.missing)})$", ""))
        units = units_among(self.around_numbers)
        unit = rf"(?:{any_of(units)})?"  # it may stand outside, too
        sides = side_patterns(unit)
        found += [sides[side] for side in sides if side in sides_among(self.around_numbers)]
        if others := [unit for unit in units if unit != PERCENT]:
            found.append((rf"^([+-]?){BLANKS}(?:{any_of(others)}){BLANKS}", r"\1"))
            found.append((rf"{BLANKS}(?:{any_of(others)})$", ""))
        if PERCENT in self.around_numbers:
            found.append((rf"(\d){BLANKS}%$", r"\1e-2"))
        return found

    @cached_property
    def decimal_marks(self) -> list[tuple[str, str]]:
        return [(".", "?"), (self.decimal, ".")] if self.decimal != "." else []


def any_of(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


def plain_numbers(cells: pa.Array, text_format: TextFormat) -> pa.Array:
    """Text (n,) as it is written with a decimal point, without marks and signs."""
    texts = pc.utf8_trim_whitespace(cells)
    for pattern, written in text_format.signs:
        texts = pc.replace_substring_regex(texts, pattern, written)
    if text_format.thousands:
        grouped = pc.match_substring_regex(texts, text_format.grouped)
        texts = pc.if_else(grouped, pc.replace_substring(texts, text_format.thousands, ""), texts)
    for mark, written in text_format.decimal_marks:
        texts = pc.replace_substring(texts, mark, written)
    return texts


def numbers_in_text(cells: pa.Array, text_format: TextFormat) -> np.ndarray:
    """Text (n,) as float64, as ``scorer.cells.number_of`` reads it, at the speed of Arrow.

    Raises ArrowInvalid where a cell is not a number, or one that only ``number_of`` can read.
    """
    texts = plain_numbers(cells, text_format)
    try:
        values = pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:  # rare signs and words are looked for late
        texts = pc.replace_substring(texts, MINUS_SIGN, "-")
        missing = pc.is_in(texts, pa.array(sorted(MISSING_NUMBERS)))
        texts = pc.if_else(missing, pa.scalar(None, pa.string()), texts)
        values = pc.cast(texts, pa.float64())
    if pc.any(pc.is_inf(values)).as_py():  # written so, or a number beyond all floats
        raise pa.ArrowInvalid("only number_of can tell")
    return values.to_numpy(zero_copy_only=False)
