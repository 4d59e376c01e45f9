"""One live line on a terminal: how far something is, how fast, and how long it will take."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class ShowProgress(Protocol):
    """Show that ``done`` steps are done, with a few words about them."""

    def __call__(self, done: int, text: str = "") -> None: ...


@contextmanager
def progress_line(
    activity: str, step: str, total: int | None = None, rows_per_step: int = 0, text: str = ""
) -> Iterator[ShowProgress]:
    """A line on stderr while the block runs; nothing where stderr is no terminal.

    Parameters
    ----------
    activity, step : str
        What is being done, and what is counted: ``training`` and ``epoch``.
    total : int, optional
        How many steps there will be. Without it there is no bar, and the time that has passed.
    rows_per_step : int
        For the rows in a second; 0 shows none.
    text : str
        Shown before the first step is done.
    """
    with _live(*_columns(step, total)) as bar:
        line = bar.add_task(activity, total=total, text=text, speed="")

        def show(done: int, text: str = "") -> None:
            steps_per_second = bar.tasks[line].speed
            rows = f"{steps_per_second * rows_per_step:,.0f} rows/s" if steps_per_second else ""
            bar.update(line, completed=done, text=text, speed=rows if rows_per_step else "")

        yield show


@contextmanager
def elapsed_line(activity: str) -> Iterator[None]:
    """What is being done and for how long, while the block runs; nothing where stderr is no
    terminal. The block must print nothing."""
    aligned = TextColumn("  {task.description:11}")  # as the lines of the stages that follow
    with _live(aligned, SpinnerColumn("line"), TimeElapsedColumn()) as bar:
        bar.add_task(activity, total=None)
        yield


def _live(*columns: ProgressColumn) -> Progress:
    console, quiet = Console(stderr=True), not sys.stderr.isatty()
    return Progress(*columns, console=console, transient=True, disable=quiet)


def _columns(step: str, total: int | None) -> list[ProgressColumn]:
    activity, facts = TextColumn("{task.description}"), "{task.fields[text]}  {task.fields[speed]}"
    if total is None:
        return [activity, TextColumn(f"{{task.completed:,}} {step}  {facts}"), TimeElapsedColumn()]
    counted = TextColumn(f"{step} {{task.completed}}/{{task.total}}  {facts}")
    return [activity, BarColumn(bar_width=24), counted, TimeRemainingColumn(compact=True)]
