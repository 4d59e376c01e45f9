"""What stands around numbers: currencies, percent, and what says that a number is below zero."""

import unicodedata
from collections.abc import Iterable

import pandas as pd

PERCENT = "%"
BRACKETS, MINUS_BEHIND, CREDIT, DEBIT = SIDES = "()", "-", "CR", "DR"  # of zero; no units
CURRENCIES = (
    *("USD", "EUR", "GBP", "CHF", "JPY", "KRW", "CNY", "INR", "CAD", "AUD", "NZD", "SEK", "NOK"),
    *("DKK", "PLN", "CZK", "HUF", "TRY", "BRL", "MXN", "SGD", "HKD", "ZAR", "ILS", "THB", "AED"),
)
CODES = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₩": "KRW", "₹": "INR"}
DOLLARS = {"R": "BRL", "US": "USD", "A": "AUD", "AU": "AUD", "C": "CAD", "CA": "CAD", "HK": "HKD",
           "S": "SGD", "NZ": "NZD", "Mex": "MXN", "MX": "MXN"}  # fmt: skip
CODES |= {f"{country}$": code for country, code in DOLLARS.items()}
# A currency's sign or code, or %.
_UNIT = rf"(?P<{{}}>(?:{'|'.join(DOLLARS)})?\$|[^\w\s.,'+()-]|{'|'.join(CURRENCIES)})?"
SIGNED = (
    rf"[+-]?{_UNIT.format('before')}\s*[+-]?"
    rf"(?P<number>\d[\d.,'\s\u00a0\u202f]*|[.,]\d+)\s*{_UNIT.format('behind')}"
)
# How each side is written, and the number without it: (5), 5-, 5 Cr, 5 DR.
WITHOUT_SIDE = {
    BRACKETS: (r"^([^\d()]*)\(([^()]+)\)([^\d()]*)$", r"\1\2\3"),
    MINUS_BEHIND: (r"^([^-]*\d[^-.,]*?)\s*-(\s*[^\d-]*)$", r"\1\2"),
    CREDIT: (r"^(.*\d.*?)\s*[Cc][Rr]\.?$", r"\1"),
    DEBIT: (r"^(.*\d.*?)\s*[Dd][Rr]\.?$", r"\1"),
}


def signs_around(texts: pd.Series) -> tuple[set[str], int]:
    """What stands around the numbers among ``texts`` (n,) as ``around_numbers`` names it, and
    around how many."""
    texts = texts.str.strip()
    has_side = {side: texts.str.fullmatch(told) for side, (told, _) in WITHOUT_SIDE.items()}
    for told, without in WITHOUT_SIDE.values():
        texts = texts.str.replace(told, without, regex=True)
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
