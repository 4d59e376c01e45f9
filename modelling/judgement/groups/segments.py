"""Cut rows into segments by one column: labels, or bands of numbers and times.

Each row is in one segment, and no segment has fewer than ``minimum_rows`` rows: a band that is too
small joins its neighbour, small labels join each other. So nothing is left out that the total minus
all that is shown would give away, and no name or edge belongs to a few customers.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from modelling.declaration import Column
from modelling.features.microaggregation import microaggregate
from modelling.scorer.cells import label_text

BANDS = 5
AROUND = 0.05  # an edge may lie within as many of the rows, to be a round number
MOST_LABELS = 20
NOT_KNOWN, OTHERS = "(not known)", "(others)"
PERIODS = ("Y", "M", "D")  # of a time column, the first with more periods than bands


class Segments(NamedTuple):
    """The ``names`` of the segments, and for each of n rows the position of its own: ``codes``
    (n,). Fewer than two names mean that there is nothing to compare."""

    names: tuple[str, ...]
    codes: np.ndarray


def segments_of(cells: pd.Series, column: Column, minimum_rows: int) -> Segments:
    """The segments of rows by their ``cells`` (n,) of a prepared table, in their natural order."""
    if column.kind == "number":
        numbers = cells.mask(cells.isin(column.special_codes)).to_numpy(dtype=np.float64)
        numbers = np.where(np.isfinite(numbers), numbers, np.nan)
        return _bands(numbers, column.bands, minimum_rows, _number_words)
    if column.kind == "time":
        return _periods(cells, minimum_rows)
    return _labels(cells, minimum_rows)


def too_small(counts: np.ndarray, least: int, most: int | None = None) -> np.ndarray:
    """Which of the ``counts`` (g,) can't be shown one by one: those below ``least``, and all but
    the ``most`` largest. Of the others the smallest join them, until they have at least ``least``
    together: a single one that is left out is what is shown of all minus what is shown."""
    ascending = np.argsort(counts, kind="stable")
    hidden = counts < least
    hidden[ascending[: max(len(counts) - (most or len(counts)), 0)]] = True
    for position in ascending:
        if 0 < counts[hidden].sum() < least:
            hidden[position] = True
    return hidden


def _labels(cells: pd.Series, minimum_rows: int) -> Segments:
    values, labels = pd.factorize(cells)
    names = [str(label_text(label)) for label in labels]
    if (values < 0).any():
        values, names = np.where(values < 0, len(names), values), [*names, NOT_KNOWN]
    counts = np.bincount(values, minlength=len(names))
    hidden = too_small(counts, minimum_rows, MOST_LABELS)
    shown = sorted(np.flatnonzero(~hidden), key=lambda position: names[position])
    position_of = np.full(len(names), len(shown))
    position_of[shown] = np.arange(len(shown))
    large = [names[at] for at in np.flatnonzero(hidden & (counts >= minimum_rows))]
    joined = f"{large[0]} and others" if len(large) == 1 else OTHERS
    others = (joined,) if hidden.any() else ()
    return Segments((*(names[position] for position in shown), *others), position_of[values])


def _periods(times: pd.Series, minimum_rows: int) -> Segments:
    for length in PERIODS:
        periods = times.dt.to_period(length)
        if periods.nunique() > BANDS:
            break
    numbers = np.where(times.isna(), np.nan, pd.PeriodIndex(periods).asi8)

    def words(low: float | None, high: float | None) -> str:
        first, last = (end if end is None else _period(end, length) for end in (low, high))
        if low is None:
            return f"before {last}"
        return f"from {first}" if high is None else f"from {first} to before {last}"

    return _bands(numbers, (), minimum_rows, words)


def _period(ordinal: float, length: str) -> pd.Period:
    return pd.Period(ordinal=int(ordinal), freq=length)


def _number_words(low: float | None, high: float | None) -> str:
    if low is None:
        return f"under {high:,.10g}"
    return f"{low:,.10g} and over" if high is None else f"{low:,.10g} to under {high:,.10g}"


Words = Callable[[float | None, float | None], str]


def _bands(numbers: np.ndarray, declared: tuple[float, ...], least: int, words: Words) -> Segments:
    """Bands of ``numbers`` (n,), NaN where not known, between ``declared`` edges or found ones."""
    known = ~np.isnan(numbers)
    if known.sum() < least:
        return Segments((NOT_KNOWN,), np.zeros(len(numbers), dtype=np.intp))
    edges = [*declared] or _round_edges(numbers[known], least)
    edges = _wide_enough(numbers[known], edges, least)
    codes = np.where(known, np.searchsorted(edges, numbers, side="right"), len(edges) + 1)
    ends = [None, *edges, None]
    names = [words(*pair) for pair in pairwise(ends)] if edges else ["known"]
    unknown = int((~known).sum())
    if unknown >= least:
        names.append(NOT_KNOWN)
    elif unknown:
        joined = int(np.bincount(codes[known], minlength=len(names)).argmin())
        codes[~known], names[joined] = joined, f"{names[joined]} or not known"
    return Segments(tuple(names), codes)


def _round_edges(numbers: np.ndarray, least: int) -> list[float]:
    """Edges between ``BANDS`` bands of about as many rows, as round as they can be.

    A value that very many rows have is a band of its own.
    """
    values = microaggregate(numbers[:, None], least)[:, 0]
    if not len(values) or np.isnan(values[0]):
        return []
    distinct = np.unique(values)
    edges = set()
    for share in np.arange(1, BANDS) / BANDS:
        ends = np.quantile(values, [share - AROUND, share + AROUND], method="nearest")
        at, to = np.searchsorted(distinct, ends)
        around = [(at, to)] if at < to else [(at - 1, at), (at, at + 1)]
        inside = [(a, b) for a, b in around if a >= 0 and b < len(distinct)]
        edges |= {_round_between(distinct[a], distinct[b]) for a, b in inside}
    return sorted(edges)


def _round_between(low: float, high: float) -> float:
    """A round number above ``low`` and not above ``high``."""
    step = 10.0 ** np.floor(np.log10(high - low))
    middle = np.round((low + high) / 2 / step) * step
    found = middle if low < middle <= high else np.floor(high / step) * step
    return float(f"{found:.12g}") if low < float(f"{found:.12g}") <= high else float(high)


def _wide_enough(numbers: np.ndarray, edges: list[float], least: int) -> list[float]:
    """Without the edges that make a band too small: it joins its smaller neighbour."""
    edges = [*edges]
    while edges:
        counts = np.bincount(
            np.searchsorted(edges, numbers, side="right"), minlength=len(edges) + 1
        )
        at = int(counts.argmin())
        if counts[at] >= least:
            break
        neighbours = [other for other in (at - 1, at + 1) if 0 <= other < len(counts)]
        edges.pop(min(at, min(neighbours, key=lambda other: counts[other])))
    return edges
