"""The same training over more and more rows: CPU seconds and memory by stage, with exponents."""

from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import track
from rich.table import Table

from benchmarks.growth.measured import GrownTraining, exponent
from modelling.data.loading import read_table
from use_cases import find_use_case

SIZES, QUICK_SIZES = (150_000, 500_000, 2_000_000, 5_000_000), (20_000, 60_000)
TIME_TARGET, MEMORY_TARGET = 1.1, 1.0  # an exponent, and GiB for a million rows
USE_CASE = "credit_scoring"
OPTIONS = ("--set", "training.epochs=3", "--set", "split.known_leak_free=a benchmark")
NEGLIGIBLE_SECONDS = 2.0  # of a stage at the largest size


def write_rows(path: Path, rows: int) -> None:
    """Made-up borrowers: each has the label of a real one, and in each column the cell of any real
    one with that label. Copies of whole borrowers would be in training and validation rows alike:
    boosting would learn them by heart, and stop the later the more copies there are."""
    declared = find_use_case(USE_CASE)
    table, generator = read_table(declared.source), np.random.default_rng(0)
    labels = table[declared.target].to_numpy()[np.arange(rows) % len(table)]
    made_up = {declared.target: labels}
    for column in declared.features:
        cells = made_up[column.name] = np.empty(rows)
        for label, real in table.groupby(declared.target)[column.name]:
            of_label = labels == label
            values = pd.to_numeric(real, "coerce").to_numpy()
            cells[of_label] = generator.choice(values, of_label.sum())
        if column.kind == "number" and np.nanmax(cells) > 1000:
            made_up[column.name] = (cells * generator.uniform(0.97, 1.0, rows)).round(2)
    pd.DataFrame(made_up).to_parquet(path)


def measure(folder: Path, environment: dict[str, str], quick: bool) -> dict[int, GrownTraining]:
    found = {}
    for rows in track(QUICK_SIZES if quick else SIZES, "rows", transient=True):
        write_rows(file := folder / f"{rows}.parquet", rows)
        options = ("--data", str(file), *OPTIONS)
        found[rows] = GrownTraining(USE_CASE, environment, *options)
        file.unlink()
    return found


def table_of(found: dict[int, GrownTraining]) -> Table:
    sizes = [*found]
    table = Table(title="CPU seconds and GiB by stage, all processes", title_justify="left")
    table.add_column("until this stage is done")
    for rows in sizes:
        table.add_column(f"{rows:,} rows", justify="right")
    table.add_column("exponent", justify="right")
    for stage in found[sizes[-1]].seconds:
        seconds = [found[rows].seconds.get(stage, 0.0) for rows in sizes]
        held = [found[rows].memory.get(stage, 0.0) for rows in sizes]
        shown = f"{exponent(sizes, seconds):.2f}" if seconds[-1] > NEGLIGIBLE_SECONDS else ""
        cells = [f"{cpu:.1f} s {gib:.2f}" for cpu, gib in zip(seconds, held, strict=True)]
        table.add_row(stage, *cells, shown)
    return table


def gib_per_million(found: dict[int, GrownTraining]) -> float:
    """How much the largest use of memory grows, beyond what the program needs in any case."""
    peaks = [max(training.memory.values()) for training in found.values()]
    return float(np.polyfit(np.array([*found]) / 1e6, peaks, 1)[0])
