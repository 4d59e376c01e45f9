"""What stands around numbers: currencies, percent, and what says that a number is below zero."""

import unicodedata
from collections.abc import Collection, Iterable
from typing import get_args

import pandas as pd

from modelling.declaration.declared_data import ThousandsMark

MARKS = "".join(get_args(ThousandsMark))  # all that stand between digits: both decimal marks, too
WIDE_BLANKS = "".join(mark for mark in MARKS if mark.isspace())  # Arrow's \\s knows one of them
BLANK = rf"[\s{WIDE_BLANKS}]"
BLANKS = f"{BLANK}*"
PERCENT = "%"
BRACKETS, MINUS_BEHIND = "()", "-"
# What ledgers write beside debits, which are below zero, and beside credits.
CREDIT_OF = {"DR": "CR", "D": "C", "Soll": "Haben", "S": "H"}
BELOW_ZERO = (BRACKETS, MINUS_BEHIND, *CREDIT_OF)
CURRENCIES = (
    *("USD", "EUR", "GBP", "CHF", "JPY", "KRW", "CNY", "INR", "CAD", "AUD", "NZD", "SEK", "NOK"),
    *("DKK", "PLN", "CZK", "HUF", "TRY", "BRL", "MXN", "SGD", "HKD", "ZAR", "ILS", "THB", "AED"),
)
CODES = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₩": "KRW", "₹": "INR"}
DOLLARS = {"R": "BRL", "US": "USD", "A": "AUD", "AU": "AUD", "C": "CAD", "CA": "CAD", "HK": "HKD",
           "S": "SGD", "NZ": "NZD", "Mex": "MXN", "MX": "MXN"}  # fmt: skip
CODES |= {f"{country}$": code for country, code in DOLLARS.items()}
CODES |= {"Rs.": "INR", "Rs": "INR", "RM": "MYR", "Rp": "IDR"}
_LETTERS = "|".join((*CURRENCIES, r"Rs\.", "Rs", "RM", "Rp"))
# A currency's sign or code, or %.
_UNIT = rf"(?P<{{}}>(?:{'|'.join(DOLLARS)})?\$|[^\w\s{MARKS}+()-]|{_LETTERS})?"
SIGNED = (
    rf"[+-]?{_UNIT.format('before')}{BLANKS}[+-]?"
    rf"(?P<number>\d[\d\s{MARKS}]*|[.,]\d+){BLANKS}{_UNIT.format('behind')}"
)
ANY_UNIT = r"[^\d()-]*"
LONGEST = 60  # letters of a number with all that stands around it


def _in_any_capitals(word: str) -> str:
    """The pattern of a word; a letter alone is capital: 5 s and 3 h are durations."""
    return "".join(f"[{c.upper()}{c.lower()}]" for c in word) + r"\.?" if len(word) > 1 else word


BOOKED = {word: _in_any_capitals(word) for pair in CREDIT_OF.items() for word in pair}
# What of a side is written behind a unit.
BEHIND_UNIT = rf"(?:\)|{BLANKS}-|{BLANKS}(?:{'|'.join(BOOKED.values())}))?"


def side_patterns(unit: str) -> dict[str, tuple[str, str]]:
    """How each side is written, (5), 5-, 5 DR, 5 Cr and S 5, and the same with its sign in front.

    ``unit`` is the pattern of what may stand beside the number and its side. Arrow and Python both
    read these patterns.
    """
    return {
        BRACKETS: (rf"^({unit}{BLANKS})\(([^()]+)\)({BLANKS}{unit})$", r"-\1\2\3"),
        MINUS_BEHIND: (rf"^([^-]*\d[^-.,]*?){BLANKS}-({BLANKS}{unit})$", r"-\1\2"),
        **{word: (_beside(BOOKED[word]), r"-\1\2\3") for word in CREDIT_OF},
        **{word: (_beside(BOOKED[word]), r"\1\2\3") for word in CREDIT_OF.values()},
    }


def _beside(word: str) -> str:
    """The pattern of a number with a word behind it or before it, of which no letter is another
    word's: the D of 5 AUD is none."""
    apart = rf"[^-]*\d(?:[^-]*[^-A-Za-z\s{WIDE_BLANKS}])?"
    return (
        rf"^(?:({apart}){BLANKS}{word}|([^-]*\d[^-]*?){BLANK}+{word}|"
        rf"{word}{BLANKS}([^-A-Za-z]*\d[^-]*))$"
    )


def sides_among(signs: Collection[str]) -> list[str]:
    """Those of the signs that say on which side of zero a number is, in their order. S, Soll and
    D do so only beside H, Haben and C: where all numbers have an S, it may stand for seconds."""
    both = {word for pair in CREDIT_OF.items() if {*pair} <= {*signs} for word in pair}
    sure = {BRACKETS, MINUS_BEHIND, "DR", "CR", *both}
    return [sign for sign in signs if sign in sure]


def signs_around(texts: pd.Series) -> tuple[set[str], int]:
    """What stands around the numbers among ``texts`` (n,) as ``around_numbers`` names it, and
    around how many."""
    texts = texts.str.strip()
    # Nothing stands around the others; in long text, such as JSON, these patterns look for minutes.
    texts = texts[~texts.str.fullmatch(rf"[+-]?[\d{MARKS}]+") & (texts.str.len() <= LONGEST)]
    if texts.empty:
        return set(), 0
    sides = side_patterns(ANY_UNIT)
    has_side = {side: texts.str.fullmatch(pattern) for side, (pattern, _) in sides.items()}
    for pattern, in_front in sides.values():
        texts = texts.str.replace(pattern, in_front, regex=True)
    parts = texts.str.extract(rf"^{SIGNED}$")
    around = pd.concat([parts["before"], parts["behind"]]).dropna()
    around = around[around.map(_is_unit).astype(bool)]
    rows, found = parts.index.isin(around.index), {*around}
    on_side = {side: has & parts["number"].notna() for side, has in has_side.items()}
    for side in sides_among([side for side, numbers in on_side.items() if numbers.any()]):
        rows, found = rows | on_side[side], found | {side}
    return found, int(rows.sum())


def units_among(signs: Collection[str]) -> list[str]:
    """Those of the signs that are units, in their order."""
    sides = sides_among(signs)
    return [sign for sign in signs if sign not in sides]


def _is_unit(sign: str) -> bool:
    return sign == PERCENT or bool(currencies_of([sign]))


def currencies_of(signs: Iterable[str]) -> set[str]:
    """The codes of the currencies among ``signs``, or the sign where there is no one code."""
    known = {*CURRENCIES, *CODES}
    return {CODES.get(sign, sign) for sign in signs if sign in known or _is_currency(sign)}


def _is_currency(sign: str) -> bool:
    return len(sign) == 1 and unicodedata.category(sign) == "Sc"
