"""What is found out about a table, as plain data: what the file says, and what ``--json`` prints.

Counts, shares, round numbers and labels that many rows share: never a single customer's value.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["number", "amount", "ratio", "count", "category", "time", "identifier"]
SHARED_BY = 20  # rows that must hold a label or a code before it is written down


@dataclass(frozen=True)
class Wanted:
    """What a person says of the table. Columns that are not named are found out."""

    name: str
    target: str
    time: str | None = None
    identifier: str | None = None
    positive: str | None = None


@dataclass
class ColumnFinding:
    """One column of the table: how it would be declared, or why it is left out."""

    name: str
    kind: Kind
    role: Literal["feature", "protected", "context"] = "feature"
    minimum: float | None = None
    maximum: float | None = None
    usual: tuple[float, float] | None = None
    special_codes: tuple[float, ...] = ()
    categories: tuple[str, ...] | None = None
    missing_at_most: float = 0.5
    unit: str | None = None
    notes: list[str] = field(default_factory=list)
    left_out: str | None = None
    gives_target_away: bool = False

    @property
    def declared(self) -> bool:
        return self.left_out is None


@dataclass(frozen=True)
class TargetFinding:
    """What is predicted. ``reason`` says how the positive label was chosen; ``certain`` is False
    where nothing but the number of rows spoke for it."""

    name: str
    problem: Literal["binary", "multiclass", "regression"]
    classes: tuple[int | str, ...] = ()
    merge_classes: dict[str, tuple[int | str, ...]] = field(default_factory=dict)
    ordered: bool = False
    reason: str = ""
    certain: bool = True


@dataclass(frozen=True)
class SplitFinding:
    """How the rows are to be split, and why so."""

    method: Literal["out_of_time", "grouped", "stratified"]
    reason: str
    column: str | None = None


@dataclass(frozen=True)
class GateFinding:
    """The least that a model should reach: a little below what a linear model reached on held-out
    rows of the table. ``too_good`` is a linear model that is nearly perfect, and ``together`` the
    fewest columns found of which it is, too."""

    metric: str
    reason: str
    at_least: float | None = None
    at_most: float | None = None
    too_good: bool = False
    together: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceFinding:
    """The settings with which the table is read, and how those that were not certain were taken."""

    settings: dict[str, str]
    said: tuple[str, ...] = ()


@dataclass
class TableFindings:
    """All that a drafted use case says."""

    name: str
    table: str
    rows: int
    looked_at: int
    source: SourceFinding
    target: TargetFinding
    columns: list[ColumnFinding]
    split: SplitFinding
    gate: GateFinding | None = None
    unlabelled: int = 0
    duplicates: int = 0
    drop_duplicates: bool = False
    rules: list[dict[str, Any]] = field(default_factory=list)
    worth_a_look: list[str] = field(default_factory=list)

    @property
    def kept(self) -> list[ColumnFinding]:
        return [column for column in self.columns if column.declared]

    @property
    def left_out(self) -> list[ColumnFinding]:
        return [column for column in self.columns if not column.declared]
