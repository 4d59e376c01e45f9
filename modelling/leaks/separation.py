"""How well the cells of a column tell the target of other rows."""

import numpy as np

from modelling.schema import Problem

BINS = 256
ROWS_PER_BIN = 8
FEW_ROWS = 40  # of the target's other classes: fewer tell nothing
ENOUGH_ROWS = 100  # of the target's other classes: fewer, and chance may separate them
MOST_ROWS = 50_000
UNSEEN = 0.01  # rows: what a cell that was not seen in the other half is told
MEASURES: dict[Problem, str] = {
    "binary": "ROC AUC",
    "multiclass": "Cohen's kappa",
    "regression": "R2 of the ranks",
}
MEASURES_OF_FLAG = {**MEASURES, "multiclass": "ROC AUC of one class", "regression": "R2"}


def rows_to_examine(target: np.ndarray, problem: Problem) -> np.ndarray:
    """About ``MOST_ROWS`` positions of ``target`` (n,), in order: all rows of rare classes, and the
    frequent ones evenly thinned out. No measure of two classes depends on their shares."""
    if problem == "regression" or len(target) <= MOST_ROWS:
        return np.arange(0, len(target), max(-(-len(target) // MOST_ROWS), 1))
    of_each = [np.flatnonzero(target == code) for code in np.unique(target)]
    most = MOST_ROWS // len(of_each)
    return np.sort(np.concatenate([rows[:: max(-(-len(rows) // most), 1)] for rows in of_each]))


class Separation:
    """Measures how much a column tells of the target.

    The cells of one half of the rows are described by the targets of the other half, and the other
    way round, so that many different labels are no evidence. Everything is computed from one table
    of counts: rows by half, cell and class.

    Parameters
    ----------
    target : (n,)
        Class codes, or a regression's numbers.
    problem : str
        Decides the measure: ROC AUC of two classes, Cohen's kappa of more (which does not count
        what the most frequent class gives for nothing), R2 of a number's ranks: a logarithm of the
        target tells it, too.
    """

    def __init__(self, target: np.ndarray, problem: Problem, seed: int = 0):
        from scipy.stats import rankdata

        self.problem, self.rows = problem, len(target)
        self.half = np.random.default_rng(seed).permutation(len(target)) % 2
        self.numbers = np.asarray(target, dtype=np.float64)
        is_number = problem == "regression"
        self.ranks = rankdata(self.numbers) if is_number else self.numbers
        self.classes = np.zeros(len(target), np.int64) if is_number else target.astype(np.int64)
        rows_of = np.bincount(self.classes)
        self.others = len(target) if is_number else int(len(target) - rows_of.max(initial=0))

    @property
    def is_enough(self) -> bool:
        """Whether there are rows enough that chance does not separate them."""
        return self.others >= ENOUGH_ROWS

    def said(self, score: float, of_flag: bool = False) -> str:
        """The measure and its value; ``of_flag`` says that ``score_of_flag`` gave it."""
        return f"{(MEASURES_OF_FLAG if of_flag else MEASURES)[self.problem]} {score:.3f}"

    def bins(self, values: np.ndarray, most: int = BINS) -> np.ndarray:
        """Cells (n,) of numbers, one for each number where there are few, else with about as many
        rows each; 0 is missing."""
        count = int(np.clip(len(values) // ROWS_PER_BIN, 2, most))
        known = np.sort(values[np.isfinite(values)])
        edges = np.unique(known)
        if len(edges) > count:
            at = np.linspace(0, len(known), count + 1)[1:-1].astype(np.int64)
            edges = np.unique(known[at])
        return np.where(np.isnan(values), 0, np.searchsorted(edges, values, side="right") + 1)

    def score(self, cells: np.ndarray) -> float | None:
        """How well ``cells`` (n,), whole numbers from 0 on, tell the target; None where there are
        too few rows to say. 1 is perfect; 0 (of ROC AUC 0.5) tells nothing."""
        if self.others < FEW_ROWS:
            return None
        if self.problem == "regression":
            return self._r2(cells, self.ranks)
        counts = self._rows(cells)
        of_halves = _roc_auc if self.problem == "binary" else _kappa
        return float(np.mean([of_halves(counts[0], counts[1]), of_halves(counts[1], counts[0])]))

    def score_of_flag(self, flag: np.ndarray) -> float | None:
        """How well ``flag`` (n,), 0 or 1, tells one of the classes from the others: the highest ROC
        AUC of all classes; R2 of numbers. None where there are too few rows to say."""
        if self.others < FEW_ROWS:
            return None
        if self.problem == "regression":
            return self._r2(flag, self.numbers)
        rows = self._rows(flag).sum(axis=0)  # (2, classes)
        of_class, raised = rows.sum(axis=0), rows[-1]
        of_others = len(flag) - of_class
        enough = np.minimum(of_class, of_others) >= FEW_ROWS // 2
        rates = raised[enough] / of_class[enough]
        others = (raised.sum() - raised[enough]) / of_others[enough]
        return float(0.5 + 0.5 * np.abs(rates - others).max(initial=0))

    def _rows(self, cells: np.ndarray) -> np.ndarray:
        """How many rows: (half, cell, class)."""
        shape = (2, int(cells.max(initial=0)) + 1, int(self.classes.max(initial=0)) + 1)
        place = np.ravel_multi_index((self.half, cells, self.classes), shape)
        return np.bincount(place, minlength=np.prod(shape)).reshape(shape).astype(np.float64)

    def _r2(self, cells: np.ndarray, target: np.ndarray) -> float:
        """The share of the variance that the means of the cells explain in the other half."""
        shape = (2, int(cells.max(initial=0)) + 1)
        place = np.ravel_multi_index((self.half, cells), shape)
        rows, sums = (
            np.bincount(place, weights, minlength=np.prod(shape)).reshape(shape)
            for weights in (None, target)
        )
        scores = []
        for learnt, judged in ((0, 1), (1, 0)):
            mean = sums[learnt].sum() / rows[learnt].sum()
            told = (sums[learnt] + UNSEEN * mean) / (rows[learnt] + UNSEEN)
            truth = target[self.half == judged]
            square = (truth**2).sum() - 2 * told @ sums[judged] + told**2 @ rows[judged]
            scores.append(1 - square / max(((truth - truth.mean()) ** 2).sum(), 1e-300))
        return float(np.mean(scores))


def _roc_auc(learnt: np.ndarray, judged: np.ndarray) -> float:
    """``learnt`` and ``judged`` (cells, 2) are rows of the two halves; cells are ranked by the
    share of positives that was learnt, and those that are equal count as one."""
    share = learnt[:, 1].sum() / learnt.sum()
    told = (learnt[:, 1] + share) / (learnt.sum(axis=1) + 1)
    rank = np.unique(told, return_inverse=True)[1]
    negatives, positives = (np.bincount(rank, judged[:, code]) for code in (0, 1))
    below = np.cumsum(negatives) - negatives / 2
    return float(positives @ below / (positives.sum() * negatives.sum()))


def _kappa(learnt: np.ndarray, judged: np.ndarray) -> float:
    """How far each cell's most frequent class agrees with the truth beyond chance (Cohen 1960)."""
    told = (learnt + learnt.sum(axis=0) / learnt.sum()).argmax(axis=1)
    rows = judged.sum()
    right = judged[np.arange(len(judged)), told].sum() / rows
    of_told = np.bincount(told, judged.sum(axis=1), minlength=judged.shape[1]) / rows
    chance = of_told @ judged.sum(axis=0) / rows
    return float((right - chance) / (1 - chance)) if chance < 1 else 0.0
