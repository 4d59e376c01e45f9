"""Columns that are missing under their name, and there under one that looks alike."""

import re
import unicodedata
from collections.abc import Collection, Iterable


def spelled_otherwise(wanted: Collection[str], present: Iterable[object]) -> dict[str, str]:
    """The ``wanted`` names that are not ``present``, with a present one that is not wanted itself
    and differs in capitals, blanks or punctuation alone: 'Loan ID' beside 'loan_id'."""
    there = [*map(str, present)]
    alike = {_letters(name): name for name in there if name not in wanted}
    missing = (name for name in wanted if name not in there)
    return {name: alike[_letters(name)] for name in missing if alike.get(_letters(name))}


def as_written(name: str) -> str:
    """A name in quotes, with accents as letters of their own where they are: two names that only
    look the same differ here."""
    return repr(name) if unicodedata.is_normalized("NFC", name) else ascii(name)


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).casefold() or name
