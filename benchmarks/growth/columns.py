"""How many features a table has as it gets wider, and what fitting and computing them costs."""

import time

import numpy as np
import pandas as pd
from rich.progress import track
from rich.table import Table

from benchmarks.growth.measured import exponent
from modelling.declaration import Source, UseCase, amount, number
from modelling.features.preprocessing import fit_transformer

WIDTHS, QUICK_WIDTHS, ROWS = (10, 30, 100, 300), (10, 30), 20_000


def wide(columns: int) -> tuple[UseCase, pd.DataFrame]:
    """Half of the columns are amounts, of which ratios could be made."""
    generator = np.random.default_rng(0)
    names = [f"x{position}" for position in range(columns)]
    table = pd.DataFrame(generator.lognormal(3, 1, (ROWS, columns)), columns=names)
    table["target"] = (generator.random(ROWS) < 0.2).astype(np.int64)
    declared = tuple((amount, number)[at % 2](name) for at, name in enumerate(names))
    source = Source(uri="made_up.csv")
    use_case = UseCase(
        name="wide", title="Wide", problem="binary", source=source, target="target",
        columns=declared,
    )  # fmt: skip
    return use_case, table


def measure(quick: bool) -> dict[int, tuple[int, float]]:
    """By the number of columns that of features, and CPU seconds."""
    found = {}
    for columns in track(QUICK_WIDTHS if quick else WIDTHS, "columns", transient=True):
        use_case, table = wide(columns)
        started = time.process_time()
        transformer = fit_transformer(table, use_case)
        transformer.transform(table)
        found[columns] = (len(transformer.feature_names), time.process_time() - started)
    return found


def table_of(found: dict[int, tuple[int, float]]) -> Table:
    widths = [*found]
    table = Table(title=f"Features of {ROWS:,} rows by columns", title_justify="left")
    table.add_column("")
    for columns in widths:
        table.add_column(f"{columns:,} columns", justify="right")
    table.add_column("exponent", justify="right")
    for at, (name, form) in enumerate((("features", "{:,}"), ("CPU seconds", "{:.1f}"))):
        values = [found[columns][at] for columns in widths]
        shown = [form.format(value) for value in values]
        table.add_row(name, *shown, f"{exponent(widths, values):.2f}")
    return table
