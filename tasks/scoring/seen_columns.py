"""What the columns of a file held, in counts alone, beside those that the model was judged on."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from modelling.watching.drift import Drift, drift_between
from modelling.watching.profile import JudgedNumbers

ENOUGH_ROWS = 100  # in fewer, a share says nothing
ROWS_OF_A_BATCH = 5_000  # are counted at least, where it has as many: every n-th of them


class Seen(NamedTuple):
    """Of each input, in how many rows it has a value; and how many rows, of some of them, lie in
    each bin (bins,) of the rows that the model was judged on, for each column of numbers."""

    known: Counter[str]
    bins: dict[str, np.ndarray]

    @classmethod
    def in_rows(cls, frame: pd.DataFrame, judged: Mapping[str, JudgedNumbers]) -> "Seen":
        some = frame[:: max(len(frame) // ROWS_OF_A_BATCH, 1)]
        bins = {
            name: numbers.of(pd.to_numeric(some[name], errors="coerce").to_numpy(np.float64))
            for name, numbers in judged.items()
            if name in some
        }
        return cls(Counter({str(name): int(rows) for name, rows in frame.count().items()}), bins)

    def add(self, others: "Seen") -> None:
        self.known.update(others.known)
        for name, rows in others.bins.items():
            self.bins[name] = self.bins.get(name, 0) + rows

    def empty(self) -> list[str]:
        """The columns without a value in any row."""
        return [name for name, rows in self.known.items() if not rows]

    def drifted(self, judged: Mapping[str, JudgedNumbers]) -> list[Drift]:
        """The columns of numbers with an alarm of a watch, as of amounts in another unit, but for
        empty ones; the largest drift first."""
        found = [
            drift_between(name, judged[name].counts, rows)
            for name, rows in self.bins.items()
            if self.known[name] and rows.sum() >= judged[name].counts.least
        ]
        return sorted((d for d in found if d.level == "large"), key=lambda drift: -drift.psi)
