"""What stands around numbers: currencies, percent, and what says that a number is below zero."""

import unicodedata
from collections.abc import Iterable
from typing import get_args

import pandas as pd

from modelling.declaration.declared_data import ThousandsMark

MARKS = "".join(get_args(ThousandsMark))  # all that stand between digits: both decimal marks, too
WIDE_BLANKS = "".join(mark for mark in MARKS if mark.isspace())  # Arrow's \\s knows one of them
BLANKS = rf"[\s{WIDE_BLANKS}]*"
PERCENT = "%"
BRACKETS, MINUS_BEHIND, CREDIT, DEBIT = SIDES = "()", "-", "CR", "DR"  # of zero: no unit
CURRENCIES = (
    *("USD", "EUR", "GBP", "CHF", "JPY", "KRW", "CNY", "INR", "CAD", "AUD", "NZD", "SEK", "NOK"),
    *("DKK", "PLN", "CZK", "HUF", "TRY", "BRL", "MXN", "SGD", "HKD", "ZAR", "ILS", "THB", "AED"),
)
CODES = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₩": "KRW", "₹": "INR"}
DOLLARS = {"R": "BRL", "US": "USD", "A": "AUD", "AU": "AUD", "C": "CAD", "CA": "CAD", "HK": "HKD",
           "S": "SGD", "NZ": "NZD", "Mex": "MXN", "MX": "MXN"}  # fmt: skip
CODES |= {f"{country}$": code for country, code in DOLLARS.items()}
# A currency's sign or code, or %.
_UNIT = rf"(?P<{{}}>(?:{'|'.join(DOLLARS)})?\$|[^\w\s{MARKS}+()-]|{'|'.join(CURRENCIES)})?"
SIGNED = (
    rf"[+-]?{_UNIT.format('before')}{BLANKS}[+-]?"
    rf"(?P<number>\d[\d\s{MARKS}]*|[.,]\d+){BLANKS}{_UNIT.format('behind')}"
)
ANY_UNIT = r"[^\d()-]*"
BEHIND_UNIT = rf"(?:\)|{BLANKS}-|{BLANKS}[CcDd][Rr]\.?)?"  # what of a side is written there


def side_patterns(unit: str) -> dict[str, tuple[str, str]]:
    """How each side is written, (5), 5-, 5 DR and 5 Cr, and the same with its sign in front.

    ``unit`` is the pattern of what may stand beside the number and its side. Arrow and Python both
    read these patterns.
    """
    return {
        BRACKETS: (rf"^({unit}{BLANKS})\(([^()]+)\)({BLANKS}{unit})$", r"-\1\2\3"),
        MINUS_BEHIND: (rf"^([^-]*\d[^-.,]*?){BLANKS}-({BLANKS}{unit})$", r"-\1\2"),
        DEBIT: (rf"^([^-]*\d[^-]*?){BLANKS}[Dd][Rr]\.?$", r"-\1"),
        CREDIT: (rf"^([^-]*\d[^-]*?){BLANKS}[Cc][Rr]\.?$", r"\1"),
    }


def signs_around(texts: pd.Series) -> tuple[set[str], int]:
    """What stands around the numbers among ``texts`` (n,) as ``around_numbers`` names it, and
    around how many."""
    texts = texts.str.strip()
    texts = texts[~texts.str.fullmatch(rf"[+-]?[\d{MARKS}]+")]  # nothing stands around the others
    sides = side_patterns(ANY_UNIT)
    has_side = {side: texts.str.fullmatch(pattern) for side, (pattern, _) in sides.items()}
    for pattern, in_front in sides.values():
        texts = texts.str.replace(pattern, in_front, regex=True)
    parts = texts.str.extract(rf"^{SIGNED}$")
    around = pd.concat([parts["before"], parts["behind"]]).dropna()
    around = around[around.map(_is_unit).astype(bool)]
    rows, found = parts.index.isin(around.index), {*around}
    for side, has in has_side.items():
        on_side = has & parts["number"].notna()
        rows, found = rows | on_side, found | ({side} if on_side.any() else set())
    return found, int(rows.sum())


def units_among(signs: Iterable[str]) -> list[str]:
    """Those of the signs that are units, in their order."""
    return [sign for sign in signs if sign not in SIDES]


def _is_unit(sign: str) -> bool:
    return sign == PERCENT or bool(currencies_of([sign]))


def currencies_of(signs: Iterable[str]) -> set[str]:
    """The codes of the currencies among ``signs``, or the sign where there is no one code."""
    known = {*CURRENCIES, *CODES}
    return {CODES.get(sign, sign) for sign in signs if sign in known or _is_currency(sign)}


def _is_currency(sign: str) -> bool:
    return len(sign) == 1 and unicodedata.category(sign) == "Sc"
