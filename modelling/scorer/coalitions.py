"""Which columns become the row's together, and how the answers to that become contributions: all
coalitions of up to ten columns, or those along sampled orders of more.

References
----------
Mitchell, Cooper, Frank and Holmes (2022), "Sampling permutations for Shapley value estimation",
JMLR, for the pairs of opposite orders.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .scoring import ROWS_PER_TILE

EXACT_UP_TO = 10  # columns that differ from the reference; beyond, orders are sampled
ORDERS = 64  # sampled orders: half of them, and the same backwards
Pairs = tuple[tuple[int, int], ...]


class Coalitions(NamedTuple):
    """Which columns are the row's, and how the answers become contributions.

    ``coefficients`` is (coalitions, 1 + k + pairs) float32, for the reference, the ``k`` columns
    and their pairs; zero rows fill the last tile. ``weights`` is (k, coalitions without those):
    contributions are ``weights @ answers``.
    """

    coefficients: np.ndarray
    weights: np.ndarray


class ActiveColumns(NamedTuple):
    """What differs between a row and the reference, as far as the model can see.

    ``active`` are the columns that do; ``terms`` the positions of the terms to sum: that of the
    reference, theirs, and those of ``pairs`` of them, which are positions among the active columns.
    """

    active: tuple[int, ...]
    terms: tuple[int, ...]
    pairs: Pairs

    @property
    def coalitions(self) -> tuple[int | tuple[int, ...], Pairs]:
        """The arguments of ``coalitions_of``: up to ten columns, it only matters how many."""
        count = len(self.active)
        return (count if count <= EXACT_UP_TO else self.active), self.pairs


@lru_cache(maxsize=4096)  # few of many thousand kinds of rows are frequent
def active_columns(changes: bytes, pairs: Pairs) -> ActiveColumns:
    """``changes`` says, as a byte for each column and pair, whether it changes any feature."""
    width = len(changes) - len(pairs)
    of_pairs = [position for position, _ in enumerate(pairs, start=width) if changes[position]]
    together = [pairs[position - width] for position in of_pairs]
    active = sorted({p for p in range(width) if changes[p]}.union(*together))
    local = tuple((active.index(over), active.index(under)) for over, under in together)
    return ActiveColumns(
        tuple(active), (0, *(1 + position for position in [*active, *of_pairs])), local
    )


@lru_cache(maxsize=8)  # of many columns, each takes megabytes
def coalitions_of(active: int | tuple[int, ...], pairs: Pairs) -> Coalitions:
    """All coalitions of a number of columns, or those along sampled orders of the ``active`` ones.

    ``pairs`` are positions among the active columns.
    """
    members, weights = _all(active) if isinstance(active, int) else _along_orders(active)
    both = [members[:, over] & members[:, under] for over, under in pairs]
    coefficients = np.column_stack([np.ones(len(members)), members, *both]).astype(np.float32)
    padding = -len(coefficients) % ROWS_PER_TILE
    return Coalitions(np.pad(coefficients, ((0, padding), (0, 0))), weights)


def _all(count: int) -> tuple[np.ndarray, np.ndarray]:
    """All coalitions (2**k, k), and their Shapley weights (k, 2**k)."""
    members = (np.arange(2**count)[:, None] >> np.arange(count)) & 1 == 1
    joining = np.array([1 / (count * math.comb(count - 1, size)) for size in range(count)] + [0.0])
    sizes = members.sum(axis=1)
    weights = np.where(members, joining[sizes - 1][:, None], -joining[sizes][:, None])
    return members, np.ascontiguousarray(weights.T)


def _along_orders(active: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The coalitions on the way from the reference to the row, column by column, in the same orders
    for every row: their changes add up exactly. NumPy keeps this generator as it is for ever."""
    keys = np.random.RandomState(0).random_sample((ORDERS // 2, max(active) + 1))[:, list(active)]
    places = keys.argsort(axis=1).argsort(axis=1)
    places = np.concatenate([places, len(active) - 1 - places])[:, None, :]
    steps = np.arange(len(active) + 1)[None, :, None]
    joined, next_one = places == steps - 1, places == steps
    weights = (joined.astype(np.float64) - next_one) / ORDERS
    members = (places < steps).reshape(-1, len(active))
    return members, np.ascontiguousarray(weights.reshape(len(members), -1).T)
