"""Columns that give the target away: alone, by being missing, as row numbers, or together."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from modelling.leaks.separation import Separation
from modelling.schema import Problem

# Of the tables known here, the best honest column reaches 0.97 (ROC AUC) or 0.95 (kappa).
TOO_GOOD: dict[Problem, float] = {"binary": 0.98, "multiclass": 0.98, "regression": 0.99}
# From here on it is no honest column: tomorrow's rate or balance follows from today's up to 0.997.
CERTAIN: dict[Problem, float] = {**TOO_GOOD, "regression": 0.9995}
TOO_GOOD_MISSING = 0.9
MORE_THAN_CHANCE: dict[Problem, float] = {"binary": 0.6, "multiclass": 0.1, "regression": 0.1}
NEARLY_UNIQUE = 0.95  # different cells for each row: the column numbers or names rows
COARSE = 16  # cells of a column that is combined with others
MOST_AMOUNTS, MOST_COLUMNS, MOST_QUOTIENTS = 24, 12, 3
MOST_CELLS = 65_536


class Cells(NamedTuple):
    """A column of n rows, as it is examined: its ``cells`` (n,) as whole numbers, 0 where missing;
    its ``numbers`` (n,), where it has some; and its ``score`` alone."""

    name: str
    unit: str | None
    numbers: np.ndarray | None
    cells: np.ndarray
    score: float | None


def cells_of(values: pd.Series, unit: str | None, separation: Separation) -> Cells:
    """The cells of a typed column (n,), and how well they tell the target."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64)
        cells = separation.bins(numbers)
    else:
        numbers, cells = None, pd.factorize(values)[0] + 1
    return Cells(str(values.name), unit, numbers, cells, separation.score(cells))


def tells_alone(score: float | None, problem: Problem) -> bool:
    return score is not None and score >= TOO_GOOD[problem]


def missing_tells(missing: np.ndarray, separation: Separation) -> float | None:
    """How well ``missing`` (n,) alone tells the target, where that is nearly perfectly."""
    if not 0 < missing.mean() < 1:
        return None
    score = separation.score_of_flag(missing.astype(np.int64))
    return score if score is not None and score >= TOO_GOOD_MISSING else None


def is_row_number(numbers: np.ndarray, table_rows: int) -> bool:
    """Whether ``numbers`` (n,) may only number the rows of a table: whole, hardly one twice, and in
    the order of the rows or nearly without gaps."""
    known = numbers[np.isfinite(numbers)]
    if not len(known) or (known % 1 != 0).any():
        return False
    if len(np.unique(known)) < NEARLY_UNIQUE * len(numbers):
        return False
    steps = np.diff(known)
    in_order = bool((steps > 0).all() or (steps < 0).all())
    return in_order or has_few_gaps(numbers, table_rows)


def has_few_gaps(numbers: np.ndarray, table_rows: int) -> bool:
    """Whether ``numbers`` (n,) span hardly more than a table has rows. Otherwise what is in the
    order of the rows may be an honest number by which the table was sorted."""
    return bool(np.nanmax(numbers) - np.nanmin(numbers) < 1.2 * table_rows)


def order_tells(values: pd.Series, separation: Separation) -> float | None:
    """How well the order of an identifier (n,) tells the target, where it does beyond chance."""
    ranks = pd.factorize(values, sort=True)[0].astype(np.float64)
    score = separation.score(separation.bins(np.where(ranks < 0, np.nan, ranks), COARSE))
    limit = (1 + MORE_THAN_CHANCE[separation.problem]) / 2
    return score if score is not None and score >= limit else None


def tell_together(
    columns: Sequence[Cells], separation: Separation
) -> tuple[tuple[str, ...], float] | None:
    """The fewest columns that tell the target together though none does alone, and how well.

    Looked at are the quotients of two amounts of one unit, the best quotients beside a third
    column, and pairs of the columns that tell most alone. None where these tell too little.
    """
    limit = TOO_GOOD[separation.problem]
    looked_at: dict[tuple[str, ...], float] = {}
    quotients = [*_quotients(columns, separation)]
    for steps in (_scored(quotients, separation), _pairs(columns, separation)):
        looked_at |= dict(steps)
    if not looked_at or max(looked_at.values()) < limit:
        looked_at |= dict(_triples(quotients, looked_at, columns, separation))
    best = max(looked_at, key=lambda names: looked_at[names], default=())
    return (best, looked_at[best]) if best and looked_at[best] >= limit else None


Named = tuple[tuple[str, ...], np.ndarray]
Scored = Iterator[tuple[tuple[str, ...], float]]


def _quotients(columns: Sequence[Cells], separation: Separation) -> Iterator[Named]:
    amounts = _most_telling([column for column in columns if column.unit], MOST_AMOUNTS)
    for over, under in combinations(amounts, 2):
        if over.unit == under.unit and over.numbers is not None and under.numbers is not None:
            with np.errstate(all="ignore"):
                yield (over.name, under.name), separation.bins(over.numbers / under.numbers)


def _pairs(columns: Sequence[Cells], separation: Separation) -> Scored:
    for one, other in combinations(_most_telling(columns, MOST_COLUMNS), 2):
        joint = _joint(_coarse(one, separation), _coarse(other, separation))
        yield from _scored([((one.name, other.name), joint)], separation)


def _triples(
    quotients: Sequence[Named],
    scores: dict[tuple[str, ...], float],
    columns: Sequence[Cells],
    separation: Separation,
) -> Scored:
    ranked = sorted(quotients, key=lambda quotient: -scores.get(quotient[0], 0.0))
    for names, cells in ranked[:MOST_QUOTIENTS]:
        for third in columns:
            if third.name not in names:
                joint = _joint(cells, _coarse(third, separation))
                yield from _scored([((*names, third.name), joint)], separation)


def _scored(named: Sequence[Named], separation: Separation) -> Scored:
    for names, cells in named:
        if cells.max(initial=0) < MOST_CELLS and (score := separation.score(cells)) is not None:
            yield names, score


def _most_telling(columns: Sequence[Cells], most: int) -> list[Cells]:
    """At most so many, in the order of ``columns``."""
    ranked = sorted(columns, key=lambda column: -(column.score or 0.0))[:most]
    kept = {column.name for column in ranked}
    return [column for column in columns if column.name in kept]


def _coarse(column: Cells, separation: Separation) -> np.ndarray:
    if column.numbers is None or column.cells.max(initial=0) <= COARSE:
        return column.cells
    return separation.bins(column.numbers, COARSE)


def _joint(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return one * (other.max(initial=0) + 1) + other
