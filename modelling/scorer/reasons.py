"""Why a model answered as it did, in words: the raw columns that moved the answer of a row most."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from .contributions import Contributions
from .scoring import Scorer

SIDES = {
    "low": "is low",
    "high": "is high",
    "missing": "is missing",
    "known": "is known",
    "code": "is a special code",
    "other": "is not the usual one",
}


class Reasons:
    """The reasons of a packaged model, from the contributions of its raw columns.

    Parameters
    ----------
    folder : Path
        It holds ``scorer.json``, and what ``Contributions`` needs.
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
        numeric, codes = scorer.transformer.numeric, scorer.transformer.special_codes
        self.codes = {numeric[position]: of_column for position, of_column in codes}
        self.contributions = Contributions(folder, self.names, self.reference, scorer)

    def answers(self, columns: Any, outputs: np.ndarray, most: int) -> dict[str, np.ndarray]:
        """The reasons of each row, the weightiest first.

        A row that is refused, whose decided class is not among the favourable ones where there are
        any, has only what speaks for that; any other row what moved its answer most, in either
        direction.

        Parameters
        ----------
        columns, outputs
            As for ``Contributions.of``.
        most : int
            How many reasons a row has at most; never more than there are columns.

        Returns
        -------
        dict
            Arrays (n,) by the names of ``types_of``; None and NaN where there are fewer reasons.
        """
        contributions = self.contributions.of(columns, outputs)
        decided = self.contributions.decided(outputs)
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
            answers |= zip(_names_of(number), values, strict=True)
        return answers

    def types_of(self, most: int) -> dict[str, str]:
        """The names of up to so many reasons with the types of their words, column and effect."""
        numbers = range(1, min(most, len(self.names)) + 1)
        types = ("string", "string", "double")
        return {k: v for n in numbers for k, v in zip(_names_of(n), types, strict=True)}

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


def _names_of(number: int) -> tuple[str, str, str]:
    """The answers with the words, the column and the contribution of a reason, counted from 1."""
    return f"reason_{number}", f"reason_{number}_column", f"reason_{number}_effect"
