"""By how much each raw column moved the answer of a row.

Contributions are baseline Shapley values: each raw column is either the row's or the
reference's, and its contribution is the mean change of the answer when it becomes the row's, over
all orders in which the columns can do so.

References
----------
Sundararajan and Najmi (2020), "The many Shapley values for model explanation", ICML; Shapley
(1953), "A value for n-person games".
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from .coalitions import Coalitions, Pairs, active_columns, coalitions_of
from .scoring import ROWS_PER_TILE, Scorer, log_odds, open_network
from .transformer import Columns

ROWS_AT_ONCE = 128
MIXTURES_AT_ONCE = 8192
MIXTURES_IN_NETWORK = 1024  # at once: what the processor's cache holds


class Contributions:
    """How a packaged model's answers are shared among the raw columns.

    Parameters
    ----------
    folder : Path
        It holds the network in two parts, ``first_layer.onnx`` and ``coalitions.onnx``
        (``modelling.explanation.coalition_network``).
    names : list of str
        The raw columns, in the order of the contributions.
    reference : dict
        Their values in the usual row; None is missing.
    scorer : Scorer
        The model itself, which this explains.
    """

    def __init__(self, folder: Path, names: list[str], reference: dict[str, Any], scorer: Scorer):
        self.names, self.reference, self.scorer = names, reference, scorer
        numeric = [self.names.index(name) for name in scorer.transformer.numeric]
        self.pairs: Pairs = tuple((numeric[a], numeric[b]) for a, b in scorer.transformer.ratios)
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

    def of(self, columns: Any, outputs: np.ndarray) -> np.ndarray:
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
        decided = self.decided(outputs)
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

    def decided(self, outputs: np.ndarray) -> np.ndarray:
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
        terms = self._terms(effects)
        active_of = [
            active_columns(of_row.tobytes(), self.pairs) for of_row in np.any(effects, axis=2)
        ]
        alike: dict[Any, list[int]] = {}
        for row, of_row in enumerate(active_of):
            alike.setdefault(of_row.coalitions, []).append(row)
        contributions = np.zeros((len(effects), len(self.names)))
        for key, found in alike.items():
            plan = coalitions_of(*key)
            size = max(MIXTURES_AT_ONCE // len(plan.coefficients), 1)
            for at in np.split(np.array(found), range(size, len(found), size)):
                active, used = (
                    np.array([active_of[row][part] for row in at], np.intp) for part in (0, 1)
                )
                shares = self._shares(plan, terms[at[:, None], used], differences[at], decided[at])
                contributions[at[:, None], active] = shares
        return contributions

    def _terms(self, effects: np.ndarray) -> np.ndarray:
        """What goes into the first layer's units: (rows, 1 + columns + pairs, units). The first is
        that of the reference; a mixture's is the sum of it and of the effects that it has."""
        rows, count, _ = effects.shape
        terms = np.empty((rows, 1 + count, len(self.bias)), dtype=np.float32)
        moved = self._through_first_layer(effects.reshape(rows * count, -1))
        terms[:, 0] = self.reference_terms
        terms[:, 1:] = moved.reshape(rows, count, -1) - self.bias
        return terms

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
