"""``python -m benchmarks.trials_per_hour``: compare our search with Optuna + Keras and KerasTuner.

Same rows, space, budget and seed; each in a process of its own, one at a time. Our time includes
recording every trial in MLflow and Prefect, with its learning curve and verdict.
"""

import argparse
import os
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.table import Table

from benchmarks.data import write_arrays
from benchmarks.measuring import run
from benchmarks.peers.search_space import EPOCHS
from benchmarks.reporting import open_console, write_results

TEXTBOOK_TARGET, WORKERS_TARGET, OVERHEAD_TARGET_SECONDS = 20, 1.6, 0.5
PEERS = (
    ("Optuna around Keras fit", "search_textbook", 0, 4),
    ("KerasTuner", "search_keras_tuner", 0, 4),
    ("ours, 1 worker", "search_ours", 1, 16),
    ("ours, 2 workers", "search_ours", 2, 16),
)
console = open_console(100)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.trials_per_hour", description=__doc__
    )
    parser.add_argument("--quick", action="store_true", help="few rows, short trials: does it run")
    quick = parser.parse_args().quick
    results = {}
    with TemporaryDirectory() as scratch:
        arrays = Path(scratch) / "rows.npz"
        write_arrays(arrays, rows=5000 if quick else None)
        for title, module, workers, trials in PEERS:
            if module == "search_keras_tuner" and find_spec("keras_tuner") is None:
                continue
            with console.status(title):
                results[title] = measure(module, workers, trials, arrays, quick)
    show(results)
    if not quick:
        write_results("trials_per_hour", {"cores": os.cpu_count(), **results}, console)


def measure(module: str, workers: int, trials: int, arrays: Path, quick: bool) -> dict:
    """Trials per hour of one search; slow searches run fewer trials.

    A trial that ended early counts as the share of epochs that it ran.
    """
    epochs = 3 if quick else EPOCHS
    store = f"sqlite:///{arrays.parent}/{module}{workers}/mlflow.db"
    printed, _ = run(
        "-m", f"benchmarks.peers.{module}", "--data", str(arrays),
        "--trials", str(2 if quick else trials), "--epochs", str(epochs),
        WORKERS=str(workers), MLFLOW_TRACKING_URI=store,
    )  # fmt: skip
    whole_trials = printed["epochs"] / epochs
    return {**printed, "per_hour": 3600 * whole_trials / printed["seconds"]}


def show(results: dict[str, dict]) -> None:
    textbook = results["Optuna around Keras fit"]["per_hour"]
    table = Table(title="Trials per hour", title_justify="left")
    for name in ("", "trials/hour", "s/trial", "epochs", "best val_loss", "against textbook"):
        table.add_column(name, justify="left" if not name else "right")
    for title, result in results.items():
        table.add_row(
            title,
            f"{result['per_hour']:,.0f}",
            f"{3600 / result['per_hour']:.1f}",
            f"{result['epochs']}",
            f"{result['val_loss']:.4f}",
            f"{result['per_hour'] / textbook:.1f}x",
        )
    console.print(table)
    single, two = results["ours, 1 worker"], results["ours, 2 workers"]["per_hour"]
    overhead = (single["seconds"] - single["training_seconds"]) / single["trials"]
    console.print(
        f"2 workers against the textbook: {two / textbook:.1f}x (target {TEXTBOOK_TARGET}x); "
        f"against 1 worker: {two / single['per_hour']:.2f}x (target {WORKERS_TARGET}x)\n"
        f"a trial on one warm worker, without compiling and training: {overhead:.2f} s "
        f"(target {OVERHEAD_TARGET_SECONDS} s)"
    )


if __name__ == "__main__":
    main()
