"""Columns that give the target away: alone, or by being missing.

A strong column may be honest: so it is left out for a person to decide, and said.
"""

import numpy as np

from modelling.drafting.columns.findings import ColumnFinding, TargetFinding
from modelling.drafting.columns.profiles import Profile
from modelling.leaks.columns import cells_of, missing_tells, tells_alone
from modelling.leaks.separation import Separation


class Suspects:
    """Measures how much each column tells of the target on its own."""

    def __init__(self, target: TargetFinding, values: np.ndarray):
        """``values`` (s,): 1 for the positive label, class codes, or a regression's numbers."""
        self.separation = Separation(values, target.problem)
        self.alone: dict[str, float] = {}

    def examine(self, found: ColumnFinding, column: Profile) -> None:
        """Say in ``found`` where the column gives the target away."""
        said = self.separation.said
        if (score := missing_tells(column.codes < 0, self.separation)) is not None:
            self._accuse(found, f"being known or missing alone tells the target ({said(score)})")
        elif column.written != "time" and (score := self._score(column)) is not None:
            self.alone[found.name] = score
            if tells_alone(score, self.separation.problem):
                reason = f"tells the target on its own ({said(score)}): is it known before?"
                self._accuse(found, reason)

    def _accuse(self, found: ColumnFinding, reason: str) -> None:
        found.left_out, found.gives_target_away = reason, True

    def _score(self, column: Profile) -> float | None:
        return cells_of(column.values, None, self.separation).score
