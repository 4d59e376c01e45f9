"""``make bench``: score one row and a million rows with the registered model, with Keras's own
MLflow model after a scikit-learn pipeline, and with scikit-learn's boosting.

All models are loaded by MLflow from disk and called in turns, in one process on one core, so that
the ratios do not change if the machine slows down.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.reporting import met_or_missed, open_console, write_results
from benchmarks.server_speed import CLIENTS, measure_servers
from flows.command_line.terminal import configure_environment

ONE_ROW_MS, SCORER_MS, FASTER_THAN_KERAS, BULK = 1.5, 0.2, 50, 300_000
SERVED_PER_SECOND, SERVED_P99_MS = 1_500, 15.0  # one client; eight clients
console = open_console(120)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring_speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer calls, fewer rows")
    arguments = parser.parse_args()
    configure_environment(verbose=False)
    cores = os.sched_getaffinity(0)
    with TemporaryDirectory() as scratch:
        from benchmarks.scoring_models import load_models

        models, raw = load_models(Path(scratch))
        served = measure_servers(
            Path(scratch) / "ours", raw, calls=200 if arguments.quick else 4000
        )
        os.sched_setaffinity(0, {min(cores)})
        calls = one_row_calls(models, raw)
        latencies = measure_in_turns(calls, rounds=20 if arguments.quick else 500)
        bulk = measure_bulk(models, raw, rows=100_000 if arguments.quick else 1_000_000)
    results: dict[str, dict] = {"one_row_ms": latencies, "rows_per_second": bulk, "server": served}
    show(results)
    write_results("scoring_speed", results, console)


def one_row_calls(models: dict[str, Any], raw: pd.DataFrame) -> dict[str, Callable[[], Any]]:
    """Calls that score one row, given as a dictionary or a frame."""
    frame = raw.iloc[[0]]
    row = {name: float(value) for name, value in raw.iloc[0].items()}
    inside = models["ours"].unwrap_python_model().model
    return {
        "our scorer, a dictionary": lambda: inside.answer_row(row),
        "our pyfunc, a dictionary": lambda: models["ours"].predict(row),
        "our pyfunc, a frame": lambda: models["ours"].predict(frame),
        "Keras pyfunc behind scikit-learn, a frame": lambda: models["keras"](frame),
        "HistGradientBoosting pyfunc, a frame": lambda: models["boosting"].predict(frame),
    }


def measure_in_turns(
    calls: dict[str, Callable[[], Any]], rounds: int
) -> dict[str, dict[str, float]]:
    """Median and 99th percentile of each call's milliseconds.

    A turn is ten calls after one that is not counted: that one finds the processor's caches filled
    by the previous model, which does not happen to a caller of one model.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds // 10):
        for name, call in calls.items():
            call()
            for _ in range(10):
                start = time.perf_counter()
                call()
                seconds[name].append(time.perf_counter() - start)
    return {
        name: dict(zip(("p50", "p99"), np.quantile(values, [0.5, 0.99]) * 1000, strict=True))
        for name, values in seconds.items()
    }


def measure_bulk(models: dict[str, Any], raw: pd.DataFrame, rows: int) -> dict[str, float]:
    """Rows per second for a frame of many rows, on one core."""
    many = pd.concat([raw] * (rows // len(raw) + 1), ignore_index=True).head(rows)
    calls = {
        "our pyfunc": (models["ours"].predict, many),
        "Keras pyfunc behind scikit-learn": (models["keras"], many.head(rows // 10)),
        "HistGradientBoosting pyfunc": (models["boosting"].predict, many.head(rows // 10)),
    }
    speeds = {}
    for name, (call, frame) in calls.items():
        start = time.perf_counter()
        call(frame)
        speeds[name] = len(frame) / (time.perf_counter() - start)
    return speeds


def show(results: dict[str, dict]) -> None:
    """Print tables with the results and their targets."""
    table = Table(title="One row", title_justify="left")
    for name in ("", "p50 ms", "p99 ms", "ours (a frame) is", "target"):
        table.add_column(name, justify="left" if not name else "right")
    latencies = results["one_row_ms"]
    ours = latencies["our pyfunc, a frame"]["p50"]
    for name, latency in latencies.items():
        ratio, target = latency["p50"] / ours, ""
        if name.startswith("our"):
            limit = SCORER_MS if "scorer" in name else ONE_ROW_MS
            target = f"{limit:g} ms {met_or_missed(latency['p50'] < limit)}"
        elif name.startswith("Keras"):
            target = f"{FASTER_THAN_KERAS}x {met_or_missed(ratio >= FASTER_THAN_KERAS)}"
        milliseconds = (f"{latency['p50']:.3f}", f"{latency['p99']:.3f}")
        table.add_row(name, *milliseconds, f"{ratio:.1f}x", target)
    console.print(table)
    table = Table(title="Many rows, one core", title_justify="left")
    for name in ("", "rows/s", "target"):
        table.add_column(name, justify="left" if not name else "right")
    for name, speed in results["rows_per_second"].items():
        verdict = f"{BULK:,} {met_or_missed(speed >= BULK)}"
        table.add_row(name, f"{speed:,.0f}", verdict if name.startswith("our") else "")
    console.print(table)
    show_servers(results["server"])


def show_servers(results: dict[str, dict]) -> None:
    table = Table(title="Over HTTP, one row a request", title_justify="left")
    for name in ("", "requests/s", "p50 ms", "p99 ms", "target"):
        table.add_column(name, justify="left" if not name else "right")
    for name, server in results.items():
        fast, p99, target = server["requests_per_second"], server["p99"], ""
        if name == "ours, 1 client":
            target = f"{SERVED_PER_SECOND:,}/s {met_or_missed(fast >= SERVED_PER_SECOND)}"
        elif name == f"ours, {CLIENTS} clients":
            target = f"p99 {SERVED_P99_MS:g} ms {met_or_missed(p99 <= SERVED_P99_MS)}"
        table.add_row(name, f"{fast:,.0f}", f"{server['p50']:.2f}", f"{p99:.2f}", target)
    console.print(table)


if __name__ == "__main__":
    main()
