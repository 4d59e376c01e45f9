"""A training as people read it, cell by cell: for the terminal, Prefect, and the page."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from modelling.judgement.intervals import Interval
from modelling.judgement.metrics.metric import format_value
from tasks.comparison.sections import Section, settings_of
from tasks.tracking.leaderboard.entry import LeaderboardEntry

SETTINGS_SHOWN = 6  # a column each; the others share one


class Cell(NamedTuple):
    """What a cell says, what stands below it in small, and by what its column is sorted."""

    text: str = ""
    small: str = ""
    order: float | str = ""


def cells(entry: LeaderboardEntry, section: Section) -> dict[str, Cell]:
    """One row by the headings of its columns; empty where nothing is known."""
    aliases = " ".join(f"@{alias}" for alias in entry.aliases)
    return {
        **_changed(settings_of(entry), section.differing),
        f"{section.metric} {section.arrow}": _number(entry.value, entry.low, entry.high),
        over_baseline(section): _advantage(entry),
        "skill": _share(entry),
        "curve": Cell(entry.learning_curve, _epochs(entry), entry.learning_curve),
        "gate": Cell(entry.gate, order=entry.gate),
        "warnings": Cell(warnings(entry), order=warnings(entry)),
        "version": Cell(entry.version, aliases, _as_number(entry.version)),
        "seconds": Cell(f"{entry.seconds:,.1f}", order=entry.seconds),
        "started": Cell(f"{entry.started:%Y-%m-%d %H:%M}", order=entry.started.timestamp()),
    }


def warnings(entry: LeaderboardEntry) -> str:
    """The suspected leak, and what else makes the model doubtful."""
    doubts = "" if entry.doubts == "none" else entry.doubts
    leak = f"a leak is suspected: {entry.leak_suspected}" if entry.leak_suspected else ""
    return doubts if not leak or leak in doubts else "; ".join(filter(None, [leak, doubts]))


def _changed(settings: Mapping[str, str], differing: Mapping[str, str]) -> dict[str, Cell]:
    shown = {}
    for name, short in list(differing.items())[:SETTINGS_SHOWN]:
        value = settings.get(name, "")
        shown[short] = Cell(value, order=_as_number(value))
    if others := list(differing.items())[SETTINGS_SHOWN:]:
        text = ", ".join(f"{short}={settings[name]}" for name, short in others if name in settings)
        shown["other settings"] = Cell(text, order=text)
    return shown


def over_baseline(section: Section) -> str:
    """``over boosting`` where that is every run's strongest baseline."""
    names = {one.strongest_baseline for one in section.entries if one.strongest_baseline}
    return f"over {names.pop()}" if len(names) == 1 else "over the best baseline"


def _advantage(entry: LeaderboardEntry) -> Cell:
    if (name := entry.strongest_baseline) is None:
        return Cell()
    value, low, high = entry.advantages[name]
    return _number(value, low, high, signed=True)


def _number(
    value: float | None, low: float | None, high: float | None, signed: bool = False
) -> Cell:
    if value is None or math.isnan(value):
        return Cell()
    sign = "+" if signed and value > 0 else ""
    if low is None or high is None or math.isnan(low):
        return Cell(sign + format_value(value), order=value)
    text, ends = Interval(value, low, high).texts
    return Cell(sign + text, ends, value)


def signed(interval: Interval) -> str:
    """``+0.0021 [0.0000, 0.0037]``."""
    cell = _number(*interval, signed=True)
    return f"{cell.text} {cell.small}".strip()


def _share(entry: LeaderboardEntry) -> Cell:
    if entry.skill is None or math.isnan(entry.skill):
        return Cell()
    ends = (entry.skill_low, entry.skill_high)
    small = "" if None in ends else f"[{ends[0]:.1%}, {ends[1]:.1%}]"
    return Cell(f"{entry.skill:.1%}", small, entry.skill)


def _epochs(entry: LeaderboardEntry) -> str:
    if entry.best_epoch is None:
        return ""
    return f"best epoch {entry.best_epoch} of {len(entry.val_losses)}"


def _as_number(text: str) -> float | str:
    """Numbers are sorted as numbers."""
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text
