"""The columns of a use case's table and the rules for them; the rules are checked elsewhere."""

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, FiniteFloat, model_validator

from modelling.schema import Declaration

Severity = Literal["critical", "warning"]
Kind = Literal["number", "category", "time", "identifier"]
# Where a value lies, seen from the usual one (``modelling.scorer.reasons``).
Side = Literal["low", "high", "missing", "known", "code", "other"]
Transform = Literal["none", "log", "quantile", "yeo_johnson"]
NUMBERS_ONLY = (
    "minimum",
    "maximum",
    "usual",
    "special_codes",
    "transform",
    "unit",
    "direction",
    "bands",
)


class Column(Declaration):
    """One raw column: what it holds, what is allowed in it, and what the model may use it for.

    ``minimum`` and ``maximum`` (inclusive, in the column's own unit) and ``categories`` are
    critical: a table that breaks them is refused. ``usual`` is the range in which nearly all values
    are expected; values outside give a warning. ``special_codes`` are numbers that are codes, not
    sizes ("98 = refused to say"): no range applies to them, and they become missing, with a flag of
    their own as a feature. Missing values are imputed with the median of the training rows, with a
    flag. Labels that the model does not know, since no or too few training rows had them, are
    counted when rows are scored; a file is not scored if more than ``unknown_at_most`` of its rows
    (plus the share of such labels in training) have one. The ratio of two features of the same
    ``unit`` becomes a feature, too; of many, one that says more than all columns alone.
    ``known_leak_free`` is the reason why a column that seems to give the target away is known when
    it is decided: without one, such a table is refused.
    ``direction="up"`` (``"down"``): the score, a probability or forecast, may only rise (fall) with
    the number, everything else held; what is missing or a code is outside of this order. Such a
    column is in no ratio.

    ``reason`` is what is said where the column speaks for the positive (or decided) class, or
    against a favourable one: in one sentence, whatever the value, or by the side on which it lies,
    seen from the usual value:
    ``{"low": "Income too low for the amount asked for", "missing": "Income not given"}``. Without
    it, the column and that side are named.

    A ``protected`` column (gender, nationality) is no feature and no input of the model: the test
    rows are judged by its groups. ``bands`` are the numbers at which a new group begins: ``(25,
    65)`` makes three. Without them, bands of about as many rows each are found.
    """

    name: Annotated[str, Field(min_length=1)]
    kind: Kind
    role: Literal["feature", "protected", "context"] = "feature"
    minimum: FiniteFloat | None = None
    maximum: FiniteFloat | None = None
    usual: tuple[FiniteFloat, FiniteFloat] | None = None
    special_codes: tuple[FiniteFloat, ...] = ()
    categories: tuple[str, ...] | None = None
    missing_at_most: Annotated[float, Field(ge=0, le=1)] = 0.5
    unknown_at_most: Annotated[float, Field(ge=0, le=1)] = 0.05
    transform: Transform | None = None
    unit: str | None = None
    direction: Literal["up", "down"] | None = None
    known_leak_free: str = ""
    bands: tuple[FiniteFloat, ...] = ()
    note: str = ""
    reason: str | dict[Side, str] = ""

    @model_validator(mode="after")
    def _check_consistency(self) -> "Column":
        if self.role == "feature" and self.kind in ("time", "identifier"):
            raise ValueError(f"column '{self.name}': a {self.kind} can't be a feature")
        if self.known_leak_free and self.role != "feature" and self.kind != "identifier":
            raise ValueError(
                f"column '{self.name}': known_leak_free is a setting of a feature or an identifier"
            )
        if self.direction and self.role != "feature":
            raise ValueError(f"column '{self.name}': direction is a setting of a feature")
        of_kind = dict.fromkeys(NUMBERS_ONLY, "number") | {"categories": "category"}
        for setting, kind in of_kind.items():
            if self.kind != kind and getattr(self, setting) not in (None, ()):
                raise ValueError(
                    f"column '{self.name}': {setting} is a setting of a {kind}, not of a "
                    f"{self.kind}: remove it, or declare a {kind}"
                )
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"column '{self.name}': minimum is above maximum")
        if self.usual is not None and self.usual[0] > self.usual[1]:
            raise ValueError(f"column '{self.name}': usual must be (low, high), low first")
        if list(self.bands) != sorted(set(self.bands)):
            raise ValueError(f"column '{self.name}': bands must rise from one to the next")
        return self


def number(name: str, **declared: Any) -> Column:
    """A number on any scale, of any sign."""
    return Column(name=name, kind="number", **declared)


def amount(name: str, **declared: Any) -> Column:
    """An amount of money, or another quantity that can't be negative; declare its ``unit`` where it
    differs from the currency of the other amounts."""
    return Column(name=name, kind="number", **{"minimum": 0.0, "unit": "money", **declared})


def ratio(name: str, **declared: Any) -> Column:
    """A ratio of two amounts; it may be above one."""
    return Column(name=name, kind="number", **{"minimum": 0.0, **declared})


def count(name: str, **declared: Any) -> Column:
    """A whole number, zero or more."""
    return Column(name=name, kind="number", **{"minimum": 0.0, **declared})


def category(name: str, *categories: str, **declared: Any) -> Column:
    """A label. Where ``categories`` are declared, any other label is refused."""
    return Column(name=name, kind="category", categories=categories or None, **declared)


def time(name: str, **declared: Any) -> Column:
    """A point in time, read with ``pandas.to_datetime``; used to split, never as a feature.

    Times with a time zone are converted to UTC."""
    return Column(name=name, kind="time", **{"role": "context", "missing_at_most": 0, **declared})


def identifier(name: str, **declared: Any) -> Column:
    """The identifier of a customer, card or contract; used to group rows, never as a feature."""
    return Column(
        name=name, kind="identifier", **{"role": "context", "missing_at_most": 0, **declared}
    )


class _TableRule(Declaration):
    """A rule over the whole table or over several columns.

    ``of_sizes``: it means numbers by their size, which special codes have not.
    """

    of_sizes: ClassVar[bool] = False


class RowCount(_TableRule):
    """The table has at least ``at_least`` rows."""

    rule: Literal["row_count"] = "row_count"
    at_least: int
    severity: Severity = "critical"
    because: str


class TargetRate(_TableRule):
    """The share of positives (binary) or the mean (regression) of the target lies in a range."""

    rule: Literal["target_rate"] = "target_rate"
    at_least: FiniteFloat
    at_most: FiniteFloat
    severity: Severity = "warning"
    because: str

    @model_validator(mode="after")
    def _check_range(self) -> "TargetRate":
        if self.at_least > self.at_most:
            raise ValueError("at_least is above at_most")
        return self


class NotAbove(_TableRule):
    """In every row, column ``low`` is at most column ``high``: a date and a later one."""

    of_sizes = True
    kinds_of_named_columns = {"low": ("number", "time"), "high": ("number", "time")}
    rule: Literal["not_above"] = "not_above"
    low: str
    high: str
    severity: Severity = "critical"
    because: str


class UniqueRows(_TableRule):
    """No two rows have the same values in all of ``columns``."""

    kinds_of_named_columns = {"columns": get_args(Kind)}
    rule: Literal["unique_rows"] = "unique_rows"
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    severity: Severity = "warning"
    because: str


class InOrder(_TableRule):
    """From row to row, ``column`` does not fall: the oldest row comes first."""

    kinds_of_named_columns = {"column": ("time", "number")}
    rule: Literal["in_order"] = "in_order"
    column: str
    severity: Severity = "critical"
    because: str


class Finite(_TableRule):
    """Every number of ``column`` is finite, and larger than ``above`` where that is given."""

    of_sizes = True
    kinds_of_named_columns = {"column": ("number",)}
    rule: Literal["finite"] = "finite"
    column: str
    above: FiniteFloat | None = None
    severity: Severity = "critical"
    because: str


Rule = Annotated[
    RowCount | TargetRate | NotAbove | UniqueRows | InOrder | Finite, Field(discriminator="rule")
]
