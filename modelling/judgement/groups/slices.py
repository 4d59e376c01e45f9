"""Where the model is weak: segments of the test rows in which it falls short of what it promises.

Some segments are harder than others: customers who were late before are harder to tell apart, even
for a perfect model. So a segment is not called weak because a metric is low in it. The model's own
probabilities say what the metric would be if they were right: each row is counted as positive with
its probability, and as negative with the rest. Weak is a segment where the metric falls short of
that, by more than over all test rows, and by more than chance makes of the worst of all segments
that were looked at. A regression promises nothing: there a segment is compared with the others.

References
----------
Chung, Kraska, Polyzotis, Tae and Whang (2019), "Slice finder", ICDE. Kott (2001), "The
delete-a-group jackknife", Journal of Official Statistics 17. Dunn (1961), "Multiple comparisons
among means", for Bonferroni's intervals.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from modelling.data.independence import groups_of
from modelling.declaration import UseCase
from modelling.judgement.group_results import Slice
from modelling.judgement.groups.segments import segments_of
from modelling.judgement.intervals import Interval
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.catalogue import default_headline, find_metric
from modelling.judgement.metrics.metric import Metric, Scored
from modelling.judgement.metrics.probabilities import normalised
from modelling.schema import Need, Problem

BLOCKS = 30  # of the jackknife
CELLS = 200  # of rows with about the same output
MOST_CELLS = 2_000_000  # test rows x columns; of more rows a sample, so that it takes half a second
SHOWN = 10
FAMILY_WISE_ERROR = 0.05
NEED_MORE: set[Need] = {"baselines", "costs", "costs.amount", "decision.method alert_budget"}


class Sample(NamedTuple):
    """n test rows with their targets, the model's outputs, and their blocks in the jackknife."""

    problem: Problem
    rows: pd.DataFrame
    target: np.ndarray
    outputs: np.ndarray
    blocks: np.ndarray
    metric: Metric


class Measured(NamedTuple):
    """A segment and three estimates over it, of shape (1 + blocks,): of all its rows, and without
    one block each. ``gain`` is how much better the value is than expected, beside all test rows."""

    column: str
    name: str
    rows: int
    value: np.ndarray
    expected: np.ndarray
    gain: np.ndarray


def slice_metric(use_case: UseCase) -> Metric:
    """The first headline metric that needs nothing but outcomes and the model's own outputs."""
    names = (*use_case.headline, *default_headline(use_case.problem))
    metrics = [find_metric(name, use_case.problem) for name in names]
    return next(metric for metric in metrics if not NEED_MORE & {*metric.needs})


def worst_slices(judgement: Judgement) -> tuple[Slice, ...]:
    """The weak segments, and then those in which the metric is worst: ten at most."""
    metric = slice_metric(judgement.use_case)
    measured = [*_measured(judgement)]
    slices = [_slice(one, len(measured), metric) for one in measured]
    sign = 1 if metric.higher_is_better else -1
    slices.sort(key=lambda found: (not found.is_weak, sign * found.value.value))
    return tuple(slices[:SHOWN])


def _slice(measured: Measured, looked_at: int, metric: Metric) -> Slice:
    """With intervals that hold for all segments together (Bonferroni). No error is below 0, and no
    score above 1: symmetric intervals of few blocks are cut off there."""
    from scipy.stats import t as student

    column, name, rows, value, expected, gain = measured
    chance = FAMILY_WISE_ERROR / looked_at
    wide = float(student.ppf(1 - chance / 2, len(value) - 2))
    reach = wide * standard_error(value)
    low, high = float(value[0] - reach), float(value[0] + reach)
    if metric.higher_is_better:
        high = min(high, 1.0)
    else:
        low = max(low, 0.0)
    interval = Interval(float(value[0]), low, high)
    is_weak = bool(gain[0] + wide * standard_error(gain) < 0)
    return Slice(column, name, rows, interval, float(expected[0]), is_weak)


def standard_error(estimate: np.ndarray) -> float:
    """The delete-a-group jackknife's, of (1 + blocks,) values."""
    blocks = len(estimate) - 1
    return float(np.sqrt((blocks - 1) * estimate[1:].var()))


def _measured(judgement: Judgement) -> Iterator[Measured]:
    use_case = judgement.use_case
    columns, least = use_case.slice_columns, use_case.minimum_rows_per_group
    if not columns:
        return
    sample = _sample(judgement, MOST_CELLS // len(columns))
    everywhere = np.ones(len(sample.rows), dtype=bool)
    overall = sample.metric.gain(*_value_and_expected(sample, everywhere))
    for column in columns:
        segments = segments_of(sample.rows[column.name], column, least)
        for code, name in enumerate(segments.names if len(segments.names) > 1 else ()):
            inside = segments.codes == code
            if _too_few(sample, inside, least):
                continue
            value, expected = _value_and_expected(sample, inside)
            also = [0, *(1 + np.unique(sample.blocks[inside]))]
            gain = sample.metric.gain(value, expected) - overall[also]
            if np.isfinite(gain).all() and standard_error(gain) > 0:
                yield Measured(column.name, name, int(inside.sum()), value, expected, gain)


def _sample(judgement: Judgement, most: int) -> Sample:
    """Rows that are not independent are in one block."""
    use_case, rows = judgement.use_case, judgement.rows
    generator = np.random.default_rng(0)
    independent = groups_of(rows, use_case)
    blocks = (generator.permutation(independent.max() + 1) % BLOCKS)[independent]
    chosen = np.arange(len(rows))
    if len(chosen) > most:
        chosen = np.sort(generator.choice(len(chosen), most, replace=False))
    target = rows[use_case.target].to_numpy()[chosen]
    outputs = judgement.predictions.outputs[chosen]
    blocks = np.unique(blocks[chosen], return_inverse=True)[1]
    return Sample(
        use_case.problem, rows.iloc[chosen], target, outputs, blocks, slice_metric(use_case)
    )


def _too_few(sample: Sample, inside: np.ndarray, least: int) -> bool:
    """A ranking of fewer positives or negatives would be that of single customers."""
    if sample.problem == "binary" and min(np.bincount(sample.target[inside], minlength=2)) < least:
        return True
    return len(np.unique(sample.blocks[inside])) < 2


def _value_and_expected(sample: Sample, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both (1 + blocks,), for the blocks that rows ``inside`` (n,) have."""
    blocks, which = np.unique(sample.blocks[inside], return_inverse=True)
    if sample.problem == "regression":
        outside = inside if inside.all() else ~inside
        return _over(sample, inside, blocks), _over(sample, outside, blocks)
    cells, outputs = _alike(sample.outputs[inside])
    of_class = outputs if outputs.ndim > 1 else np.column_stack([1 - outputs, outputs])
    probabilities = normalised(of_class)
    classes = np.arange(probabilities.shape[1])
    # Each cell once with each class: as often as it was that, and as often as was promised.
    shape = (len(outputs), len(classes), len(blocks))
    at = np.ravel_multi_index((cells, sample.target[inside], which), shape)
    happened = np.bincount(at, minlength=np.prod(shape)).reshape(shape).astype(np.float64)
    promised = happened.sum(axis=1, keepdims=True) * probabilities[:, :, None]
    weights = np.concatenate([_with_and_without(happened), _with_and_without(promised)], axis=1)
    tiled = Scored(np.tile(classes, len(outputs)), np.repeat(outputs, len(classes), axis=0))
    value, expected = np.split(sample.metric.resampled(tiled)(weights), 2)
    return value, expected


def _alike(outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two classes that are next to each other in rank count as alike, with their mean: a
    cell for each row, and the outputs of the cells. It makes no difference that could be seen, and
    the time does not depend on the number of rows."""
    if outputs.ndim > 1:
        return np.arange(len(outputs)), outputs
    cells = np.empty(len(outputs), dtype=np.intp)
    count = min(CELLS, len(outputs))
    cells[np.argsort(outputs, kind="stable")] = np.arange(len(outputs)) * count // len(outputs)
    return cells, np.bincount(cells, weights=outputs) / np.bincount(cells)


def _with_and_without(rows: np.ndarray) -> np.ndarray:
    """How often each cell and class occurs (cells, classes, blocks): in all blocks, and without one
    each, (cells x classes, 1 + blocks)."""
    by_block = rows.reshape(-1, rows.shape[2])
    total = by_block.sum(axis=1, keepdims=True)
    return np.hstack([total, total - by_block])


def _over(sample: Sample, part: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """The metric of a regression over a ``part`` (n,) of the rows: (1 + blocks,)."""
    kept = sample.blocks[part, None] != blocks
    weights = np.column_stack([np.ones(len(kept)), kept])
    return sample.metric.resampled(Scored(sample.target[part], sample.outputs[part]))(weights)
