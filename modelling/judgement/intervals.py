"""How sure a metric is: bootstrap intervals, and paired differences between models."""

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np

from modelling.data.independence import refuse_single_group
from modelling.judgement.metrics.weighted_metrics import Weighted

Name = TypeVar("Name", bound=Hashable)
RESAMPLES = 1000
CHUNK = 32  # resamples at once: bounds the memory to CHUNK x rows


class Interval(NamedTuple):
    """A value and its 95 % interval; ``low`` and ``high`` are NaN where nothing was resampled."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def bootstrap(
    metrics: Mapping[Name, Weighted], groups: np.ndarray, seed: int = 0, resamples: int = RESAMPLES
) -> dict[Name, np.ndarray]:
    """Each metric on the same resamples of whole groups: (1 + resamples,), the first as it is.

    Efron and Tibshirani (1993), chapters 8 and 13: groups are drawn with replacement, as many as
    there are. The resamples depend on ``groups`` and ``seed`` only, so differences between models
    are paired. Raises DataRefused where all rows are of one group.
    """
    refuse_single_group(groups)
    generator = np.random.default_rng(seed)
    count = int(groups.max()) + 1
    values = {name: [metric(np.ones((len(groups), 1)))] for name, metric in metrics.items()}
    for first in range(0, resamples, CHUNK):
        draws = generator.integers(count, size=(min(CHUNK, resamples - first), count))
        times_drawn = np.stack([np.bincount(one, minlength=count) for one in draws], axis=1)
        weights = times_drawn.astype(np.float64)[groups]
        for name, metric in metrics.items():
            values[name].append(metric(weights))
    return {name: np.concatenate(those) for name, those in values.items()}


def interval_of(values: np.ndarray) -> Interval:
    """The 95 % percentile interval of ``bootstrap``'s values (or differences of them)."""
    defined = values[1:][~np.isnan(values[1:])]
    if not len(defined):
        return Interval(float(values[0]), float("nan"), float("nan"))
    low, high = np.quantile(defined, [0.025, 0.975])
    return Interval(float(values[0]), float(low), float(high))
