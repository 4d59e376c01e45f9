"""What is known of the groups and segments of the test rows; how, is in the room ``groups``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from modelling.judgement.intervals import Interval
from modelling.shown_text import safe_name

FOUR_FIFTHS = 0.8


class Group(NamedTuple):
    """One group of customers: how many test rows it has, and its rates by name.

    A rate is left out where it is not defined, or stands for fewer rows than may be shown.
    """

    name: str
    rows: int
    rates: Mapping[str, Interval]

    @property
    def selection_ratio(self) -> Interval | None:
        """How often it is selected, as a multiple of the largest group's share."""
        return self.rates.get("selection_ratio")

    @property
    def four_fifths(self) -> float:
        """The selection ratio, of the group to the largest or the other way round, whichever is
        smaller: 1 is alike. NaN where it is not defined."""
        ratio = self.selection_ratio
        if ratio is None or ratio.value != ratio.value:
            return float("nan")
        return min(ratio.value, 1 / ratio.value) if ratio.value else 0.0


class Proxies(NamedTuple):
    """How well the groups of a column can be told from the features: the mean area under the ROC
    curve of each group against the rest, where 0.5 is not at all; and the features that tell most,
    the strongest first."""

    roc_auc: float
    columns: tuple[str, ...]


@dataclass(frozen=True)
class GroupTable:
    """The groups of one column; empty where fewer than two are large enough.

    ``reference`` is the largest one, with which the others are compared.
    """

    column: str
    groups: tuple[Group, ...] = ()
    reference: str = ""
    proxies: Proxies | None = None

    @property
    def safe_name(self) -> str:
        """The column as it can be part of the name of a file or metric."""
        return safe_name(self.column)

    @property
    def least_alike(self) -> Group | None:
        """The group whose selection differs most from the largest one's, if that is defined."""
        compared = [g for g in self.groups if g.four_fifths == g.four_fifths]
        return min(compared, key=lambda group: group.four_fifths, default=None)


class Slice(NamedTuple):
    """One segment of the test rows, and a metric over it.

    The interval of ``value`` holds for all segments together that were looked at. ``expected`` is
    what the model's own probabilities promise there; of a regression, the value elsewhere. The
    segment ``is_weak`` where the value falls short of it by more than elsewhere, beyond chance.
    """

    column: str
    name: str
    rows: int
    value: Interval
    expected: float
    is_weak: bool
