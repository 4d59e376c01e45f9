"""The comparison on the terminal: a table for each use case, which fits 80 columns."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from modelling.checkout import command, make

if TYPE_CHECKING:
    from tasks.comparison.cells import Cell
    from tasks.comparison.sections import Section
    from tasks.tracking.leaderboard.entry import LeaderboardEntry

WIDTH_OF_LOGS = 100  # in a pipe or a log the table does not depend on the width of a window


def show_leaderboard(entries: "Sequence[LeaderboardEntry]", is_filtered: bool = False) -> None:
    """Print the trainings of each use case, the best first, with what differs between them."""
    from tasks.comparison.sections import sections_of

    if not entries:
        none_yet = f"no training is finished yet: {make('train', command('train', 'USE_CASE'))}"
        print("no finished training matches: change the filters" if is_filtered else none_yet)
        return
    console = Console(
        width=None if sys.stdout.isatty() else WIDTH_OF_LOGS, highlight=False, markup=False
    )
    for section in sections_of(entries):
        console.print(Text(f"{section.use_case}: {section.title}".removesuffix(": "), "bold"))
        console.print(_said_above(section))
        console.print(_table(section))
        for line in _said_below(section):
            console.print(line)
        console.print()
    console.print(f"As a page with charts: {command('compare', '--html comparison.html')}")


def _said_above(section: "Section") -> str:
    from modelling.judgement.metrics.metric import format_value

    beside = [f"{name} {format_value(value)}" for name, value in section.baselines.items()]
    said = f"by {section.metric} on test rows, {section.direction}"
    return f"{said}; baselines: {', '.join(beside)}" if beside else said


def _table(section: "Section") -> Table:
    """Of the intervals that of the advantage is shown; without a baseline, that of the metric."""
    from tasks.comparison.cells import cells, over_baseline

    metric, over = f"{section.metric} {section.arrow}", over_baseline(section)
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("run", no_wrap=True)
    table.add_column("what differs", overflow="fold")
    table.add_column(metric, justify="right", no_wrap=True)
    table.add_column(over, justify="right", no_wrap=True)
    table.add_column("gate, curve", no_wrap=True)
    for entry in section.entries:
        row = cells(entry, section)
        value = row[metric].text if row[over].small else _stacked(row[metric])
        table.add_row(
            _called(section, entry),
            _changed(section, entry),
            value,
            _stacked(row[over]),
            "\n".join(filter(None, [entry.gate, entry.learning_curve])),
        )
    return table


def _called(section: "Section", entry: "LeaderboardEntry") -> str:
    """The beginning of its id, a star at the best, with its version and aliases."""
    mark = "*" if entry is section.best else " "
    version = [f"version {entry.version}"] if entry.version else []
    lines = [f"{mark} {entry.run_id[:8]}", *version, *(f"@{alias}" for alias in entry.aliases)]
    return "\n  ".join(lines)


def _changed(section: "Section", entry: "LeaderboardEntry") -> str:
    """The settings by which the run differs from others, one a line."""
    from tasks.comparison.sections import settings_of
    from tasks.tracking.descriptions import in_words

    known = settings_of(entry)
    lines = [in_words({name: known.get(name) or "-"}) for name in section.differing]
    return "\n".join(lines) or "nothing"


def _stacked(cell: "Cell") -> str:
    return "\n".join(filter(None, [cell.text, cell.small]))


def _said_below(section: "Section") -> Iterator[str]:
    """What must be known of the table, and of single runs."""
    from tasks.comparison.cells import warnings

    if not section.same_rows:
        yield "Not judged on the same test rows: compare the advantages, not the values."
    for entry in section.entries:
        if doubts := warnings(entry):
            yield f"{entry.run_id[:8]}: {doubts}"
