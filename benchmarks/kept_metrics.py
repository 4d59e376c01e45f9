"""What a use case reaches on its test rows when it is trained with a seed, kept in a file.

So a measurement that was interrupted goes on where it stopped, and after a change of drafts only
those declarations are trained that it changed. After one elsewhere, as in preprocessing or
training, all are.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.quality.cells import NETWORK, Cell, hash_of, keep, read_cells
from benchmarks.trained_network import code_of_network, commit, of_seed, packaged_network
from modelling.data.splitting import split_table
from modelling.declaration import UseCase
from modelling.judgement.evaluation import scored_rows
from modelling.judgement.metrics.catalogue import default_headline, find_metric
from modelling.judgement.metrics.metric import Metric
from modelling.scorer.scoring import Scorer
from tasks.preparation import prepare

# What a model and its test metric depend on, beside the table that its name stands for; ranges and
# notes are for people and for validation.
OF_USE_CASE = {
    "problem", "target", "columns", "classes", "derived", "merge_classes", "duplicates",
    "split", "preprocessing", "minimum_rows_per_value", "network", "training", "target_kind",
}  # fmt: skip
OF_COLUMN = (
    "name", "kind", "role", "special_codes", "categories", "transform", "unit", "direction",
)  # fmt: skip
Told = Callable[[str], None]


class KeptMetrics:
    """Trains a use case where no training like it is among the cells of the file ``path``."""

    def __init__(self, path: Path, tell: Told):
        self.path, self.tell = path, tell
        self.known = {cell.identity: cell for cell in read_cells(path)}

    def reached(self, use_case: UseCase, seeds: Sequence[int]) -> list[float]:
        """The first headline metric on the test rows of each seed, of the split and of training."""
        prepared = _Prepared(use_case)
        return [self._reached(prepared, seed) for seed in seeds]

    def _reached(self, prepared: "_Prepared", seed: int) -> float:
        declared = of_seed(prepared.use_case, seed)
        empty = empty_cell(declared, code_of_network())
        if empty.identity not in self.known:
            self.tell(f"seed {seed}")
            cell = train(declared, prepared.table, empty)
            keep(cell, self.path)
            self.known[cell.identity] = cell
        return self.known[empty.identity].metrics[metric_of(declared).name]


class _Prepared:
    """A use case and its validated table, which is read when it is first asked for."""

    def __init__(self, use_case: UseCase):
        self.use_case = use_case

    @cached_property
    def table(self) -> pd.DataFrame:
        return prepare(self.use_case).table


def metric_of(use_case: UseCase) -> Metric:
    """The first headline metric of its problem, whatever it declares."""
    return find_metric(default_headline(use_case.problem)[0], use_case.problem)


def train(use_case: UseCase, table: pd.DataFrame, empty: Cell) -> Cell:
    """``empty`` with the metric on test rows of the prepared ``table``, by the model as it would be
    registered."""
    parts, metric = split_table(table, use_case), metric_of(use_case)
    with TemporaryDirectory() as scratch:
        package = packaged_network(parts, use_case, Path(scratch))
        outputs = Scorer(package.folder).outputs(parts.test)
    value = float(metric.value(scored_rows(parts.test, outputs, use_case)))
    return replace(empty, test_rows=len(parts.test), metrics={metric.name: value})


def empty_cell(use_case: UseCase, code: str) -> Cell:
    """The same identity for declarations that the same code trains alike on the same rows: those of
    the table that its name stands for, which is not read where everything is kept."""
    declared = use_case.model_dump(mode="json", include=OF_USE_CASE)
    declared["columns"] = [{name: c[name] for name in OF_COLUMN} for c in declared["columns"]]
    return Cell(
        table=use_case.name,
        seed=use_case.training.seed,
        model=NETWORK,
        label="",
        rows="",
        version=hash_of(json.dumps(declared, sort_keys=True), code),
        test_rows=0,
        commit=commit(),
    )
