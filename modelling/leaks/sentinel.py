"""All leaks that a prepared table shows before anything is trained."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from modelling.data.splitting import Parts
from modelling.declaration import Column, UseCase
from modelling.leaks.columns import (
    CERTAIN,
    MORE_THAN_CHANCE,
    Cells,
    cells_of,
    has_few_gaps,
    is_row_number,
    missing_tells,
    order_tells,
    tell_together,
    tells_alone,
)
from modelling.leaks.dates import LATER, SOMETIMES_LATER, as_times, later_share
from modelling.leaks.equal_rows import equal_by_chance, equal_rows
from modelling.leaks.finding import LEAVE_OUT, SETTING, leak
from modelling.leaks.separation import Separation, rows_to_examine
from modelling.refusals import BrokenRule

EQUAL_ROWS, MANY_EQUAL_ROWS = 0.001, 0.25  # shares of a part
FEW_EQUAL_ROWS = 5


def find_leaks(parts: Parts, use_case: UseCase) -> tuple[BrokenRule, ...]:
    """What gives the target away, each with the column, the evidence and what to do.

    Parameters
    ----------
    parts : Parts
        Only training rows are looked at; of the others, whether they equal a training row.
    use_case : UseCase
        What a column declares as ``known_leak_free`` is said, but is never critical.

    Returns
    -------
    tuple of BrokenRule
        Critical ones first. Names, counts and scores; never a value.
    """
    target = parts.train[use_case.target].to_numpy()
    at = rows_to_examine(target, use_case.problem)
    train = parts.train.iloc[at]
    separation = Separation(target[at], use_case.problem)
    table_rows = max(int(part.index.max()) for part in parts) + 1
    examined = [_Examined(column, train, separation) for column in use_case.features]
    found = [
        *(finding for one in examined for finding in one.leaks(table_rows)),
        *_together(examined, separation),
        *_later(train, use_case),
        *_orders(train, use_case, separation),
        *_on_both_sides(parts, use_case),
    ]
    return tuple(sorted(found, key=lambda finding: finding.severity))


class _Examined:
    """One feature over the ``train`` rows (n,)."""

    def __init__(self, column: Column, train: pd.DataFrame, separation: Separation):
        self.column, self.separation = column, separation
        self.values = train[column.name]
        self.cells: Cells = cells_of(self.values, column.unit, separation)

    def leaks(self, table_rows: int) -> Iterator[BrokenRule]:
        """At most one: the plainest."""
        missing = missing_tells(self.values.isna().to_numpy(), self.separation)
        score, problem = self.cells.score, self.separation.problem
        if missing is not None:
            said = self.separation.said(missing, of_flag=True)
            yield self._leak("tells the target by being missing", said)
        elif score is not None and tells_alone(score, problem):
            certain = score >= CERTAIN[problem]
            yield self._leak("tells the target on its own", self.separation.said(score), certain)
        elif score is not None and score >= MORE_THAN_CHANCE[problem] and self._counts(table_rows):
            remedy = LEAVE_OUT.replace("leave it out", "declare it with identifier(...)")
            certain = has_few_gaps(self.values.to_numpy(dtype=np.float64), table_rows)
            what = "numbers the rows, and their order tells the target"
            yield self._leak(what, self.separation.said(score), certain, remedy)

    def _counts(self, table_rows: int) -> bool:
        numbers = self.cells.numbers
        return numbers is not None and is_row_number(numbers, table_rows)

    def _leak(
        self, what: str, measured: str, certain: bool = True, remedy: str = LEAVE_OUT
    ) -> BrokenRule:
        evidence = f"{what} ({measured} over {self.separation.rows:,} training rows)"
        critical, known = certain and self.separation.is_enough, self.column.known_leak_free
        return leak(self.column.name, evidence, critical, remedy, known_leak_free=known)


def _together(examined: list[_Examined], separation: Separation) -> Iterator[BrokenRule]:
    """Columns that tell the target together; those that do alone, or are vouched for, are not asked
    again."""
    asked = [
        one.cells
        for one in examined
        if not one.column.known_leak_free and not tells_alone(one.cells.score, separation.problem)
    ]
    if found := tell_together(asked, separation):
        names, score = found
        evidence = f"tell the target together ({_measured(separation, score)})"
        remedy = f"leave out what is known later, or declare {SETTING}='why' for one of them"
        yield leak(_listed(names), evidence, separation.is_enough, remedy)


def _measured(separation: Separation, score: float) -> str:
    return f"{separation.said(score)} over {separation.rows:,} training rows"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names[:-1]) + f" and '{names[-1]}'"


def _later(train: pd.DataFrame, use_case: UseCase) -> Iterator[BrokenRule]:
    """Features that hold dates behind the one at which was decided."""
    decision = _decision_time(use_case)
    if decision is None:
        return
    for column in use_case.features:
        if (times := as_times(train[column.name])) is None:
            continue
        if (share := later_share(train[decision], times)) >= SOMETIMES_LATER:
            evidence = f"is later than '{decision}' in {share:.1%} of the training rows"
            known = column.known_leak_free
            yield leak(column.name, evidence, share >= LATER, known_leak_free=known)


def _decision_time(use_case: UseCase) -> str | None:
    """The column that says when was decided: that of the split, or the only time there is."""
    times = [column.name for column in use_case.columns if column.kind == "time"]
    of_split = [name for name in times if name == getattr(use_case.split, "column", None)]
    return of_split[0] if of_split else times[0] if len(times) == 1 else None


def _orders(train: pd.DataFrame, use_case: UseCase, separation: Separation) -> Iterator[BrokenRule]:
    """Identifiers are no features; but an order that tells the target says that the table was put
    together outcome by outcome, and other columns may show it, too."""
    for column in use_case.columns:
        if column.kind != "identifier":
            continue
        if (score := order_tells(train[column.name], separation)) is not None:
            evidence = f"its order tells the target ({_measured(separation, score)})"
            remedy = "is the table put together by outcome? Then other columns may show that, too"
            known = column.known_leak_free
            yield leak(column.name, evidence, False, remedy, known_leak_free=known)


def _on_both_sides(parts: Parts, use_case: UseCase) -> Iterator[BrokenRule]:
    """More rows on both sides of the split than chance explains ten times over."""
    for name, count in equal_rows(parts, use_case).items():
        share = count / len(getattr(parts, name))
        if count < FEW_EQUAL_ROWS or share < EQUAL_ROWS:
            continue
        if (chance := equal_by_chance(parts, use_case)) > 0.1 * share:
            return
        evidence = f"{count:,} {name} rows ({share:.1%}) equal a training row, target included"
        remedy = "declare duplicates='drop', or a Grouped split where somebody has several rows"
        critical = share >= MANY_EQUAL_ROWS and chance < 0.01 * share
        known = use_case.split.known_leak_free
        yield leak("(rows)", evidence, critical, remedy, known_leak_free=known)
