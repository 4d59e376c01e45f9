"""What the whole model rests on: importance by permutation, and the answer along a column.

Both on validation rows, as many as a second allows, with the packaged model itself.

References
----------
Breiman (2001), "Random forests", section 10; Fisher, Rudin and Dominici (2019), "All models are
wrong, but many are useful", JMLR; Friedman (2001), "Greedy function approximation", section 8.2,
for partial dependence.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from modelling.data.independence import groups_of
from modelling.declaration import Column, UseCase
from modelling.features.microaggregation import microaggregate
from modelling.judgement.intervals import Interval, bootstrap, interval_of
from modelling.judgement.losses import losses_of_rows
from modelling.scorer.cells import label_text
from modelling.scorer.scoring import Scorer

EVALUATIONS = 25_000  # rows that are scored for either picture
REPEATS = 5
RESAMPLES = 300
POINTS = 12


class PartialDependence(NamedTuple):
    """The mean answer over the validation rows if all had the same value in one column.

    ``values`` are numbers or labels, (points,); ``answers`` is (points, outputs); ``rug`` are the
    deciles of the numbers, each a mean over enough rows, and empty for labels.
    """

    values: np.ndarray
    answers: np.ndarray
    rug: np.ndarray


def permutation_importance(
    scorer: Scorer, rows: pd.DataFrame, use_case: UseCase
) -> dict[str, Interval]:
    """By how much the loss rises where a column is shuffled.

    Parameters
    ----------
    scorer : Scorer
    rows : DataFrame
        Raw validation rows with their target, at least two.
    use_case : UseCase

    Returns
    -------
    dict
        By column, the most important first: the rise of the log loss (of a regression: of the
        squared error), the mean over repeats, with a 95 % bootstrap interval over rows (over groups
        of rows where they are not independent). About 0 for a column without use.
    """
    names = [column.name for column in use_case.features]
    rows, weights = _sample(rows, EVALUATIONS // len(names), use_case)
    repeats = int(np.clip(EVALUATIONS // (len(names) * len(rows)), 1, REPEATS))
    generator, shares = np.random.default_rng(0), weights / weights.sum()
    before = _losses(scorer, rows, use_case)
    rises = {}
    for name in names:
        # Cells are drawn as often as they occur: rare classes are more frequent in the sample.
        orders = [generator.choice(len(rows), len(rows), p=shares) for _ in range(repeats)]
        shuffled = (rows.assign(**{name: rows[name].to_numpy()[order]}) for order in orders)
        after = [_losses(scorer, frame, use_case) for frame in shuffled]
        rises[name] = (np.mean(after, axis=0) - before) * weights
    intervals = _intervals(rises, weights, groups_of(rows, use_case))
    return dict(sorted(intervals.items(), key=lambda item: -item[1].value))


def partial_dependence(
    scorer: Scorer, rows: pd.DataFrame, names: list[str], use_case: UseCase
) -> dict[str, PartialDependence]:
    """The curve of the mean answer along each of the columns ``names``.

    Parameters
    ----------
    scorer : Scorer
    rows : DataFrame
        Raw validation rows. Each point is a mean over at least ``minimum_rows_per_value`` of them,
        and lies at a mean over as many, or at a label that as many have.
    names : list of str
        Columns among the features; one without such points is left out.
    use_case : UseCase

    Returns
    -------
    dict
        By column. Answers are probabilities (of the positive class, or of all of several classes)
        or forecasts.
    """
    columns = {column.name: column for column in use_case.features}
    grids = {name: _points(rows[name], columns[name], use_case) for name in names}
    most = EVALUATIONS // max(sum(len(values) for values, _ in grids.values()), 1)
    step = max(-(-len(rows) // max(most, use_case.minimum_rows_per_value)), 1)
    sample = rows.iloc[::step]
    curves = {}
    for name, (values, rug) in grids.items():
        if len(values) > 1 and len(sample) >= use_case.minimum_rows_per_value:
            frames = (sample.assign(**{name: value}) for value in values.tolist())
            means = [np.atleast_1d(scorer.outputs(frame).mean(axis=0)) for frame in frames]
            curves[name] = PartialDependence(values, np.stack(means), rug)
    return curves


def _sample(rows: pd.DataFrame, most: int, use_case: UseCase) -> tuple[pd.DataFrame, np.ndarray]:
    """At most about ``most`` rows, with the weight of each: of a rare class as many as there are,
    since an even sample would have almost no frauds."""
    codes = np.zeros(len(rows), dtype=np.intp)
    if use_case.problem != "regression":
        codes = rows[use_case.target].to_numpy(dtype=np.intp)
    chosen, weights = [], []
    left, classes = most, np.argsort(np.bincount(codes), kind="stable")
    for place, code in enumerate(classes):
        of_class = np.flatnonzero(codes == code)
        step = max(-(-len(of_class) // max(left // (len(classes) - place), 1)), 1)
        chosen.append(of_class[::step])
        weights.append(np.full(len(chosen[-1]), len(of_class) / max(len(chosen[-1]), 1)))
        left -= len(chosen[-1])
    return rows.iloc[np.concatenate(chosen)], np.concatenate(weights)


def _losses(scorer: Scorer, rows: pd.DataFrame, use_case: UseCase) -> np.ndarray:
    """The loss of each row, (n,)."""
    target = rows[use_case.target].to_numpy()
    return losses_of_rows(scorer.outputs(rows), target, use_case.problem)


def _intervals(
    rises: Mapping[str, np.ndarray], weights: np.ndarray, groups: np.ndarray
) -> dict[str, Interval]:
    groups = np.unique(groups, return_inverse=True)[1]
    if groups.max() == 0:  # one group says nothing of others: at least the rows differ
        groups = np.arange(len(groups))
    means = {
        name: lambda drawn, of_rows=of_rows: (of_rows @ drawn) / (weights @ drawn)
        for name, of_rows in rises.items()
    }
    resampled = bootstrap(means, groups, resamples=RESAMPLES)
    return {name: interval_of(values) for name, values in resampled.items()}


def _points(cells: pd.Series, column: Column, use_case: UseCase) -> tuple[np.ndarray, np.ndarray]:
    """The values at which a column is looked at, and the deciles of a number."""
    least = use_case.minimum_rows_per_value
    if column.kind == "category":
        counts = cells.dropna().map(label_text).value_counts()
        labels = counts.index[counts >= least][:POINTS]
        return np.array(labels, dtype=object), np.empty(0)
    values = cells.to_numpy(dtype=np.float64)
    values = values[np.isfinite(values) & ~np.isin(values, column.special_codes)]
    grouped = microaggregate(values[:, None], least)[:, 0]
    grouped = grouped[~np.isnan(grouped)]
    if not len(grouped):
        return np.empty(0), np.empty(0)
    points = np.quantile(grouped, np.linspace(0.02, 0.98, POINTS), method="nearest")
    return np.unique(points), np.quantile(grouped, np.arange(1, 10) / 10, method="nearest")
