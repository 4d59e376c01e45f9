"""``python -m benchmarks.honest_table``: the table in docs/use_cases.md, over five seeds.

Each use case is trained as it is shipped, and judged beside its own baselines, LightGBM and
CatBoost, all on the same rows. The latter two have common settings, are stopped early on the
validation rows and are not tuned, as the declared ``boosting`` is not; ``benchmarks.quality`` tunes
them. Seeds change the split where it is random, and the initial weights. It takes half an hour;
what was measured is kept in ``mlruns/honest_table.jsonl``, so that it goes on where it stopped.
"""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.measuring import REPOSITORY
from benchmarks.quality.cells import keep_record, read_records
from benchmarks.reporting import open_console
from benchmarks.trained_network import code_of_network, of_seed, packaged_network
from flows.command_line.terminal import configure_environment
from modelling.data.splitting import split_table
from modelling.declaration import UseCase
from use_cases import find_use_case

if TYPE_CHECKING:
    from modelling.judgement.judging import Predictions

KEPT = REPOSITORY / "mlruns" / "honest_table.jsonl"
SHOWN = {
    "credit_scoring": ("roc_auc", "average_precision", "expected_calibration_error"),
    "fraud_detection": ("average_precision", "card_precision", "roc_auc"),
    "credit_grade": ("log_loss", "quadratic_weighted_kappa"),
    "market_volatility": ("qlike",),
}
COMMON_SETTINGS = 1  # a study of one trial takes the first, common settings
console = open_console(160)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.honest_table", description=__doc__)
    parser.add_argument("use_cases", nargs="*", metavar="USE_CASE", help=", ".join(SHOWN))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--show", action="store_true", help="what was measured, without training")
    given = parser.parse_args()
    if unknown := {*given.use_cases} - {*SHOWN}:
        parser.error(f"no such use case: {', '.join(sorted(unknown))}")
    configure_environment(verbose=False)
    for name in ("finflows", "py.warnings"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in given.use_cases or SHOWN:
        if not given.show:
            measure(find_use_case(name), given.seeds)
        console.print(shown(name, given.seeds))


def measure(use_case: UseCase, seeds: list[int]) -> None:
    """Keep what each model reaches with each seed that was not measured with today's code."""
    from tasks.preparation import prepare  # imports Prefect, after it is prepared for

    known = {record["seed"] for record in kept(use_case.name)}
    missing = [seed for seed in seeds if seed not in known]
    table = prepare(use_case).table if missing else pd.DataFrame()
    for seed in missing:
        with console.status(f"{use_case.name}, seed {seed}"):
            found = metrics_by_model(table, of_seed(use_case, seed))
        record = {"use_case": use_case.name, "seed": seed, "code": code_of_network()}
        keep_record({**record, "metrics": found}, KEPT)


def kept(name: str) -> list[dict]:
    asked = (name, code_of_network())
    return [r for r in read_records(KEPT) if (r["use_case"], r["code"]) == asked]


def metrics_by_model(table: pd.DataFrame, use_case: UseCase) -> dict[str, dict[str, float]]:
    """The metrics on the test rows, by model and name."""
    from modelling.judgement.evaluation import evaluate

    test = split_table(table, use_case).test
    found = {}
    for model, predicted in predictions_by_model(table, use_case):
        metrics = evaluate(test, predicted.outputs, predicted.decided, use_case)
        found[model] = {name: metrics[name] for name in SHOWN[use_case.name]}
    return found


def predictions_by_model(
    table: pd.DataFrame, use_case: UseCase
) -> Iterator[tuple[str, "Predictions"]]:
    """What each model predicts for the test rows, calibrated and decided by the validation rows."""
    from benchmarks.quality.effort import Effort
    from benchmarks.quality.opponents import OPPONENTS, inputs_of
    from modelling.features.preprocessing import preprocess
    from modelling.judgement.baseline_predictions import comparable, predict_baselines
    from modelling.judgement.judging import Predictions
    from modelling.scorer.scoring import Scorer

    parts = split_table(table, use_case)
    features = preprocess(parts, use_case)
    with TemporaryDirectory() as scratch:
        package = packaged_network(parts, use_case, Path(scratch), features)
        scorer = Scorer(package.folder)
        outputs = scorer.outputs(parts.test)
        yield "network", Predictions(outputs, scorer.decide(parts.test, outputs))
    yield from predict_baselines(table, parts, features, use_case).items()
    effort = Effort(use_case.training.seed, COMMON_SETTINGS, threads=2)
    for name in ("lightgbm", "catboost"):
        raw = OPPONENTS[name].fit(inputs_of(parts, use_case), effort)
        yield name, comparable(raw, parts, use_case)


def shown(name: str, seeds: list[int]) -> Table:
    """The means over the seeds that were measured, a row for each model."""
    records = [record["metrics"] for record in kept(name) if record["seed"] in seeds]
    table = Table(name, *SHOWN[name], caption=f"means of {len(records)} seeds")
    for model in records[0] if records else ():
        means = [np.mean([metrics[model][metric] for metrics in records]) for metric in SHOWN[name]]
        table.add_row(model, *(f"{mean:.4f}" for mean in means))
    return table


if __name__ == "__main__":
    main()
