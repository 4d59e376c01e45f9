"""How sure a metric is: bootstrap intervals, and paired differences between models."""

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np

from modelling.data.independence import refuse_single_group
from modelling.judgement.metrics.metric import Weighted, format_value

Name = TypeVar("Name", bound=Hashable)
RESAMPLES = 1000
CHUNK = 8  # resamples at once: few, so that their weights fit the cache, and memory is CHUNK x rows


class Interval(NamedTuple):
    """A value and its 95 % interval; ``low`` and ``high`` are NaN where the metric is defined on
    no resample."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        value, ends = self.texts
        return f"{value} {ends}"

    def beside(self, name: str, value: float) -> str:
        """In words, as the advantage over a model ``name`` whose metric is ``value``: ``better than
        boosting (0.8641) by 0.0021 [0.0000, 0.0037]``."""
        other = f"{name} ({format_value(value)})"
        if not self.excludes_zero:  # so it is not better "by" anything
            return f"no better and no worse than {other}: {self}"
        return f"{'better' if self.low > 0 else 'WORSE'} than {other} by {self}"

    @property
    def texts(self) -> tuple[str, str]:
        """``0.0021`` and ``[0.0000, 0.0037]``: the ends have the digits of the value."""
        value = format_value(self.value)
        if "e" in value:  # all three may be as tiny
            return value, f"[{format_value(self.low)}, {format_value(self.high)}]"
        digits = len(value.partition(".")[2])
        return value, f"[{self.low:,.{digits}f}, {self.high:,.{digits}f}]"


def bootstrap(
    metrics: Mapping[Name, Weighted], groups: np.ndarray, seed: int = 0, resamples: int = RESAMPLES
) -> dict[Name, np.ndarray]:
    """Each metric on the same resamples of whole groups.

    Groups are drawn with replacement, as many as there are. The resamples depend on ``groups`` and
    ``seed`` only, so that differences between models are paired.

    Parameters
    ----------
    metrics : mapping
        Functions from weights of shape (n, b) to values of shape (b,) or (b, k), by any name.
    groups : ndarray of int, of shape (n,)
        Codes from 0 on, each of which occurs (``data.independence.groups_of``).
    seed, resamples : int

    Returns
    -------
    dict
        By name an array of shape (1 + resamples,) or (1 + resamples, k): the first value is that of
        all rows. NaN where a metric is not defined on a resample.

    Raises
    ------
    DataRefused
        Where all rows are of one group, or there are none.

    References
    ----------
    Efron and Tibshirani (1993), "An introduction to the bootstrap", chapters 8 and 13.
    """
    refuse_single_group(groups)
    generator = np.random.default_rng(seed)
    count = int(groups.max()) + 1
    each_alone = np.array_equal(groups, np.arange(count))  # nothing to gather
    values = {name: [metric(np.ones((len(groups), 1)))] for name, metric in metrics.items()}
    for first in range(0, resamples, CHUNK):
        times_drawn = np.empty((count, min(CHUNK, resamples - first)))
        for resample in times_drawn.T:
            resample[:] = np.bincount(generator.integers(count, size=count), minlength=count)
        weights = times_drawn if each_alone else times_drawn.take(groups, axis=0)
        for name, metric in metrics.items():
            values[name].append(metric(weights))
    return {name: np.concatenate(chunks) for name, chunks in values.items()}


def interval_of(values: np.ndarray) -> Interval:
    """The 95 % percentile interval of ``bootstrap``'s values, or of differences of them.

    Parameters
    ----------
    values : ndarray of shape (1 + resamples,)
        The first is that of all rows. Resamples of NaN are left out.

    Returns
    -------
    Interval
        Its ends are NaN where all resamples are.
    """
    defined = values[1:][~np.isnan(values[1:])]
    if not len(defined):
        return Interval(float(values[0]), float("nan"), float("nan"))
    low, high = np.quantile(defined, [0.025, 0.975])
    return Interval(float(values[0]), float(low), float(high))
