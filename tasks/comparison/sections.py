"""The trainings of one use case, the best first, with what tells them apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from modelling.declaration.use_case_files import find_use_case
from modelling.judgement.metrics.catalogue import is_lower_better
from modelling.judgement.metrics.metric import format_value
from modelling.refusals import UsageError
from tasks.tracking.descriptions import short_names
from tasks.tracking.leaderboard.entry import LeaderboardEntry, best_of

DRAWN = 7  # as many as colours that everybody can tell apart


@dataclass(frozen=True)
class Section:
    """The trainings of one use case that were judged by the same metric, the best first."""

    entries: Sequence[LeaderboardEntry]

    @property
    def use_case(self) -> str:
        return self.entries[0].use_case

    @property
    def metric(self) -> str:
        return self.entries[0].metric

    @cached_property
    def title(self) -> str:
        """As declared; empty where the use case is not declared here."""
        try:
            return find_use_case(self.use_case).title
        except UsageError:
            return ""

    @property
    def arrow(self) -> str:
        return arrow(self.metric)

    @property
    def direction(self) -> str:
        return "lower is better" if is_lower_better(self.metric) else "higher is better"

    @cached_property
    def best(self) -> LeaderboardEntry | None:
        return best_of(self.entries)

    @property
    def drawn(self) -> Sequence[LeaderboardEntry]:
        """The first few: more would hide each other in a chart."""
        return self.entries[:DRAWN]

    @cached_property
    def names(self) -> dict[str, str]:
        """What each run is called in MLflow, by its id, which is added where two are called
        alike."""
        given = [entry.name or entry.run_id[:8] for entry in self.entries]
        return {
            entry.run_id: name if given.count(name) == 1 else f"{name} ({entry.run_id[:8]})"
            for entry, name in zip(self.entries, given, strict=True)
        }

    @cached_property
    def baselines(self) -> dict[str, float]:
        """Those of the best run that has some, the strongest first."""
        first = [self.best] if self.best else []
        judged = next((one.baselines for one in [*first, *self.entries] if one.baselines), {})
        return dict(
            sorted(
                judged.items(), key=lambda pair: pair[1], reverse=not is_lower_better(self.metric)
            )
        )

    @cached_property
    def differing(self) -> dict[str, str]:
        """The settings that differ between the runs, by dotted name with a short one; those that
        all runs have recorded come first. So do the data, and the code, if they differ."""
        by_run = [settings_of(entry) for entry in self.entries]
        names = dict.fromkeys(name for settings in by_run for name in settings)
        differ = [name for name in names if len({one.get(name) for one in by_run}) > 1]
        differ.sort(key=lambda name: any(name not in one for one in by_run))
        return short_names(differ)

    @property
    def same_rows(self) -> bool:
        """Whether all runs were judged on the same test rows."""
        of_rows = ("data", "unlabelled", "duplicates", "derived.", "split.")
        return not any(name.startswith(of_rows) for name in self.differing)

    @property
    def verdict(self) -> str:
        """The best run beside its strongest baseline, in a sentence."""
        if self.best is None:
            return "No run has a value of this metric."
        return f"{_value(self.best)}{beside_baseline(self.best)}"

    @property
    def close(self) -> int:
        """How many other runs lie inside the interval of the best one."""
        if self.best is None or self.best.low is None or self.best.high is None:
            return 0
        low, high = self.best.low, self.best.high
        others = [one.value for one in self.entries if one is not self.best]
        return sum(value is not None and low <= value <= high for value in others)


def sections_of(entries: Sequence[LeaderboardEntry]) -> list[Section]:
    """One for each use case and metric, of entries that are sorted by ``rank``."""
    groups = groupby(entries, key=lambda entry: (entry.use_case, entry.metric))
    return [Section(list(group)) for _, group in groups]


def settings_of(entry: LeaderboardEntry) -> dict[str, str]:
    """All settings of a run, with the data and the code that it was trained with."""
    return {**entry.settings, "data": entry.data_hash[:8], "code": entry.code}


def arrow(metric: str) -> str:
    """Which way is better."""
    return "↓" if is_lower_better(metric) else "↑"


def beside_baseline(entry: LeaderboardEntry) -> str:
    """``, better than boosting (0.8641) by 0.0021 [...]``; empty without baselines."""
    name = entry.strongest_baseline
    if name is None:
        return ", without a baseline"
    advantage, value = entry.advantages[name], entry.baselines[name]
    if math.isnan(advantage.low):
        return f", beside {name} ({format_value(value)})"
    return f", {advantage.beside(name, value)}"


def _value(entry: LeaderboardEntry) -> str:
    assert entry.value is not None
    if entry.low is None or entry.high is None:
        return f"{entry.metric} {format_value(entry.value)}"
    interval = f"{format_value(entry.low)} to {format_value(entry.high)}"
    return f"{entry.metric} {format_value(entry.value)} (95 % interval {interval})"
