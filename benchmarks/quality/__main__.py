"""``python -m benchmarks.quality``: how good the network is beside tuned boosting and regressions.

Each table is measured over five seeds, which change the split (where it is random) and the initial
weights. Opponents learn from the same training rows; all are calibrated on the same validation
rows, and judged on the same test rows. A run that is stopped goes on where it was. The final half
is measured with ``--half final`` only, once, at the end.
"""

import argparse
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.measuring import REPOSITORY
from flows.command_line.terminal import configure_environment, hide_native_stderr

if TYPE_CHECKING:
    from benchmarks.quality.measuring import Measurement

RESULTS = REPOSITORY / "mlruns" / "quality.jsonl"
console = Console(highlight=False, width=None if Console().is_terminal else 200)


def main() -> None:
    given = parsed()
    limit_threads(given.threads)
    configure_environment(verbose=False)
    hide_native_stderr()
    for name in ("finflows", "py.warnings"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from threadpoolctl import threadpool_limits

    from benchmarks.quality.measuring import measure

    asked = measurement(given)
    if not given.show:
        with threadpool_limits(given.threads), progress() as bar:
            task = bar.add_task("", total=asked.size)
            measure(asked, lambda cell: bar.update(task, description=cell, advance=1))
    report(asked, given.against)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--half", choices=("develop", "final"), default="develop")
    parser.add_argument("--tables", nargs="+", metavar="TABLE", help="of that half; all by default")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--opponents", nargs="*", metavar="NAME", help="all by default")
    parser.add_argument("--trials", type=int, default=30, help="of Optuna for each boosting")
    parser.add_argument("--label", help="what this network is called; by default by its commit")
    parser.add_argument("--against", default="", metavar="LABEL", help="a network measured before")
    parser.add_argument("--show", action="store_true", help="measure nothing, show what is kept")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


def limit_threads(threads: int) -> None:
    """Before TensorFlow is imported: everybody has as many threads."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(threads)


def measurement(given: argparse.Namespace) -> "Measurement":
    """What is asked for. Ends the program with one line where there is no such thing."""
    from benchmarks.quality.cells import NETWORK
    from benchmarks.quality.measuring import Measurement, commit
    from benchmarks.quality.opponents import OPPONENTS
    from benchmarks.quality.tables import TABLES

    tables = {name: one for name, one in TABLES.items() if one.half == given.half}
    names, opponents = given.tables or list(tables), given.opponents
    opponents = list(OPPONENTS) if opponents is None else ["constant", *opponents]
    for name in names:
        if name not in tables:
            raise SystemExit(f"--tables: no {name} in the half {given.half}: {', '.join(tables)}")
    for name in opponents:
        if name not in OPPONENTS:
            raise SystemExit(f"--opponents: no {name}: {', '.join(OPPONENTS)}")
        if not OPPONENTS[name].is_installed:
            console.print(f"{name} is left out: it is not installed (make bench-quality does)")
    return Measurement(
        tables=tuple(tables[name] for name in names),
        seeds=tuple(given.seeds),
        models=(NETWORK, *(name for name in opponents if OPPONENTS[name].is_installed)),
        label=given.label or commit(),
        trials=given.trials,
        threads=given.threads,
        results=given.results,
    )


def progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=console)


def report(asked: "Measurement", against: str) -> None:
    from benchmarks.quality.cells import NETWORK, read_cells
    from benchmarks.quality.compared import TableResult
    from benchmarks.quality.report import show
    from benchmarks.quality.tables import is_final

    cells = list(read_cells(asked.results))
    if looked := sorted({cell.label for cell in cells if cell.label and is_final(cell.table)}):
        console.print(f"the final half was looked at with: {', '.join(looked)}")
    results = [TableResult.of(table, cells, asked.label, against) for table in asked.tables]
    show([one for one in results if one.cells[NETWORK]], against, console)


if __name__ == "__main__":
    main()
