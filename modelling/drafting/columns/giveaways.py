"""Columns that give the target away: alone, by being missing, or together.

A strong column may be honest: so it is left out for a person to decide, and said.
"""

from collections.abc import Sequence

import numpy as np

from modelling.drafting.columns.findings import ColumnFinding, TargetFinding
from modelling.drafting.columns.profiles import Profile
from modelling.leaks.columns import cells_of, missing_tells, tell_together, tells_alone
from modelling.leaks.separation import Separation, rows_to_examine

MOST = 24  # amounts, and columns of any kind, that are combined
AGAIN = 3


class Suspects:
    """Measures how much each column tells of the target on its own."""

    def __init__(self, target: TargetFinding, values: np.ndarray):
        """``values`` (s,): 1 for the positive label, class codes, or a regression's numbers."""
        self.values, self.separation = values, Separation(values, target.problem)
        self.alone: dict[str, float] = {}

    def examine(self, found: ColumnFinding, column: Profile) -> None:
        """Say in ``found`` where the column gives the target away."""
        said = self.separation.said
        if (score := missing_tells(column.codes < 0, self.separation)) is not None:
            measured = said(score, of_flag=True)
            self._accuse(found, f"being known or missing alone tells the target ({measured})")
        elif column.written != "time" and (score := self._score(column)) is not None:
            self.alone[found.name] = score
            if tells_alone(score, self.separation.problem):
                reason = f"tells the target on its own ({said(score)}): is it known before?"
                self._accuse(found, reason)

    def examine_together(self, columns: Sequence[tuple[ColumnFinding, Profile]]) -> None:
        """Of columns that tell the target together, leave out the last: what is computed of others
        comes behind them."""
        at = rows_to_examine(self.values, self.separation.problem)
        separation = Separation(self.values[at], self.separation.problem)
        amounts = [(found, column) for found, column in columns if found.kind == "amount"]
        named = {found.name: found for found, _ in columns}
        asked = {
            found.name: cells_of(
                column.values.iloc[at].rename(found.name),
                "money" if found.kind == "amount" else None,
                separation,
            )
            for some in (amounts, columns)
            for found, column in sorted(some, key=lambda pair: -self.alone[pair[0].name])[:MOST]
        }
        for _ in range(AGAIN):
            if not (told := tell_together([asked[n] for n in named if n in asked], separation)):
                return
            *others, last = sorted(told[0], key=[*named].index)
            with_others = " and ".join(map(repr, others))
            said = f"with {with_others} it tells the target ({separation.said(told[1])})"
            self._accuse(named[last], f"{said}: is it known before?")
            del asked[last]

    def _accuse(self, found: ColumnFinding, reason: str) -> None:
        found.left_out, found.gives_target_away = reason, True

    def _score(self, column: Profile) -> float | None:
        return cells_of(column.values, None, self.separation).score
