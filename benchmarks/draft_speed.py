"""How long `finflows draft` takes for a million rows by 100 columns, and how much memory.

Run it with ``.venv/bin/python -m benchmarks.draft_speed [ROWS]``; to take at most 30 s and 2 GiB.
"""

import os
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.csv

COLUMNS = 100


def write_table(path: Path, rows: int) -> None:
    """Amounts, counts, rates, labels and dates; the target depends on some of them."""
    generator = np.random.default_rng(0)
    odds = np.zeros(rows)
    columns: dict[str, np.ndarray] = {"customer": np.arange(rows)}
    days = generator.integers(0, 1000, rows)
    columns["opened_on"] = np.datetime64("2020-01-01") + days
    for number in range((COLUMNS - 3) // 4):
        amounts = generator.gamma(2, 1000, rows).round(2)
        odds += (amounts - 2000) / 20_000
        columns[f"amount_{number}"] = amounts
        columns[f"count_{number}"] = generator.poisson(3, rows)
        columns[f"rate_{number}"] = generator.beta(2, 5, rows).round(4)
        columns[f"label_{number}"] = generator.choice(["red", "green", "blue", "white"], rows)
    columns["defaulted"] = (generator.random(rows) < 1 / (1 + np.exp(3 - odds))).astype(int)
    pyarrow.csv.write_csv(pa.table(columns), path)


def main(rows: int) -> None:
    with TemporaryDirectory() as folder:
        table, file = Path(folder, "table.csv"), Path(folder, "wide.py")
        # A process starts with the peak of the one that starts it: the table is written in its own.
        writing = get_context("spawn").Process(target=write_table, args=(table, rows))
        writing.start()
        writing.join()
        command = [sys.executable, "-m", "flows.command_line", "draft", str(table)]
        started = time.perf_counter()
        drafting = subprocess.Popen([*command, "--target", "defaulted", "--to", str(file)])
        _, status, used = os.wait4(drafting.pid, 0)
        seconds = time.perf_counter() - started
        size = table.stat().st_size / 2**20
    if status:
        raise SystemExit("the draft failed")
    print(
        f"{rows:,} rows, {size:,.0f} MiB: {seconds:.1f} s, {used.ru_utime + used.ru_stime:.1f} CPU "
        f"seconds, load {os.getloadavg()[0]:.1f}, peak {used.ru_maxrss / 1024:,.0f} MiB"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
