"""What a watch found, in words, in numbers for MLflow, and as a page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from modelling.shown_text import row_count, safe_name, table_cell
from modelling.watching.drift import LARGE, MODERATE, Drift
from modelling.watching.outcomes import Outcomes


@dataclass(frozen=True)
class Watched:
    """What was found in ``rows`` rows of today, beside the ``judged_rows`` of a version.

    ``refused`` rows have no answer; ``broken`` counts the rows that break each rule of the
    contract, ``unknown`` those with a label that the model does not name, by column. ``columns``
    and ``answers`` have the largest drift first. Without ``outcomes``, ``no_outcomes`` says why.
    ``repeated`` rows equal an earlier one in all that is declared but the target.
    """

    name: str
    version: str
    rows: int
    judged_rows: int
    refused: int
    broken: Mapping[str, int]
    unknown: Mapping[str, int]
    columns: tuple[Drift, ...]
    answers: tuple[Drift, ...]
    outcomes: Outcomes | None
    no_outcomes: str = ""
    repeated: int = 0

    @property
    def alarms(self) -> list[str]:
        """What somebody should look at."""
        drifted = [str(drift) for drift in self.drifts if drift.level == "large"]
        return drifted + (self.outcomes.alarms if self.outcomes else [])

    @property
    def drifts(self) -> tuple[Drift, ...]:
        """Of the answers, then of the columns."""
        return self.answers + self.columns

    @property
    def numbers(self) -> dict[str, float]:
        """By the names of MLflow's metrics, the same at each watch, so that MLflow draws them."""
        found: dict[str, float] = {"rows": self.rows, "refused": self.refused}
        found |= {"repeated": self.repeated}
        found |= {"alarms": len(self.alarms)}
        for kind, drifts in (("psi_of_answers", self.answers), ("psi", self.columns)):
            safe = safe_names(drift.name for drift in drifts)
            found |= {f"{kind}/{safe[drift.name]}": drift.psi for drift in drifts}
        if self.outcomes is not None:
            found |= {"rows_with_outcome": self.outcomes.rows, **self.outcomes.metrics}
            if level := self.outcomes.level:
                found |= {"predicted": level.predicted, "observed": level.observed}
        return {name: value for name, value in found.items() if value == value}

    def drift_in_words(self, drifts: tuple[Drift, ...], noun: str) -> str:
        """One line: how many have moved, and which one most."""
        moved = [drift for drift in drifts if drift.level != "none"]
        if not drifts:
            return f"too few rows have {noun} that can be compared"
        if not moved and len(drifts) == 1:
            return f"{drifts[0].name} has not drifted"
        if not moved:
            return f"none of {len(drifts)} {noun} has drifted"
        return f"{len(moved)} of {len(drifts)} {noun} drifted, most {moved[0]}"

    def repeated_in_words(self) -> str:
        """One line, and what it means: a join with outcomes may have repeated them."""
        return (
            f"{row_count(self.repeated)} of {self.rows:,} with the columns of an earlier one: "
            "where a join repeated them, they count twice, and intervals are too narrow"
        )

    def outcomes_in_words(self) -> list[str]:
        """One line for each headline metric, and one for the level."""
        if self.outcomes is None:
            return [self.no_outcomes]
        level = [str(self.outcomes.level)] if self.outcomes.level else []
        lines = [str(change) for change in self.outcomes.changes] + level
        return [f"{self.outcomes.rows:,} rows: {lines[0]}", *lines[1:]] if lines else []

    def markdown(self) -> str:
        """The page: alarms, drift, outcomes, and what was wrong with the rows."""
        alarms = [f"- **{' '.join(alarm.split())}**" for alarm in self.alarms] or ["No alarm."]
        lines = [f"# {self.name} version {self.version}, watched", ""]
        lines += [f"{self.rows:,} rows, beside {self.judged_rows:,} on which it was judged.", ""]
        lines += [f"{self.repeated_in_words()}.", ""] if self.repeated else []
        lines += [*alarms, "", *self._drift_table(), "", "## Outcomes", ""]
        lines += [f"- {line}" for line in self.outcomes_in_words()]
        lines += ["", *self._metric_table()] if self.outcomes else []
        unknown = {f"{name}: unknown label": rows for name, rows in self.unknown.items()}
        counted = {**unknown, **self.broken}
        if counted:
            lines += ["", "## Rows that break a rule", "", "| rule | rows |", "|---|---:|"]
            lines += [f"| {table_cell(rule)} | {rows:,} |" for rule, rows in counted.items()]
        return "\n".join(lines) + "\n"

    def _drift_table(self) -> list[str]:
        rows = [
            f"| {table_cell(d.name)} | {d.psi:.3f} | {d.by_chance:.3f} | {d.level} "
            f"| {table_cell(d.bin)} | {' | '.join(d.shares)} |"
            for d in self.drifts
        ]
        note = f"Drift is moderate from a PSI of {MODERATE} on, large from {LARGE}; "
        return [
            "## Drift",
            "",
            note + "none where it could be chance. The bin is the one that has gained most.",
            "",
            "| answer or column | PSI | by chance up to | drift | bin | when judged | now |",
            "|---|---:|---:|---|---|---:|---:|",
            *rows,
        ]

    def _metric_table(self) -> list[str]:
        assert self.outcomes is not None
        rows = [f"| {' | '.join(row)} |" for row in self.outcomes.metrics_in_words]
        return ["| metric | what it is | now |", "|---|---|---:|", *rows]


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """Names of columns, each with what stands for it in the name of a metric, which takes no other
    characters and not so many; no two are alike, whatever their order."""
    safe: dict[str, str] = {}
    for name in sorted(names):
        plain = safe_name(name)[:200]
        safe[name] = f"{plain}_{len(safe)}" if plain in safe.values() else plain
    return safe
