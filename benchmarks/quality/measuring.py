"""Train the network and its opponents on the same rows, and keep what each reached."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks.quality.cells import NETWORK, Cell, hash_of, keep, read_cells
from benchmarks.quality.effort import Effort
from benchmarks.quality.opponents import OPPONENTS, inputs_of
from benchmarks.quality.tables import SuiteTable
from benchmarks.trained_network import code_of_network, commit, of_seed, packaged_network
from modelling.data.fingerprint import fingerprint
from modelling.data.splitting import Parts, split_table
from modelling.declaration import UseCase
from modelling.judgement.baseline_predictions import comparable
from modelling.judgement.evaluation import scored_rows
from modelling.judgement.metrics.catalogue import metrics_for
from modelling.scorer.scoring import Scorer
from tasks.preparation import prepare

ALSO_KEPT = ("log_loss", "expected_calibration_error")  # beside the first headline metric
# What calibration, metrics and opponents read of a declaration, beside the columns.
OF_USE_CASE = {"problem", "target", "classes", "ordered", "target_kind", "minimum_rows_per_value"}


@dataclass(frozen=True)
class Measurement:
    """What is asked for, and where it is kept."""

    tables: tuple[SuiteTable, ...]
    seeds: tuple[int, ...]
    models: tuple[str, ...]
    label: str
    trials: int
    threads: int
    results: Path

    def models_for(self, table: SuiteTable) -> list[str]:
        series_only = {name for name, opponent in OPPONENTS.items() if opponent.needs_lags}
        return [model for model in self.models if table.lags or model not in series_only]

    def versions(self, table: SuiteTable) -> dict[str, str]:
        """By model, the code, libraries and settings that are asked for."""
        return {model: version_of(model, table, self.trials) for model in self.models_for(table)}

    @property
    def size(self) -> int:
        return len(self.seeds) * sum(len(self.models_for(table)) for table in self.tables)


@dataclass(frozen=True)
class Rows:
    """The parts of one table and seed, and their hash."""

    table: SuiteTable
    seed: int
    use_case: UseCase
    parts: Parts
    hash: str

    @classmethod
    def of(cls, table: SuiteTable, prepared: pd.DataFrame, seed: int) -> "Rows":
        use_case = of_seed(table.use_case, seed)
        parts = split_table(prepared, use_case)
        features = (f"{column.name} {column.kind}" for column in use_case.features)
        cells = hash_of(*map(fingerprint, parts), *features, use_case.headline[0])
        return cls(table, seed, use_case, parts, cells)


def measure(asked: Measurement, on_cell: Callable[[str], None]) -> None:
    """Measure each cell that is not kept yet; ``on_cell`` is told which one comes next."""
    known = {cell.identity for cell in read_cells(asked.results)}
    for table in asked.tables:
        prepared = prepare(table.use_case).table
        for seed in asked.seeds:
            rows = Rows.of(table, prepared, seed)
            for model in asked.models_for(table):
                on_cell(f"{table.name}, seed {seed}: {model}")
                empty = empty_cell(model, rows, asked)
                if empty.identity not in known:
                    keep(filled(empty, rows, asked), asked.results)


def empty_cell(model: str, rows: Rows, asked: Measurement) -> Cell:
    """What is known of a cell before it is measured."""
    is_network = model == NETWORK
    is_tuned = not is_network and OPPONENTS[model].is_boosting
    return Cell(
        table=rows.table.name,
        seed=rows.seed,
        model=model,
        label=asked.label if is_network else "",
        rows=rows.hash,
        version=version_of(model, rows.table, asked.trials),
        test_rows=len(rows.parts.test),
        commit=commit(),
        trials=asked.trials if is_tuned else 0,
    )


def version_of(model: str, table: SuiteTable, trials: int) -> str:
    """The hash of all but rows and seed that decides what ``model`` reaches."""
    if model == NETWORK:
        return hash_of(table.use_case.model_dump_json(), code_of_network())
    opponent = OPPONENTS[model]
    spent = str(trials) if opponent.is_boosting else ""
    judged = table.use_case.model_dump_json(include=OF_USE_CASE)
    return hash_of(*opponent.identity, *table.lags, spent, judged)


def filled(cell: Cell, rows: Rows, asked: Measurement) -> Cell:
    """``cell`` with what its model, trained now, reaches on the test rows."""
    started = time.process_time()
    if cell.model == NETWORK:
        outputs = outputs_of_network(rows)
    else:
        effort = Effort(rows.seed, asked.trials, asked.threads, rows.table.lags)
        raw = OPPONENTS[cell.model].fit(inputs_of(rows.parts, rows.use_case), effort)
        outputs = comparable(raw, rows.parts, rows.use_case).outputs
    seconds = round(time.process_time() - started, 2)
    scored = scored_rows(rows.parts.test, outputs, rows.use_case)
    wanted = (rows.use_case.headline[0], *ALSO_KEPT)
    judging = metrics_for(rows.use_case.problem, rows.use_case.fulfilled_needs)
    metrics = {metric.name: metric.value(scored) for metric in judging if metric.name in wanted}
    return replace(cell, metrics=metrics, seconds=seconds)


def outputs_of_network(rows: Rows) -> np.ndarray:
    """What the packaged model, calibrated, answers to the raw test rows."""
    with TemporaryDirectory() as scratch:
        package = packaged_network(rows.parts, rows.use_case, Path(scratch))
        return Scorer(package.folder).outputs(rows.parts.test)
