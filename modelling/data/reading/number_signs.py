"""What stands around numbers: currencies, percent, brackets below zero."""

import unicodedata
from collections.abc import Iterable

import pandas as pd

BRACKETS, PERCENT = "()", "%"
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
