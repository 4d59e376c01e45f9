"""How a version did, once outcomes are known, beside what was known when it was judged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from modelling.data.independence import groups_of
from modelling.declaration import UseCase
from modelling.judgement.evaluation import NO_GATE, RequirementResult
from modelling.judgement.intervals import Interval, bootstrap
from modelling.judgement.judging import Predictions, judge_predictions
from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.metric import format_value
from modelling.watching.gate import gate_at_best

MATERIAL = 0.1  # a smaller gap, as a share, is no alarm, however sure it is
SURE = 3.29  # standard errors, which chance alone exceeds once in a thousand times
WIDER = SURE / 1.96  # than a 95 % interval: who looks each month at several metrics sees chance
LEAST = 20  # rows of a class: resamples of fewer do not tell how sure a metric is


class Change(NamedTuple):
    """A headline metric when the version was ``judged`` and ``now``; the ``gain``, with its 99.9 %
    interval, is negative where it is worse now."""

    metric: str
    judged: Interval
    now: Interval
    gain: Interval

    @property
    def is_worse(self) -> bool:
        """Beyond chance."""
        return self.gain.high < 0

    def __str__(self) -> str:
        worse = ", worse beyond chance" if self.is_worse else ""
        return f"{self.metric} {self.now}, {self.judged} when judged{worse}"


class Level(NamedTuple):
    """The mean of what was ``predicted`` and ``observed``: shares of positives, or values in the
    target's unit. ``gap`` is observed minus predicted, with its 99.9 % interval; it is seen beside
    ``unit_of_gap``: what is predicted of the rarer class, or the target's standard deviation."""

    predicted: float
    observed: float
    gap: Interval
    unit_of_gap: float

    @property
    def is_off(self) -> bool:
        """Beyond chance, and by enough to matter."""
        return self.gap.excludes_zero and abs(self.gap.value) >= MATERIAL * self.unit_of_gap

    def __str__(self) -> str:
        predicted, observed = format_value(self.predicted), format_value(self.observed)
        return f"predicted on average {predicted}, observed {observed}"


@dataclass(frozen=True)
class Outcomes:
    """What is known of ``rows`` with an outcome: all metrics, also as people read them, the changes
    of the headline, whether the gate would be passed at best, and the level (None of several
    classes)."""

    rows: int
    metrics: dict[str, float]
    metrics_in_words: list[tuple[str, str, str]]
    changes: tuple[Change, ...]
    gate: RequirementResult
    level: Level | None

    @property
    def alarms(self) -> list[str]:
        """What somebody should look at, in words."""
        found = [str(change) for change in self.changes if change.is_worse]
        if not self.gate.passed and self.gate != NO_GATE:
            found.append(f"the gate is not passed any more: {self.gate.reason}")
        if self.level is not None and self.level.is_off:
            found.append(f"the level is off: {self.level}")
        return found


def few_outcomes(rows: pd.DataFrame, use_case: UseCase) -> str:
    """Why n ``rows`` whose outcomes are known are too few to judge by; empty where they are not."""
    least = max(LEAST, use_case.minimum_rows_per_value)
    enough, wanted = len(rows) >= least, f"at least {least}"
    if use_case.classes:
        enough = int((rows[use_case.target].value_counts() >= least).sum()) > 1
        wanted += " of each of two classes"
    return "" if enough else f"known of {len(rows):,} rows, too few to judge by: give {wanted}"


def judge_outcomes(
    rows: pd.DataFrame, predictions: Predictions, use_case: UseCase, profile: Mapping[str, Any]
) -> Outcomes:
    """Judge n rows whose outcomes are known as the test rows were judged, without baselines.

    Raises DataRefused where the rows are all of one day, group or customer.
    """
    judgement = judge_predictions(rows, predictions, {}, use_case)
    known = {name: Interval(*stored) for name, stored in profile["headline"].items()}
    changes = tuple(
        Change(name, known[name], now, gain_of(name, known[name], now, use_case))
        for name, now in judgement.intervals.items()
        if name in known
    )
    return Outcomes(
        rows=len(rows),
        metrics=judgement.metrics,
        metrics_in_words=[*_in_words(judgement.metrics, use_case)],
        changes=changes,
        gate=gate_at_best(judgement),
        level=_level(rows, predictions.outputs, use_case),
    )


def _in_words(metrics: Mapping[str, float], use_case: UseCase) -> Iterator[tuple[str, str, str]]:
    """Each metric's name, title and value."""
    currency = use_case.costs.unit if use_case.costs else ""
    for name, value in metrics.items():
        metric = find_metric(name, use_case.problem)
        yield name, metric.title, metric.formatted(value, currency)


def gain_of(name: str, judged: Interval, now: Interval, use_case: UseCase) -> Interval:
    """By how much a metric is better now, with its 99.9 % interval, from two 95 % intervals of
    independent rows.

    Zou and Donner (2008), "Construction of confidence limits about effect measures: a general
    approach" (MOVER): the interval of a difference from those of its parts.
    """
    up = float(now.value - judged.value)
    low = up - WIDER * float(np.hypot(now.value - now.low, judged.high - judged.value))
    high = up + WIDER * float(np.hypot(now.high - now.value, judged.value - judged.low))
    if find_metric(name, use_case.problem).higher_is_better:
        return Interval(up, low, high)
    return Interval(-up, -high, -low)


def _level(rows: pd.DataFrame, outputs: np.ndarray, use_case: UseCase) -> Level | None:
    if use_case.problem == "multiclass":
        return None
    target = rows[use_case.target].to_numpy(dtype=np.float64)
    gaps = target - outputs
    draws = bootstrap(
        {"gap": lambda weights: gaps @ weights / weights.sum(axis=0)}, groups_of(rows, use_case)
    )
    value, error = float(draws["gap"][0]), float(draws["gap"][1:].std())
    predicted = float(outputs.mean())
    rarer = min(predicted, 1 - predicted)
    unit = rarer if use_case.problem == "binary" else float(target.std())
    gap = Interval(value, value - SURE * error, value + SURE * error)
    return Level(predicted, float(target.mean()), gap, unit)
