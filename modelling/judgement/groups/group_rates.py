"""What the model does to each group of customers, with bootstrap intervals.

References
----------
Barocas, Hardt and Narayanan (2023), "Fairness and machine learning", chapter 3: which rates there
are, and that they can't all be equal. Equal Employment Opportunity Commission (1978), "Uniform
guidelines on employee selection procedures", 29 CFR 1607.4(D): the four-fifths rule.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from modelling.data.independence import groups_of
from modelling.judgement.group_results import Group, GroupTable
from modelling.judgement.groups.segments import Segments, segments_of, too_small
from modelling.judgement.intervals import Interval, bootstrap, interval_of
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.metric import Scored, Weighted
from modelling.judgement.rank_cells import resampled_together

RESAMPLES = 400  # groups must not take longer than the judgement itself
Summed = Mapping[tuple[str, str], np.ndarray]  # by column and name: (1 + resamples, groups)


class Share(NamedTuple):
    """The sum of ``values`` (n,) over the rows of a group, per one ``of`` its rows, positives or
    negatives."""

    values: np.ndarray
    of: str = "rows"


def group_tables(judgement: Judgement) -> tuple[GroupTable, ...]:
    """By each column of groups, their rates over the test rows; all on the same resamples."""
    use_case, rows = judgement.use_case, judgement.rows
    least = use_case.minimum_rows_per_group
    segments = {c.name: segments_of(rows[c.name], c, least) for c in use_case.group_columns}
    compared = {name: found for name, found in segments.items() if len(found.names) > 1}
    sums = {
        (column, name): by_group
        for column, found in compared.items()
        for name, by_group in _sums(judgement, found).items()
    }
    summed = bootstrap(sums, groups_of(rows, use_case), resamples=RESAMPLES) if sums else {}
    return tuple(
        _table(column, found, _rates(judgement, column, summed), np.bincount(found.codes))
        if column in compared
        else GroupTable(column)
        for column, found in segments.items()
    )


def _table(
    column: str, segments: Segments, rates: Mapping[str, np.ndarray], rows: np.ndarray
) -> GroupTable:
    def known(code: int) -> dict[str, Interval]:
        named = rates.items()
        return {n: interval_of(of[:, code]) for n, of in named if not np.isnan(of[0, code])}

    groups = (Group(name, int(rows[at]), known(at)) for at, name in enumerate(segments.names))
    return GroupTable(column, tuple(groups), segments.names[rows.argmax()])


def _rates(judgement: Judgement, column: str, summed: Summed) -> dict[str, np.ndarray]:
    """By name (1 + resamples, groups), first that of all rows; NaN where it can't be shown."""
    shares = _shares(judgement).items()
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = {name: summed[column, name] / summed[column, share.of] for name, share in shares}
        if "selection_rate" in rates:
            rate, largest = rates["selection_rate"], summed[column, "rows"][0].argmax()
            of_largest = rate[:, [largest]]  # nobody of it selected: not defined
            rates["selection_ratio"] = rate / np.where(of_largest > 0, of_largest, np.nan)
    if judgement.use_case.problem == "regression":
        rates["root_mean_squared_error"] = np.sqrt(rates.pop("mean_squared_error"))
    if judgement.use_case.problem == "binary":
        rates["calibration_error"] = rates["mean_prediction"] - rates["target_rate"]
        rates["roc_auc"] = summed[column, "roc_auc"]
        positives, negatives = (summed[column, of][0] for of in ("positives", "negatives"))
        _withhold(rates, positives, negatives, judgement.use_case.minimum_rows_per_group)
    return rates


def _sums(judgement: Judgement, segments: Segments) -> dict[str, Weighted]:
    """All that is to be resampled, as sums over the rows of each group."""
    counted = {name: share.values for name, share in _shares(judgement).items()}
    sums = {n: _by_group(values, segments) for n, values in {**counted, **_of(judgement)}.items()}
    if judgement.use_case.problem == "binary":
        sums["roc_auc"] = _roc_auc(judgement, segments)
    return sums


def _shares(judgement: Judgement) -> dict[str, Share]:
    """Which rates are defined for the problem, as sums over rows."""
    use_case, (outputs, decided) = judgement.use_case, judgement.predictions
    target = judgement.rows[use_case.target].to_numpy()
    if use_case.problem == "regression":
        error = outputs - target
        return {
            "mean_target": Share(target),
            "mean_prediction": Share(outputs),
            "mean_error": Share(error),
            "mean_squared_error": Share(error**2),
        }
    favourable = [use_case.classes.index(label) for label in use_case.favourable]
    selected = {"selection_rate": Share(np.isin(decided, favourable))} if favourable else {}
    if use_case.problem == "multiclass":
        labels = enumerate(use_case.classes)
        decided_as = {f"decided_{label}": Share(decided == code) for code, label in labels}
        return {"accuracy": Share(decided == target), **selected, **decided_as}
    return {
        "target_rate": Share(target),
        "mean_prediction": Share(outputs),
        **selected,
        "false_positive_rate": Share((decided == 1) & (target == 0), "negatives"),
        "false_negative_rate": Share((decided == 0) & (target == 1), "positives"),
    }


def _of(judgement: Judgement) -> dict[str, np.ndarray]:
    """What the shares are shares of."""
    target = judgement.rows[judgement.use_case.target].to_numpy()
    of = {"rows": np.ones(len(target))}
    if judgement.use_case.problem == "binary":
        of |= {"positives": target == 1, "negatives": target == 0}
    return of


def _by_group(values: np.ndarray, segments: Segments) -> Weighted:
    """From weights (n, b) to the weighted sums of ``values`` (n,) in each group: (b, groups)."""
    from scipy.sparse import csc_array

    counted = np.flatnonzero(values)
    # By columns: one pass over the weights, and not one for each group.
    cells = csc_array(
        (values[counted].astype(np.float64), (segments.codes[counted], counted)),
        shape=(len(segments.names), len(values)),
    )
    return lambda weights: (cells @ weights).T


def _roc_auc(judgement: Judgement, segments: Segments) -> Weighted:
    """From weights (n, b) to the area under the ROC curve within each group: (b, groups)."""
    target = judgement.rows[judgement.use_case.target].to_numpy()
    of_group = [np.flatnonzero(segments.codes == code) for code in range(len(segments.names))]
    metric = find_metric("roc_auc", judgement.use_case.problem)
    outputs = judgement.predictions.outputs
    areas = [resampled_together([metric], Scored(target[rows], outputs[rows])) for rows in of_group]

    def value(weights: np.ndarray) -> np.ndarray:
        pairs = zip(areas, of_group, strict=True)
        return np.hstack([area(weights.take(rows, axis=0)) for area, rows in pairs])

    return value


def _withhold(
    rates: dict[str, np.ndarray], positives: np.ndarray, negatives: np.ndarray, least: int
) -> None:
    """Leave out what would be said of too few positives or negatives of a group."""
    of = {
        "false_positive_rate": negatives,
        "false_negative_rate": positives,
        "roc_auc": np.minimum(positives, negatives),
    }
    for name, counts in of.items():
        rates[name][:, too_small(counts, least)] = np.nan
