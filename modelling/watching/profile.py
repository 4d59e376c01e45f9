"""What the rows were that a version was judged on, which later rows are compared with.

A profile travels in ``scorer.json``. It holds counts over bins and labels of ``minimum_rows``
customers at least, and edges that are microaggregated: no value of one customer.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from modelling.features.microaggregation import microaggregate
from modelling.judgement.judging import Judgement, Predictions
from modelling.judgement.packaging import Package
from modelling.scorer.cells import label_text
from modelling.scorer.contract import Contract
from modelling.scorer.model import Model
from modelling.scorer.scoring import Scorer
from modelling.scorer.transformer import Columns

BINS = 10  # deciles, as is usual in credit scoring
MOST_LABELS = 20  # of a column; the rest are counted together
OTHERS, NO_VALUE = "other labels", "no value"


class Counts(NamedTuple):
    """How many rows of a column lie in each bin: between ``edges``, of which each belongs to the
    bin below, or with each of ``labels`` and then with any other one. The last bin has no value.
    A count that was smaller than ``least``, but not 0, is given as ``least``.
    """

    edges: list[float]
    labels: list[str]
    counts: list[int]
    least: int = 1

    @property
    def names(self) -> list[str]:
        """The bins as people read them."""
        if not self.edges:
            return [*self.labels, OTHERS if self.labels else "any", NO_VALUE]
        ends = [f"{edge:,.6g}" for edge in self.edges]
        between = [f"{low} to {high}" for low, high in pairwise(ends)]
        return [f"up to {ends[0]}", *between, f"above {ends[-1]}", NO_VALUE]

    def of(self, cells: np.ndarray) -> np.ndarray:
        """How many of other ``cells`` (n,) lie in each of these bins, (bins,): numbers, also NaN
        or infinite ones, or labels as text with None."""
        size = len(self.counts)
        if cells.dtype.kind == "f":
            bins = np.searchsorted(self.edges, cells, side="left")
            bins = np.where(np.isfinite(cells), bins, size - 1)
            return np.bincount(bins, minlength=size)
        found = Counter(cells.tolist())
        named = [found.pop(label, 0) for label in self.labels]
        missing = found.pop(None, 0)
        return np.array([*named, sum(found.values()), missing])

    def shown(self, counts: np.ndarray) -> np.ndarray:
        """Counts (bins,) as they may be shown: a smaller one than ``least``, but not 0, as that."""
        return np.maximum(counts, np.minimum(self.least, counts * self.least))


class JudgedNumbers(NamedTuple):
    """The ``counts`` of a column of numbers, and the ``column`` of the contract, which says what is
    no value: special codes, and numbers against its range."""

    counts: Counts
    column: Mapping[str, Any]

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """How many of other ``numbers`` (n,), also NaN or infinite, lie in each bin (bins,)."""
        low, high = (self.column[end] for end in ("minimum", "maximum"))
        inside = ~np.isin(numbers, self.column["special_codes"])
        inside &= numbers >= low if low is not None else True
        inside &= numbers <= high if high is not None else True
        return self.counts.of(np.where(inside, numbers, np.nan))


def numbers_in(
    profile: Mapping[str, Any] | None, columns: Sequence[Mapping[str, Any]]
) -> dict[str, JudgedNumbers]:
    """Those of the ``columns`` of a contract that are numbers, as the ``profile`` of the version
    has them; none where it has no profile."""
    counts = counts_in(profile, "columns") if profile else {}
    numbers = {one["name"]: one for one in columns if one["kind"] == "number"}
    return {
        name: JudgedNumbers(counts[name], column)
        for name, column in numbers.items()
        if name in counts
    }


def keep_profile(package: Package, judgement: Judgement) -> None:
    """Write the profile of the rows that ``package`` was judged on into it."""
    file = package.folder / "scorer.json"
    profile = profile_of(Model(package.folder, version=""), judgement)
    file.write_text(json.dumps({**json.loads(file.read_text()), "profile": profile}))


def profile_of(model: Model, judgement: Judgement) -> dict[str, Any]:
    """The profile as plain data: how many ``rows``, the counts of ``columns`` and ``answers`` by
    their names, and the ``headline`` metrics as value, low and high."""
    use_case = judgement.use_case
    columns, *_ = model.contract.check(judgement.rows[model.contract.names])
    cells = {
        "columns": values_of(model.contract, columns),
        "answers": answers_of(model.scorer, judgement.predictions),
    }
    counted: dict[str, Any] = {
        kind: {name: counts_of(c, use_case.minimum_rows_per_value) for name, c in named.items()}
        for kind, named in cells.items()
    }
    headline = {name: [*interval] for name, interval in judgement.intervals.items()}
    return {"rows": len(judgement.rows), **counted, "headline": headline}


def values_of(contract: Contract, columns: Columns) -> dict[str, np.ndarray]:
    """The cells (n,) of each column as a model's ``contract`` has read them, without special codes,
    which are no values: numbers with NaN, or labels with None."""
    codes = {column["name"]: column["special_codes"] for column in contract.columns}
    return {
        name: np.where(np.isin(cells, codes[name]), np.nan, cells) if codes[name] else cells
        for name, cells in columns.arrays.items()
    }


def answers_of(scorer: Scorer, predictions: Predictions) -> dict[str, np.ndarray]:
    """Each answer as cells (n,) by its name: probabilities and decision, or the forecast."""
    answers = scorer.by_name(predictions.outputs)
    if scorer.problem == "regression":
        return answers
    labels = np.array([label_text(label) for label in scorer.classes], dtype=object)
    return {**answers, "decision": labels[predictions.decided]}


def counts_of(cells: np.ndarray, minimum_rows: int) -> Counts:
    """Cells (n,), numbers or labels as ``Counts.of`` takes them, by the bins that they are cut
    into; at least ``minimum_rows`` rows are in each, or none."""
    edges, labels = [], []
    if cells.dtype.kind == "f":
        edges = _edges(cells, minimum_rows)
    else:
        found = Counter(cell for cell in cells.tolist() if cell is not None).most_common(
            MOST_LABELS
        )
        labels = [label for label, rows in found if rows >= minimum_rows]
    empty = Counts(edges, labels, [0] * (len(edges or labels) + 2), minimum_rows)
    return empty._replace(counts=empty.shown(empty.of(cells)).tolist())


def _edges(values: np.ndarray, minimum_rows: int) -> list[float]:
    """Microaggregated quantiles of the values (n,), deciles where there are enough; none is the
    largest value, which nothing would lie above."""
    known = values[np.isfinite(values)]
    if len(known) < 2 * minimum_rows:
        return []
    grouped = microaggregate(known[:, None], minimum_rows)[:, 0]
    shares = np.linspace(0, 1, min(BINS, len(known) // minimum_rows) + 1)[1:-1]
    edges = np.unique(np.quantile(grouped, shares, method="inverted_cdf"))
    return [float(edge) for edge in edges if edge < grouped[-1]]


def counts_in(profile: Mapping[str, Any], kind: str) -> dict[str, Counts]:
    """The counts of the ``columns`` or ``answers`` of a profile, by name."""
    return {name: Counts(*stored) for name, stored in profile[kind].items()}
