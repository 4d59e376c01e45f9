"""``python -m benchmarks.quality``: how good the network is beside tuned boosting and regressions.

Each table is measured over five seeds, which change the split (where it is random) and the initial
weights. Opponents learn from the same training rows; all are calibrated on the same validation
rows, and judged on the same test rows. A run that is stopped goes on where it was. The final half
is measured with ``--half final`` only, once, at the end.
"""

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from threadpoolctl import threadpool_limits

from benchmarks.measuring import REPOSITORY
from benchmarks.quality.cells import NETWORK, read_cells
from benchmarks.quality.compared import TableResult
from benchmarks.quality.opponents import OPPONENTS
from benchmarks.quality.report import show
from benchmarks.quality.tables import TABLES, is_final
from benchmarks.reporting import open_console
from flows.command_line.terminal import configure_environment, hide_native_stderr

if TYPE_CHECKING:
    from benchmarks.quality.measuring import Measurement

RESULTS = REPOSITORY / "mlruns" / "quality.jsonl"
console = open_console(200)


def main() -> None:
    given = parsed()
    prepare(given.threads)
    from benchmarks.quality.measuring import measure  # imports Prefect, after it is prepared for

    asked = measurement(given)
    if not given.show:
        with threadpool_limits(given.threads), progress() as bar:
            task = bar.add_task("", total=asked.size)
            measure(asked, lambda cell: bar.update(task, description=cell, advance=1))
    report(asked, given.against, given.show)


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What is asked for. Ends the program where there is no such table or opponent."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--half", choices=("develop", "final"), default="develop")
    parser.add_argument("--tables", nargs="+", metavar="TABLE", help="of that half; all by default")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--opponents", nargs="*", default=[*OPPONENTS], metavar="NAME")
    parser.add_argument("--trials", type=int, default=30, help="of Optuna for each boosting")
    parser.add_argument("--label", help="what this network is called; by default by its commit")
    parser.add_argument("--against", default="", metavar="LABEL", help="a network measured before")
    parser.add_argument("--show", action="store_true", help="measure nothing, show what is kept")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    of_half = [name for name, table in TABLES.items() if table.half == given.half]
    given.tables = given.tables or of_half
    for flag, names, known in (
        ("--tables", given.tables, of_half),
        ("--opponents", given.opponents, OPPONENTS),
    ):
        for name in names:
            if name not in known:
                half = f" in the half '{given.half}'" if name in TABLES else ""
                parser.error(f"{flag}: there is no {name}{half}, but {', '.join(known)}")
    return given


def prepare(threads: int) -> None:
    """Everybody has as many threads, and libraries are quiet; before they are imported."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(threads)
    configure_environment(verbose=False)
    hide_native_stderr()
    for name in ("finflows", "py.warnings"):
        logging.getLogger(name).setLevel(logging.ERROR)


def measurement(given: argparse.Namespace) -> "Measurement":
    from benchmarks.quality.measuring import Measurement
    from benchmarks.trained_network import commit

    opponents = [OPPONENTS[name] for name in dict.fromkeys(["constant", *given.opponents])]
    for opponent in opponents:
        if not opponent.is_installed:
            console.print(f"{opponent.name} is left out: not installed (make bench-quality does)")
    return Measurement(
        tables=tuple(TABLES[name] for name in given.tables),
        seeds=tuple(given.seeds),
        models=(NETWORK, *(opponent.name for opponent in opponents if opponent.is_installed)),
        label=given.label or commit(),
        trials=given.trials,
        threads=given.threads,
        results=given.results,
    )


def progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=console)


def report(asked: "Measurement", against: str, is_all_kept: bool) -> None:
    """What was asked for and, where ``is_all_kept``, what is kept of it with whatever code."""
    cells = list(read_cells(asked.results))
    if looked := sorted({cell.label for cell in cells if cell.label and is_final(cell.table)}):
        console.print(f"the final half was looked at with: {', '.join(looked)}")
    if seen := [table.name for table in asked.tables if is_final(table.name) and table.is_drafted]:
        console.print(f"seen by drafts, whose benchmark trains networks: {', '.join(seen)}")
    results = [
        TableResult.of(
            table, cells, asked.label, against, {} if is_all_kept else asked.versions(table)
        )
        for table in asked.tables
    ]
    show([one for one in results if one.cells[NETWORK]], against, console)


if __name__ == "__main__":
    main()
