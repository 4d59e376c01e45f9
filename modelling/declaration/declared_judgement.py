"""What a use case may declare of its judgement: metrics, baselines, costs, decisions, the gate.

Import these from ``modelling.declaration``.
"""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    FiniteFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from modelling.judgement.baselines.catalogue import all_baselines
from modelling.judgement.metrics.catalogue import headline_names
from modelling.schema import Declaration


def _one_of(name: str, names: list[str]) -> str:
    if name not in names:
        *others, last = map(repr, names)
        raise ValueError(f"Input should be {', '.join(others)} or {last}")
    return name


def _headline(name: str) -> str:
    return _one_of(name, headline_names())


def _baseline(name: str) -> str:
    return _one_of(name, [*all_baselines()])


HeadlineName = Annotated[str, AfterValidator(_headline)]
BaselineName = Annotated[str, AfterValidator(_baseline)]
Money = Annotated[FiniteFloat, Field(ge=0)]


class Costs(Declaration):
    """What a wrong decision costs, in ``unit``.

    A false negative (a default or fraud that is accepted) costs ``false_negative`` +
    ``false_negative_share`` x the amount; a false positive (a good customer who is refused) costs
    ``false_positive`` + ``false_positive_share`` x the amount. ``amount`` names the feature that
    holds the amount; amounts above ``amount_at_most`` count as that.
    """

    kinds_of_named_columns = {"amount": ("number",)}
    renamed_fields = {
        "missed": "false_negative",
        "missed_share": "false_negative_share",
        "false_alarm": "false_positive",
        "false_alarm_share": "false_positive_share",
    }
    unit: str = "USD"
    amount: str | None = None
    amount_at_most: PositiveFloat | None = None
    false_negative: Money = 0.0
    false_negative_share: Money = 0.0
    false_positive: Money = 0.0
    false_positive_share: Money = 0.0


class CutOff(Declaration):
    """Refuse from a fixed probability on (``modelling.judgement.decisions.cut_off``)."""

    method: Literal["cut_off"] = "cut_off"
    cut_off: Annotated[float, Field(gt=0, lt=1)] = 0.5


class LeastCost(Declaration):
    """Refuse where accepting is expected to cost more; the cut-off is chosen on validation rows."""

    method: Literal["least_cost"] = "least_cost"


class AlertBudget(Declaration):
    """Refuse the most suspicious cards, as many a day as people can look at.

    ``time`` and ``card`` name columns; a card's score on a day is that of its most suspicious row.
    """

    method: Literal["alert_budget"] = "alert_budget"
    kinds_of_named_columns = {"time": ("time",), "card": ("identifier",)}
    alerts_a_day: PositiveInt = 100
    time: str
    card: str


class Groups(Declaration):
    """By which groups of customers the test rows are judged, and where the model is looked at for
    weak spots.

    Columns with ``role="protected"`` are judged by without being named. ``columns`` names others,
    which stay what they are. ``slices`` names the columns in whose segments the model may be weak:
    all but identifiers unless they are declared, ``()`` for none. ``favourable`` are the classes
    that a customer wishes for, by default the first of two: who gets one is selected, and all
    others get adverse reasons. No group or segment of fewer than ``minimum_rows`` test rows is
    shown.
    """

    kinds_of_named_columns = {
        "columns": ("category", "number", "time"),
        "slices": ("category", "number", "time"),
    }
    columns: tuple[str, ...] = ()
    slices: tuple[str, ...] | None = None
    favourable: tuple[int | str, ...] = ()
    minimum_rows: PositiveInt = 30


class Gate(Declaration):
    """What a model must reach on the test rows to be promoted.

    ``selection_ratio_at_least`` maps a column by whose groups the model is judged to a bound
    between 0 and 1: ``{"gender": 0.8}`` asks that no group is selected less than 0.8 times as often
    as the largest, nor the largest less than 0.8 times as often as it.

    A class that it never predicts makes it doubtful, unless it is in ``need_not_predict``: rare
    classes of which only the probability is used.
    """

    metric: str
    at_least: FiniteFloat | None = None
    at_most: FiniteFloat | None = None
    need_not_predict: tuple[int | str, ...] = ()
    selection_ratio_at_least: dict[str, Annotated[float, Field(gt=0, le=1)]] = {}

    @model_validator(mode="after")
    def _bounded(self) -> "Gate":
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"gate: say what {self.metric} must reach: at_least or at_most")
        low, high = self.at_least, self.at_most
        if low is not None and high is not None and low > high:
            raise ValueError("gate: at_least is above at_most")
        return self

    @property
    def wanted(self) -> str:
        """The bounds in words: ``at least 0.85``."""
        bounds = {"at least": self.at_least, "at most": self.at_most}
        return " and ".join(f"{word} {to:g}" for word, to in bounds.items() if to is not None)

    def passes(self, value: float) -> bool:
        """NaN never passes."""
        above = self.at_least is None or value >= self.at_least
        below = self.at_most is None or value <= self.at_most
        return above and below and value == value


Decision = Annotated[CutOff | LeastCost | AlertBudget, Field(discriminator="method")]
