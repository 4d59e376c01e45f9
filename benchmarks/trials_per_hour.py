"""``python -m benchmarks.trials_per_hour``: our search beside Optuna around Keras, and KerasTuner.

Same rows, space, budget and seed; each in a process of its own, one at a time. Ours also records
every trial in MLflow and Prefect, with curve and verdict, and that is on the clock.
"""

import argparse
import json
import os
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks.data import write_arrays
from benchmarks.measuring import REPOSITORY, run
from benchmarks.peers.search_space import EPOCHS

RESULTS = REPOSITORY / "mlruns" / "trials_per_hour.json"
TEXTBOOK_TARGET, WORKERS_TARGET, OVERHEAD_TARGET_SECONDS = 20, 1.6, 0.5
PEERS = (
    ("Optuna around Keras fit", "search_textbook", 0, 4),
    ("KerasTuner", "search_keras_tuner", 0, 4),
    ("ours, 1 worker", "search_ours", 1, 16),
    ("ours, 2 workers", "search_ours", 2, 16),
)
console = Console(highlight=False, width=None if Console().is_terminal else 100)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials_per_hour")
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
        RESULTS.write_text(json.dumps({"cores": os.cpu_count(), **results}, indent=1))
        console.print(f"Written to {RESULTS.relative_to(REPOSITORY)}")


def measure(module: str, workers: int, trials: int, arrays: Path, quick: bool) -> dict:
    """Trials per hour of one search; fewer trials for the slow ones.

    A trial that ended early counts as the share of its epochs: skipping work is no speed.
    """
    epochs = 3 if quick else EPOCHS
    store = f"sqlite:///{arrays.parent}/{module}{workers}/mlflow.db"
    printed, _ = run(
        "-m", f"benchmarks.peers.{module}", "--data", str(arrays),
        "--trials", str(4 if quick else trials), "--epochs", str(epochs),
        WORKERS=str(workers), MLFLOW_TRACKING_URI=store,
    )  # fmt: skip
    whole_trials = printed["epochs"] / epochs
    return {**printed, "per_hour": 3600 * whole_trials / printed["seconds"]}


def show(results: dict[str, dict]) -> None:
    textbook = results["Optuna around Keras fit"]["per_hour"]
    table = Table(title="Trials per hour", title_justify="left")
    for name in ("", "trials/hour", "s/trial", "epochs", "best val_loss", "beside textbook"):
        table.add_column(name, justify="left" if not name else "right")
    for title, one in results.items():
        table.add_row(
            title,
            f"{one['per_hour']:,.0f}",
            f"{3600 / one['per_hour']:.1f}",
            f"{one['epochs']}",
            f"{one['val_loss']:.4f}",
            f"{one['per_hour'] / textbook:.1f}x",
        )
    console.print(table)
    one, two = (results[f"ours, {n}"]["per_hour"] for n in ("1 worker", "2 workers"))
    alone = results["ours, 1 worker"]
    overhead = (alone["seconds"] - alone["training_seconds"]) / alone["trials"]
    console.print(
        f"2 workers beside the textbook: {two / textbook:.1f}x (target {TEXTBOOK_TARGET}x); "
        f"beside 1 worker: {two / one:.2f}x (target {WORKERS_TARGET}x)\n"
        f"a trial on one warm worker, beyond compiling and training: {overhead:.2f} s "
        f"(target {OVERHEAD_TARGET_SECONDS} s)"
    )


if __name__ == "__main__":
    main()
