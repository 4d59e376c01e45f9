"""One column as it is: read as what its cells are, counted over all rows, kept for a sample."""

from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Literal

import numpy as np
import pandas as pd

from modelling.data.reading.cells import is_text, read_cells, texts_of
from modelling.data.reading.number_text import TextFormat
from modelling.data.reading.other_writing import currency_of
from modelling.data.reading.times import is_time
from modelling.drafting.columns.name_words import (
    CODES,
    COUNTS,
    MONEY,
    MONEY_AT_THE_END,
    NEVER_SIZES,
    TIMES,
    YEARS,
    suggests,
)
from modelling.drafting.columns.number_format import (
    FEW_WRONG,
    is_number,
    probe,
)
from modelling.drafting.columns.unread_dates import may_be_dates
from modelling.drafting.columns.written_dates import (
    are_days_of_excel,
    are_digits_of_dates,
    looks_like_dates,
)
from modelling.refusals import DataRefused
from modelling.scorer.cells import label_text

HARDLY_REPEATED = 0.5
Written = Literal["number", "time", "text"]


@dataclass
class Profile:
    """A column of n rows: what it was read as, counts over all rows, and the cells of the sample.

    ``values`` (s,) are float64, times without a zone or text; ``codes`` (s,) say which cells are
    the same, -1 where missing; ``counts`` how many rows of the sample hold each. ``unreadable``
    cells are no numbers (or times) though nearly all others are; ``refused`` says in how many ways
    the column can be read; ``currency`` is the one beside its numbers. ``all_values`` (n,) are kept
    until the column is described: what a declaration refuses must hold for rows outside the sample,
    too.
    """

    name: str
    written: Written
    rows: int
    missing: int
    values: pd.Series
    codes: np.ndarray
    counts: np.ndarray
    unreadable: int = 0
    currency: str | None = None
    refused: str | None = None
    all_values: pd.Series | None = None

    @property
    def distinct(self) -> int:
        """How many different cells the sample has."""
        return len(self.counts)

    @property
    def known(self) -> pd.Series:
        return self.values[self.codes >= 0]

    @property
    def whole(self) -> bool:
        """Whether all numbers are whole."""
        return self.written == "number" and are_whole(self.known.to_numpy(dtype=np.float64))

    @property
    def in_all_rows(self) -> pd.Series:
        """The known cells of all rows, as long as they are there."""
        assert self.all_values is not None
        return self.all_values.dropna()

    def take_hashes(self) -> np.ndarray:
        """One number for each cell of all rows (n,), once: the cells take memory."""
        values, self.all_values = self.all_values, None
        assert values is not None
        return _hashes(values)

    @property
    def digest(self) -> bytes:
        """The same for columns whose cells are in one-to-one correspondence. Where hardly a number
        repeats, as in all amounts with cents, they must also be in the same order."""
        codes = self.codes
        if self.written == "number" and self.distinct > HARDLY_REPEATED * len(self.known):
            codes = pd.factorize(self.values, sort=True)[0]
        return blake2b(codes.astype(np.int32).tobytes(), digest_size=16).digest()


def are_whole(numbers: np.ndarray) -> bool:
    """Whether all finite ``numbers`` (k,) are whole."""
    return bool((numbers[np.isfinite(numbers)] % 1 == 0).all())


def profile_column(
    cells: pd.Series, text_format: TextFormat, sample: np.ndarray, as_time: bool = False
) -> Profile:
    """Read all ``cells`` (n,) of a column, and keep those at the positions ``sample`` (s,)."""
    name = str(cells.name)
    some = probe(cells)
    some = some[~some.astype("str").str.strip().isin(text_format.missing)]
    written = _written(some, name, text_format, as_time)
    if written == "number" and is_text(cells) and _are_like_exponents(cells, name):
        written = "text"
    refused = None
    try:
        values, unreadable = _read(cells, written, text_format)
    except DataRefused as error:
        if as_time:
            raise
        values, unreadable, refused = cells, 0, str(error).removeprefix(f"{name}: ")
    if unreadable or refused:  # as labels they can be counted at least
        values = texts_of(cells, label_text)
    kept = values.iloc[sample].reset_index(drop=True)
    codes, unique = pd.factorize(kept)
    return Profile(
        name=name,
        written="text" if unreadable or refused else written,
        rows=len(cells),
        missing=int(values.isna().sum()),
        values=kept,
        codes=codes,
        counts=np.bincount(codes[codes >= 0], minlength=len(unique)),
        unreadable=unreadable,
        currency=currency_of(some, text_format) if written == "number" else None,
        refused=refused,
        all_values=values,
    )


def _written(some: pd.Series, name: str, text_format: TextFormat, as_time: bool) -> Written:
    if as_time or pd.api.types.is_datetime64_any_dtype(some.dtype):
        return "time"
    if pd.api.types.is_timedelta64_dtype(some.dtype):
        return "number"  # as which it is refused, with what to do
    is_dated = partial(is_time, some, text_format.date_format)
    if is_text(some) and looks_like_dates(some) and is_dated():
        return "time"
    if are_digits_of_dates(some) or (are_days_of_excel(some) and is_dated()):
        return "time"
    if text_format.date_format and may_be_dates(pd.Series(some.unique())) and is_dated():
        return "time"
    if is_text(some) and _are_codes(some.astype("str"), name):
        return "text"
    if _are_too_long(some):
        return "text"
    if is_number(some, text_format):
        return "time" if _are_dates(some, name, text_format.date_format) else "number"
    if len(some) and some.map(lambda cell: not isinstance(cell, int | float | bool)).all():
        return "time" if is_dated(few_wrong=FEW_WRONG) else "text"
    return "text"


def _are_codes(some: pd.Series, name: str) -> bool:
    """Whether digits are no size: "01067" is none, nor is "01.11" where the name says a code."""
    coded = suggests(name, f"{CODES} {NEVER_SIZES}")
    padded = some.str.fullmatch(r"0\d+(?:\.\d+)?" if coded else r"0\d+").any()
    return bool(padded) or suggests(name, NEVER_SIZES)


def _are_like_exponents(cells: pd.Series, name: str) -> bool:
    """Whether 2E5 is a code and not 200,000: beside nothing but digits, and not of money. What
    programs write of numbers has a sign or a fraction somewhere: 2e+05, 2.0E5, 12.0."""
    texts = cells.dropna().astype("str").str.strip()
    powers = texts.str.fullmatch("[0-9]+[eE][0-9]+")
    if not powers.any() or suggests(name, f"{MONEY} {MONEY_AT_THE_END} {COUNTS}"):
        return False
    return bool(texts[~powers].str.fullmatch("[0-9]*").all())


def _are_too_long(some: pd.Series) -> bool:
    """Whether whole numbers have so many digits that as floats different ones would be the same."""
    texts = some.map(label_text).astype("str")
    digits = texts[texts.str.fullmatch(r"-?\d{16,}")].unique()
    return len({*map(float, digits)}) < len(digits)


def _are_dates(some: pd.Series, name: str, date_format: str | None) -> bool:
    """Whether digits are times as they are declared, or since 1970, by their name."""
    named = suggests(name, TIMES) and not suggests(name, YEARS)
    digits = some.map(label_text).astype("str").str.fullmatch(r"\d{5,19}")
    return named and bool(digits.all()) and is_time(some, date_format)


def _read(cells: pd.Series, written: Written, text_format: TextFormat) -> tuple[pd.Series, int]:
    if written == "text":
        return texts_of(cells, label_text), 0
    return read_cells(cells, written, text_format)


def _hashes(values: pd.Series) -> np.ndarray:
    """One number for each cell (n,), the same for the same cell."""
    if pd.api.types.is_float_dtype(values.dtype):
        return pd.util.hash_array(values.to_numpy())
    codes, unique = pd.factorize(values)
    hashed = pd.util.hash_array(unique.to_numpy(dtype=object))
    return np.append(hashed, np.uint64(0))[codes]
