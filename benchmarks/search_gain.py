"""``python -m benchmarks.search_gain``: what a search on few rows gains on rows that nobody saw.

A thousand rows of a table are split as for a training, and searched twice with the same seed: by
the validation rows of the declared split alone, and by all folds. The declared settings, those of
the best trial and those that the search chooses are trained on the same training rows, and judged
on its test rows and on all rows of the table that were not drawn. A run that is stopped goes on
where it was.
"""

import argparse
import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.by_hand import BY_HAND
from benchmarks.measuring import REPOSITORY
from benchmarks.quality.cells import Cell, hash_of, keep, read_cells
from benchmarks.reporting import open_console
from benchmarks.trained_network import code_of_network, commit, of_seed, packaged_network
from flows.command_line.terminal import configure_environment, hide_native_stderr
from modelling.data.fingerprint import fingerprint
from modelling.data.splitting import Parts, split_table
from modelling.declaration import Training, UseCase
from modelling.declaration.overrides import override
from modelling.judgement.evaluation import scored_rows
from modelling.judgement.metrics.catalogue import find_metric
from modelling.scorer.scoring import Scorer
from use_cases import find_use_case

if TYPE_CHECKING:
    from tasks.workers.executor import Executor

RESULTS = REPOSITORY / "mlruns" / "search_gain.jsonl"
TABLES = {  # trained with the defaults, as a thousand rows of somebody's own would be
    use_case.name: use_case.model_copy(update={"training": Training()})
    for use_case in (
        find_use_case("credit_scoring"),
        *(BY_HAND[name] for name in ("credit_data", "attrition", "orange_juice")),
    )
}
METRICS = ("roc_auc", "log_loss")
DECLARED = "declared"
WAYS = ("one split", "folds")
SETTINGS = ("best trial", "chosen")
console = open_console(120)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_gain", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(TABLES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="measure nothing, show what is kept")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    names = given.tables or [*TABLES]
    if unknown := {*names} - {*TABLES}:
        parser.error(f"no such table: {', '.join(sorted(unknown))}")
    if not given.show:
        measure(names, given)
    show([cell for cell in read_cells(given.results) if cell.table in names])


def measure(names: list[str], given: argparse.Namespace) -> None:
    """Search each table and seed that is not kept yet, in a store of its own."""
    configure_environment(verbose=False)
    hide_native_stderr()
    logging.getLogger("finflows").setLevel(logging.ERROR)
    with TemporaryDirectory() as store:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{store}/mlflow.db"
        from prefect import flow

        from tasks.preparation import prepare
        from tasks.workers.executors import open_executor

        @flow(name="search", persist_result=False)
        def search_all() -> None:
            with open_executor(given.workers) as executor:
                for name in names:
                    table = prepare(TABLES[name]).table
                    for seed in given.seeds:
                        console.print(f"{name}, seed {seed}")
                        measure_seed(table, of_seed(TABLES[name], seed), given, executor)

        search_all()


def measure_seed(
    table: pd.DataFrame, use_case: UseCase, given: argparse.Namespace, executor: "Executor"
) -> None:
    """Search both ways, and keep what declared and found settings reach."""
    seed = use_case.training.seed
    parts = sample(table, use_case, given.rows, seed)
    empty = Cell(
        table=use_case.name,
        seed=seed,
        model="search",
        label="",
        rows=hash_of(*map(fingerprint, parts)),
        version=hash_of(use_case.model_dump_json(), code_of_network(), str(given.trials)),
        test_rows=len(parts.test),
        commit=commit(),
        trials=given.trials,
    )
    if empty.identity in {cell.identity for cell in read_cells(given.results)}:
        return
    reached: dict[str, dict[str, float]] = {}
    for label, settings, said in tried(use_case, parts, given.trials, executor):
        key = json.dumps(settings, sort_keys=True)
        if key not in reached:
            reached[key] = test_metrics(override(use_case, settings), parts)
        keep(replace(empty, label=label, metrics={**reached[key], **said}), given.results)
    keep(empty, given.results)  # all of it is there


def tried(
    use_case: UseCase, parts: Parts, trials: int, executor: "Executor"
) -> Iterator[tuple[str, dict[str, Any], dict[str, float]]]:
    """What the settings are called, the settings, and what the search said of them."""
    yield DECLARED, {}, {}
    for way in WAYS:
        started = time.perf_counter()
        found, said = searched(use_case, parts, way, trials, executor)
        said["wall_seconds"] = time.perf_counter() - started
        for which, settings in found.items():
            yield f"{way}, {which}", settings, said


def sample(table: pd.DataFrame, use_case: UseCase, rows: int, seed: int) -> Parts:
    """The parts of ``rows`` rows drawn at random; all others are test rows, too."""
    drawn = np.random.default_rng(seed).permutation(len(table))
    few, others = table.iloc[np.sort(drawn[:rows])], table.iloc[np.sort(drawn[rows:])]
    parts = split_table(few, use_case)
    return parts._replace(test=pd.concat([parts.test, others], ignore_index=True))


def searched(
    use_case: UseCase, parts: Parts, way: str, trials: int, executor: "Executor"
) -> tuple[dict[str, dict[str, Any]], dict[str, float]]:
    """The settings of the best trial and those that are chosen; and what the search said of
    them."""
    from tasks.search.choice import choose_trial
    from tasks.search.folds import prepare_folds
    from tasks.search.study import open_study
    from tasks.search.trials import run_trials
    from tasks.tracking.runs import tracked_run

    with tracked_run(use_case, {}) as run:
        folds = prepare_folds(parts, use_case, run)
        folds = folds[:1] if way == "one split" else folds
        study = open_study(run, use_case, trials, "tpe", 42, executor.slots, len(folds))
        run_trials(study, folds, run, executor)
        chosen = choose_trial(study, run, folds)
        said = run.client.get_run(run.run_id).data.metrics
        numbers = {"best trial": study.best(), "chosen": chosen.number}
    settings = {
        which: {} if number == study.declared() else study.settings(number)
        for which, number in numbers.items()
    }
    return settings, {name: said[name] for name in ("gain", "gain_standard_error") if name in said}


def test_metrics(use_case: UseCase, parts: Parts) -> dict[str, float]:
    with TemporaryDirectory() as scratch:
        package = packaged_network(parts, use_case, Path(scratch))
        outputs = Scorer(package.folder).outputs(parts.test)
    scored = scored_rows(parts.test, outputs, use_case)
    return {name: float(find_metric(name, use_case.problem).value(scored)) for name in METRICS}


def show(cells: list[Cell]) -> None:
    """The gains over the declared settings, mean and standard error over seeds."""
    table = Table(title="Gain over the declared settings on test rows", title_justify="left")
    for name in ("table", "settings", "seeds", "kept", "ROC AUC", "log loss"):
        table.add_column(name, justify="left" if name in ("table", "settings") else "right")
    latest = {(cell.table, cell.seed, cell.label): cell.metrics for cell in cells if cell.label}
    names = list(dict.fromkeys(name for name, *_ in latest))
    for name in [*names, "all"]:
        for label in (f"{way}, {which}" for way in WAYS for which in SETTINGS):
            gains = np.array(
                [
                    [metrics[m] - latest[table_, seed, DECLARED][m] for m in METRICS]
                    for (table_, seed, one), metrics in latest.items()
                    if one == label and name in (table_, "all")
                ]
            )
            if not len(gains):
                continue
            kept = int((gains == 0).all(axis=1).sum())
            shown = (_with_error(gains[:, 0]), _with_error(-gains[:, 1]))
            table.add_row(name, label, str(len(gains)), str(kept), *shown)
    console.print(table)


def _with_error(gains: np.ndarray) -> str:
    error = gains.std(ddof=1) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
    return f"{gains.mean():+.4f} ± {error:.4f}"


if __name__ == "__main__":
    main()
