"""Columns that give the target away: alone, by being missing, or by being known only later.

A column is measured on half of the sampled rows, and judged on the other half, so that many labels
are no evidence. A strong column may be honest: so it is left out for a person to decide, and said.
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import r2_score, roc_auc_score

from modelling.drafting.columns.findings import ColumnFinding, TargetFinding
from modelling.drafting.columns.profiles import Profile

TOO_GOOD = 0.98  # ROC AUC of a single column; the best honest ones of the tables known here: 0.97
TOO_GOOD_MISSING = 0.9
TOO_GOOD_FIT = 0.99  # R2 or rank correlation of a single column and a regression's target
ENOUGH_KNOWN = 50
BINS = 64
LATER = 0.9
FEW_POSITIVES = 20


class Suspects:
    """Measures how much each column tells of the target on its own."""

    def __init__(self, target: TargetFinding, values: np.ndarray, seed: int = 0):
        """``values`` (s,): 1 for the positive label, class codes, or a regression's numbers."""
        self.problem, self.values = target.problem, values
        halves = np.random.default_rng(seed).permutation(len(values)) % 2 == 0
        self.learnt, self.judged = halves, ~halves
        self.alone: dict[str, float] = {}

    def examine(self, found: ColumnFinding, column: Profile) -> None:
        """Say in ``found`` where the column gives the target away."""
        missing = column.codes < 0
        if 0 < missing.mean() < 1 and (score := self._score(missing.astype(np.int64))) is not None:
            limit = TOO_GOOD_FIT if self.problem == "regression" else TOO_GOOD_MISSING
            if score >= limit:
                self._accuse(
                    found, f"being known or missing alone tells the target ({self._said(score)})"
                )
                return
        if column.written == "time" or (score := self._score(self._cells(column))) is None:
            return
        self.alone[found.name] = score
        if self.problem == "regression" and column.written == "number":
            score = max(score, self._rank_correlation(column))  # a logarithm of the target
        if score >= (TOO_GOOD_FIT if self.problem == "regression" else TOO_GOOD):
            self._accuse(
                found, f"tells the target on its own ({self._said(score)}): is it known before?"
            )

    def _rank_correlation(self, column: Profile) -> float:
        """Spearman's, of the known cells and the target, without its sign."""
        known = column.codes >= 0
        ranks = rankdata(self.values[known]), rankdata(column.known)
        enough = len(ranks[0]) >= ENOUGH_KNOWN and column.distinct > 1
        return float(abs(np.corrcoef(*ranks)[0, 1])) if enough else 0.0

    def _accuse(self, found: ColumnFinding, reason: str) -> None:
        found.left_out, found.gives_target_away = reason, True

    def _said(self, score: float) -> str:
        names = {
            "binary": "ROC AUC",
            "multiclass": "share right",
            "regression": "fit",
        }
        name = names[self.problem]
        return f"{name} {score:.3f}"

    def _cells(self, column: Profile) -> np.ndarray:
        """The bin of each cell (s,): a label, numbers of about one size, 0 for missing."""
        codes = column.codes
        if column.written == "number" and column.distinct > BINS:
            values = column.values.to_numpy(dtype=np.float64)
            edges = np.unique(
                np.nanquantile(values[self.learnt], np.linspace(0, 1, BINS + 1)[1:-1])
            )
            codes = np.where(np.isnan(values), -1, np.searchsorted(edges, values, side="right"))
        return codes + 1

    def _score(self, cells: np.ndarray) -> float | None:
        """How well the mean of the target in a cell's bin tells the target of other rows."""
        if self.problem == "multiclass":
            return self._share_right(cells)
        overall = self.values[self.learnt].mean()
        sums = np.bincount(cells[self.learnt], self.values[self.learnt], minlength=cells.max() + 1)
        rows = np.bincount(cells[self.learnt], minlength=cells.max() + 1)
        told = ((sums + overall) / (rows + 1))[cells[self.judged]]
        truth = self.values[self.judged]
        if self.problem == "regression":
            return float(r2_score(truth, told))
        if min(truth.sum(), len(truth) - truth.sum()) < FEW_POSITIVES:
            return None
        return float(roc_auc_score(truth, told))

    def _share_right(self, cells: np.ndarray) -> float | None:
        classes = self.values.astype(np.int64)
        table = np.zeros((cells.max() + 1, classes.max() + 1))
        np.add.at(table, (cells[self.learnt], classes[self.learnt]), 1)
        told = table.argmax(axis=1)[cells[self.judged]]
        return float((told == classes[self.judged]).mean())


def later_than(decision: Profile, other: Profile) -> float | None:
    """The share of rows in which ``other`` is later than the ``decision``, where nearly all are."""
    both = pd.DataFrame({"decision": decision.values, "other": other.values}).dropna()
    share = float((both["other"] > both["decision"]).mean()) if len(both) else 0.0
    return share if share >= LATER else None
