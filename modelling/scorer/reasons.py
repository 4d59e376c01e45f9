"""Why a model answered as it did: by how much each raw column moved the answer of a row.

Contributions are baseline Shapley values: each raw column is either the row's or the
reference's, and its contribution is the mean change of the answer when it becomes the row's, over
all orders in which the columns can do so.

References
----------
Sundararajan and Najmi (2020), "The many Shapley values for model explanation", ICML; Shapley
(1953), "A value for n-person games"; Mitchell, Cooper, Frank and Holmes (2022), "Sampling
permutations for Shapley value estimation", JMLR, for the pairs of opposite orders.
"""

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .scoring import ROWS_PER_TILE, Scorer, log_odds, open_network
from .transformer import Columns

EXACT_UP_TO = 10  # columns that differ from the reference; beyond, orders are sampled
ORDERS = 64  # sampled orders: half of them, and the same backwards
ROWS_AT_ONCE = 128
MIXTURES_AT_ONCE = 8192
MIXTURES_IN_NETWORK = 1024  # at once: what the processor's cache holds
Pairs = tuple[tuple[int, int], ...]

SIDES = {
    "low": "is low",
    "high": "is high",
    "missing": "is missing",
    "known": "is known",
    "code": "is a special code",
    "other": "is not the usual one",
}


class Coalitions(NamedTuple):
    """Which columns are the row's, and how the answers become contributions.

    ``coefficients`` is (coalitions, 1 + k + pairs) float32, for the reference, the ``k`` columns
    and their pairs; zero rows fill the last tile. ``weights`` is (k, coalitions without those):
    contributions are ``weights @ answers``.
    """

    coefficients: np.ndarray
    weights: np.ndarray


class Felt(NamedTuple):
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


class Reasons:
    """Contributions and reasons of a packaged model.

    ``folder`` holds ``scorer.json``, and the network in two parts, ``first_layer.onnx`` and
    ``coalitions.onnx`` (``modelling.explanation.coalition_network``).

    Parameters
    ----------
    folder : Path
    scorer : Scorer
        The model itself, which this explains.
    """

    def __init__(self, folder: Path, scorer: Scorer):
        state = json.loads((folder / "scorer.json").read_text())
        self.scorer = scorer
        self.names: list[str] = state["transformer"]["columns"]
        self.reference: dict[str, Any] = state["reasons"]["reference"]
        self.words: dict[str, str | dict[str, str]] = state["reasons"]["words"]
        self.favourable = np.array(state["reasons"]["favourable"], dtype=np.intp)
        numeric = [self.names.index(name) for name in scorer.transformer.numeric]
        self.pairs: Pairs = tuple((numeric[a], numeric[b]) for a, b in scorer.transformer.ratios)
        codes = scorer.transformer.special_codes
        self.codes = {self.names[numeric[position]]: of_column for position, of_column in codes}
        self.first_layer, self.behind = (
            open_network(folder / f"{part}.onnx") for part in ("first_layer", "coalitions")
        )
        point = self._mixed({name: np.empty(1, object) for name in self.names}, 1, [()])
        self.reference_features = scorer.transformer.transform(point)
        self.reference_outputs = scorer.outputs(point)
        nothing = np.zeros_like(self.reference_features)
        self.bias, self.reference_terms = self._through_first_layer(
            np.concatenate([nothing, self.reference_features])
        )

    def contributions(self, columns: Any, outputs: np.ndarray) -> np.ndarray:
        """By how much each raw column moved the answer, away from that of the reference.

        Parameters
        ----------
        columns : Columns
            n rows as the contract has read them, which may be none.
        outputs : (n,) or (n, classes)
            The scorer's outputs for them.

        Returns
        -------
        (n, columns) float64
            In log-odds of the positive class; of several classes, in log-odds of the decided one;
            for a forecast in its unit. The sum of a row is ``explained`` of its outputs minus that
            of the reference, to rounding. A column that is as in the reference, or that the model
            can't see, has exactly 0. A row has the same bits alone and among others.
        """
        decided = self._decided(outputs)
        reference = self.explained(np.repeat(self.reference_outputs, len(outputs), 0), decided)
        differences = self.explained(outputs, decided) - reference
        contributions = np.zeros((len(outputs), len(self.names)))
        for first in range(0, len(outputs), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            effects = self._effects(columns, rows)
            contributions[rows] = self._of_rows(effects, differences[rows], decided[rows])
        return contributions

    def explained(self, outputs: np.ndarray, decided: np.ndarray) -> np.ndarray:
        """What contributions add up to, for outputs of n rows and class codes (n,): (n,)."""
        if self.scorer.problem == "regression":
            return outputs
        chosen = outputs if outputs.ndim == 1 else outputs[np.arange(len(outputs)), decided]
        return log_odds(chosen)

    def _decided(self, outputs: np.ndarray) -> np.ndarray:
        """The class that is explained: the decided one, of two classes the positive one."""
        return np.ones(len(outputs), np.intp) if outputs.ndim == 1 else outputs.argmax(axis=1)

    def _mixed(self, cells: Any, rows: int, subsets: list[tuple[int, ...]]) -> Columns:
        """``rows`` rows for each of ``subsets``: its columns are those of ``cells``, all others the
        reference's."""
        arrays = {}
        for position, name in enumerate(self.names):
            usual = self.reference[name]
            kind = np.float64 if name in self.scorer.transformer.numeric else object
            usual = math.nan if usual is None and kind is np.float64 else usual
            array = np.full((len(subsets), rows), usual, dtype=kind)
            array[[position in subset for subset in subsets]] = cells[name]
            arrays[name] = array.ravel()
        return Columns(arrays, rows * len(subsets))

    def _effects(self, columns: Any, rows: slice) -> np.ndarray:
        """How features change when one column becomes the row's, and what two columns that share a
        ratio add to that: (rows, columns + pairs, features)."""
        cells = {name: columns[name][rows] for name in self.names}
        count, width = len(cells[self.names[0]]), len(self.names)
        subsets: list[tuple[int, ...]] = [*((p,) for p in range(width)), *self.pairs]
        features = self.scorer.transformer.transform(self._mixed(cells, count, subsets))
        features = features.reshape(len(subsets), count, -1)
        of_one = features[:width] - self.reference_features
        over, under = (np.array([pair[side] for pair in self.pairs], np.intp) for side in (0, 1))
        of_both = (features[width:] - features[over]) - of_one[under]
        return np.concatenate([of_one, of_both]).swapaxes(0, 1)

    def _through_first_layer(self, features: np.ndarray) -> np.ndarray:
        """(n, features) to (n, units). A row has the same bits alone and among others."""
        padded = np.pad(features, ((0, -len(features) % ROWS_PER_TILE), (0, 0)))
        return self.first_layer.run(None, {"features": padded})[0][: len(features)]

    def _of_rows(
        self, effects: np.ndarray, differences: np.ndarray, decided: np.ndarray
    ) -> np.ndarray:
        """Contributions (rows, columns). Rows with the same coalitions go through the network
        together, as many as fit."""
        rows, count, _ = effects.shape
        terms = np.empty((rows, 1 + count, len(self.bias)), dtype=np.float32)
        moved = self._through_first_layer(effects.reshape(rows * count, -1))
        terms[:, 0] = self.reference_terms
        terms[:, 1:] = moved.reshape(rows, count, -1) - self.bias
        felt = [felt_of(of_row.tobytes(), self.pairs) for of_row in np.any(effects, axis=2)]
        alike: dict[Any, list[int]] = {}
        for row, of_row in enumerate(felt):
            alike.setdefault(of_row.coalitions, []).append(row)
        contributions = np.zeros((rows, len(self.names)))
        for key, found in alike.items():
            plan = coalitions_of(*key)
            size = max(MIXTURES_AT_ONCE // len(plan.coefficients), 1)
            for at in np.split(np.array(found), range(size, len(found), size)):
                active, used = (
                    np.array([felt[row][part] for row in at], np.intp) for part in (0, 1)
                )
                shares = self._shares(plan, terms[at[:, None], used], differences[at], decided[at])
                contributions[at[:, None], active] = shares
        return contributions

    def _shares(
        self, plan: Coalitions, terms: np.ndarray, differences: np.ndarray, decided: np.ndarray
    ) -> np.ndarray:
        """Contributions (rows, k) of the active columns, from ``terms`` (rows, 1 + k + pairs,
        units)."""
        count, size = len(terms), max(MIXTURES_IN_NETWORK // len(plan.coefficients), 1)
        parts = [terms[first : first + size] for first in range(0, count, size)]
        fed = [{"terms": part, "coalitions": plan.coefficients} for part in parts]
        raw = np.concatenate([self.behind.run(None, inputs)[0] for inputs in fed])
        outputs = self.scorer.calibrated_outputs(raw)
        values = self.explained(outputs, decided.repeat(len(plan.coefficients)))
        values = values.reshape(count, 1, -1)[..., : plan.weights.shape[1]]
        shares = (plan.weights * values).sum(axis=2)
        # The network rounds its sums in another order here: what is left is shared in proportion.
        sizes = np.abs(shares)
        left, whole = differences - shares.sum(axis=1), sizes.sum(axis=1)
        return (
            shares + sizes * np.divide(left, whole, out=np.zeros(count), where=whole > 0)[:, None]
        )

    def answers(self, columns: Any, outputs: np.ndarray, most: int) -> dict[str, np.ndarray]:
        """The reasons of each row, the weightiest first.

        A row that is refused, whose decided class is not among the favourable ones where there are
        any, has only what speaks for that; any other row what moved its answer most, in either
        direction.

        Parameters
        ----------
        columns, outputs
            As for ``contributions``.
        most : int
            How many reasons a row has at most; never more than there are columns.

        Returns
        -------
        dict
            Arrays (n,) by the names of ``types_of``; None and NaN where there are fewer reasons.
        """
        contributions, decided = self.contributions(columns, outputs), self._decided(outputs)
        # Against the customer is what lowers the log-odds of a class that he wishes for.
        against = np.where(np.isin(decided, self.favourable), -1, 1)
        weights = np.abs(contributions)
        if len(self.favourable):
            refused = ~np.isin(self.scorer.decide(columns, outputs), self.favourable)
            adverse = np.maximum(contributions * against[:, None], 0)
            weights = np.where(refused[:, None], adverse, weights)
        rows = np.arange(len(outputs))
        order = np.argsort(-weights, axis=1, kind="stable").T[:most]
        answers: dict[str, np.ndarray] = {}
        for number, chosen in enumerate(order, start=1):
            is_reason, effects = weights[rows, chosen] > 0, contributions[rows, chosen]
            words = [
                self._in_words(
                    self.names[p],
                    columns[self.names[p]][row],
                    effects[row],
                    decided[row],
                    against[row],
                )
                for row, p in enumerate(chosen)
            ]
            said, named = np.array(words, dtype=object), np.array(self.names, dtype=object)[chosen]
            said[~is_reason] = named[~is_reason] = None
            values: Any = (said, named, np.where(is_reason, effects, np.nan))
            answers |= zip(self.types_of(number, number - 1), values, strict=True)
        return answers

    def types_of(self, most: int, first: int = 0) -> dict[str, str]:
        """The names of the answers with their types: words, column and contribution of each."""
        types: dict[str, str] = {}
        for number in range(first + 1, min(most, len(self.names)) + 1):
            types |= {f"reason_{number}": "string", f"reason_{number}_column": "string"}
            types[f"reason_{number}_effect"] = "double"
        return types

    def _in_words(self, name: str, cell: Any, effect: float, decided: int, against: int) -> str:
        side, declared = self.side_of(name, cell), self.words.get(name, "")
        if not isinstance(declared, str):
            declared = declared.get(side, "")
        if declared and effect * against > 0:
            return declared
        moved = "the forecast" if self.scorer.problem == "regression" else "the probability"
        if self.scorer.problem == "multiclass":
            moved += f" of {self.scorer.classes[decided]}"
        return f"{name} {SIDES[side]}: {'raises' if effect > 0 else 'lowers'} {moved}"

    def side_of(self, name: str, cell: Any) -> str:
        """Where a cell lies, seen from the reference: one of ``SIDES``; never the cell itself."""
        usual = self.reference[name]
        if cell is None or cell != cell or cell in (math.inf, -math.inf):
            return "missing"
        if cell in self.codes.get(name, ()):
            return "code"
        if usual is None:
            return "known"
        if isinstance(cell, str):
            return "other"
        return "high" if cell > usual else "low"


@lru_cache(maxsize=4096)  # few of many thousand kinds of rows are frequent
def felt_of(felt: bytes, pairs: Pairs) -> Felt:
    """``felt`` says, as a byte for each column and pair, whether the row's effect is felt."""
    width = len(felt) - len(pairs)
    of_pairs = [position for position, _ in enumerate(pairs, start=width) if felt[position]]
    together = [pairs[position - width] for position in of_pairs]
    active = sorted({p for p in range(width) if felt[p]}.union(*together))
    local = tuple((active.index(over), active.index(under)) for over, under in together)
    return Felt(tuple(active), (0, *(1 + position for position in [*active, *of_pairs])), local)


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
