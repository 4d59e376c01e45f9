"""The record of a metric: all that is known of it, in one place."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from modelling.schema import Need, Problem

Weighted = Callable[[np.ndarray], np.ndarray]


def not_needed() -> np.ndarray:
    """An array that no metric of the use case reads."""
    return np.empty(0)


@dataclass(frozen=True)
class Scored:
    """What a metric may read: n rows, what happened in them, and what a model says of them.

    Attributes
    ----------
    target : ndarray of shape (n,)
        Class codes from 0 on (two classes: 1 is the positive one), or values.
    outputs : ndarray of shape (n,) or (n, classes)
        Probabilities of the positive class, or forecasts in the target's unit; of three or more
        classes a row of probabilities. NaN makes a metric NaN, or raises ValueError.
    decided : ndarray of shape (n,)
        The class codes on which the model decided. Empty where only outputs are known: metrics
        that can be resampled do not read it.
    naive_outputs : ndarray of shape (n,) or (n, classes)
        The outputs of the first declared baseline.
    days, cards : ndarray of shape (n,)
        The day and the card of each row; anything that sorts.
    alerts_per_day : int
        As many cards a day can be looked at.
    amounts : ndarray of shape (n,)
        The amount of each row, in the currency of the costs.
    cost_if_accepted, cost_if_refused : ndarray of shape (n,)
        What each row costs by either decision, in the currency of the costs.

    Arrays that no metric of the use case needs are empty.
    """

    target: np.ndarray
    outputs: np.ndarray
    decided: np.ndarray = field(default_factory=not_needed)
    naive_outputs: np.ndarray = field(default_factory=not_needed)
    days: np.ndarray = field(default_factory=not_needed)
    cards: np.ndarray = field(default_factory=not_needed)
    alerts_per_day: int = 0
    amounts: np.ndarray = field(default_factory=not_needed)
    cost_if_accepted: np.ndarray = field(default_factory=not_needed)
    cost_if_refused: np.ndarray = field(default_factory=not_needed)

    @property
    def class_codes(self) -> list[int]:
        """The codes of all classes, also of those that no row has."""
        return list(range(2 if self.outputs.ndim == 1 else self.outputs.shape[1]))


@dataclass(frozen=True)
class Metric:
    """One metric, for one or more kinds of problem.

    Attributes
    ----------
    name : str
        As in declarations, reports and MLflow (``test_NAME``).
    problems : tuple of str
        The kinds of problem that it judges.
    higher_is_better : bool
    title, unit : str
        In figures and reports; the unit is empty where there is none.
    plain : callable, optional
        From ``Scored`` to a float, NaN where the metric is not defined on these rows (as where
        only one class occurs). Without it the value is that of ``weighted`` with equal weights.
    weighted : callable, optional
        From ``Scored`` to a function from weights of shape (n, b), how often each row was drawn in
        each of b resamples, to values of shape (b,). What can be prepared is prepared once: one
        sort serves a thousand resamples. A metric with it can be a headline metric, and decide on
        a promotion; its best value must be 1 where higher is better, else 0.
    needs : tuple of str
        What a use case must declare for the metric to be computed.
    default_headline_of : tuple of str
        The kinds of problem whose use cases have it as a headline metric unless they say otherwise.
    verb : str
        What a model that has a better value does better, in the titles of figures: it ``ranks``.
    """

    name: str
    problems: tuple[Problem, ...]
    higher_is_better: bool
    title: str
    unit: str = ""
    plain: Callable[[Scored], float] | None = None
    weighted: Callable[[Scored], Weighted] | None = None
    needs: tuple[Need, ...] = ()
    default_headline_of: tuple[Problem, ...] = ()
    verb: str = "does"

    def value(self, scored: Scored) -> float:
        """The metric on all rows, each counted once."""
        if self.plain is not None:
            return float(self.plain(scored))
        return float(self.resampled(scored)(np.ones((len(scored.target), 1)))[0])

    def resampled(self, scored: Scored) -> Weighted:
        """The metric as a function of weights. Raises ValueError where it can't be resampled."""
        if self.weighted is None:
            raise ValueError(f"{self.name} can't be resampled: it has no weighted function")
        return self.weighted(scored)

    def gain(self, values: np.ndarray, others: np.ndarray) -> np.ndarray:
        """How much better ``values`` are than ``others``, both (b,); negative where worse."""
        return values - others if self.higher_is_better else others - values

    def skill(self, values: np.ndarray, naive: np.ndarray) -> np.ndarray:
        """The gain over ``naive`` as a share of what was left to gain, all (b,): 1 is perfect."""
        return (values - naive) / (float(self.higher_is_better) - naive)

    def formatted(self, value: float, currency: str) -> str:
        """A value as people read it, money with the currency of the declared costs."""
        is_money = "costs" in self.needs and self.unit  # a share of the costs has no unit
        return format_value(value, currency if is_money else "")

    @property
    def label(self) -> str:
        """The title with the unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


def format_value(value: float, unit: str = "") -> str:
    """A value as people read it: ``0.8661``, ``59.25``, ``12,106,789``, ``431.25 USD``. One that
    would be shown as 0 and is not has two digits: ``3.1e-05``."""
    digits = 0 if abs(value) >= 1000 else 2 if unit or abs(value) >= 10 else 4
    if not unit and 0 < abs(value) < 0.5e-4:
        return f"{value:.2g}"
    return f"{value:,.{digits}f} {unit}".rstrip()


def format_together(values: Sequence[float], significant: int = 4) -> list[str]:
    """Values that are read beside each other, with equal digits: ``significant`` ones of the
    largest, and more where otherwise different values would look the same."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    digits = max(significant - 1 - math.floor(math.log10(largest)), 0) if largest else 0
    for more in range(digits, digits + 4):
        texts = [f"{value:,.{more}f}" for value in values]
        if len({*texts}) == len({*values}):
            break
    return texts


def weighted_mean(losses: np.ndarray) -> Weighted:
    """The mean of ``losses`` (n,) as a function of weights; NaN without rows."""

    def value(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return losses @ weights / weights.sum(axis=0)

    return value
