"""How far a scoring is, and how much memory it took at most."""

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn


@contextmanager
def row_progress() -> Iterator[Callable[[int], None]]:
    """One live line with rows and rows/s; nothing where no one looks."""
    columns = (TextColumn("scoring  {task.completed:,} rows  {task.fields[speed]}"),)
    console = Console(stderr=True)
    silent = not sys.stderr.isatty()
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=silent
    ) as bar:
        line = bar.add_task("scoring", total=None, speed="")

        def on_rows(rows: int) -> None:
            speed = bar.tasks[line].speed
            bar.update(line, completed=rows, speed=f"{speed:,.0f} rows/s" if speed else "")

        yield on_rows


def peak_memory_mb() -> float:
    """The largest resident size of this process so far, in MB.

    Linux keeps it for each program; ``getrusage`` would also count what stood in the process
    that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes
