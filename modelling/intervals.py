"""How sure a metric is: bootstrap intervals, and paired differences between models."""

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd

from modelling.declaration import DelayedFeedback, Grouped, OutOfTime, UseCase
from modelling.refusals import DataRefused
from modelling.weighted_metrics import Weighted

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


def groups_of(rows: pd.DataFrame, use_case: UseCase) -> np.ndarray:
    """Which rows (n,) can't be taken for independent, as codes from 0 on.

    Rows of one group (a customer) where the split is by groups; of one block of time where it is
    by time (Carlstein 1986): months, or weeks, or days, whichever first gives two dozen blocks.
    Otherwise each row stands for itself.
    """
    split = use_case.split
    if isinstance(split, DelayedFeedback):
        return pd.factorize(rows[split.customer])[0]
    if isinstance(split, Grouped):
        return pd.factorize(rows[split.column])[0]
    if isinstance(split, OutOfTime):
        times = rows[split.column].dt
        for length in ("M", "W", "D"):
            blocks = pd.factorize(times.to_period(length))[0]
            if blocks.max() + 1 >= 24:
                break
        return blocks
    return np.arange(len(rows))


def refuse_single_group(groups: np.ndarray) -> None:
    """Raise DataRefused where all rows are of one group: each resample would be the same, and an
    interval without width says that nothing is left to chance."""
    if not len(groups) or groups.max() < 1:
        raise DataRefused(
            "the test rows are all of one day, group or customer (or there is only one): how sure "
            "a metric is can't be told from them; give the test part more of the table"
        )


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
