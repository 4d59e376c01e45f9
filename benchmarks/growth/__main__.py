"""Measure how the cost of a training grows with its table, and that of commands with the store, and
what several trainings at once take.

CPU seconds, not those of the clock: they stay about the same where others use the machine.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.data import write_table
from benchmarks.growth import at_once, columns, rows, runs
from benchmarks.measuring import store_environment
from benchmarks.reporting import open_console

console = open_console(110)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("what", nargs="*", help=f"{', '.join(MEASURES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="small sizes; of columns by default")
    asked = parser.parse_args()
    if unknown := sorted({*asked.what} - {*MEASURES}):
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(MEASURES)}")
    for what in asked.what or (["columns"] if asked.quick else MEASURES):
        with TemporaryDirectory(prefix="finflows-growth-") as folder:
            MEASURES[what](Path(folder), asked.quick)


def show_rows(folder: Path, quick: bool) -> None:
    found = rows.measure(folder, store_environment(folder), quick)
    console.print(rows.table_of(found))
    console.print(
        f"{rows.gib_per_million(found):.2f} GiB more for each million rows (target "
        f"{rows.MEMORY_TARGET}); exponents of time should be at most {rows.TIME_TARGET}\n"
    )


def show_columns(_folder: Path, quick: bool) -> None:
    console.print(columns.table_of(columns.measure(quick)))


def show_runs(folder: Path, quick: bool) -> None:
    write_table(table := folder / "rows.csv")
    console.print(runs.table_of(runs.measure(folder, table, quick), quick))


def show_at_once(folder: Path, quick: bool) -> None:
    console.print(at_once.table_of(at_once.measure(store_environment(folder), quick)))


MEASURES = {
    "rows": show_rows,
    "columns": show_columns,
    "runs": show_runs,
    "at_once": show_at_once,
}

if __name__ == "__main__":
    main()
