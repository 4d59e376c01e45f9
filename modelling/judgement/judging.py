"""Judge the packaged model as an expert would: against baselines, with uncertainty, in money."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from modelling.data.independence import groups_of
from modelling.data.splitting import Parts
from modelling.declaration import UseCase
from modelling.features.usable_columns import unknown_share
from modelling.judgement.evaluation import (
    NO_GATE,
    RequirementResult,
    evaluate,
    judge_gate,
    scored_rows,
)
from modelling.judgement.group_results import GroupTable, Slice
from modelling.judgement.intervals import Interval, bootstrap, interval_of
from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.packaging import Package
from modelling.judgement.rank_cells import resampled_together
from modelling.scorer.scoring import Scorer

NETWORK = ""  # beside the names of the baselines


class Predictions(NamedTuple):
    """What a model says of n rows: calibrated outputs, (n,) or (n, classes), and class codes (n,).

    The codes of a regression mean nothing.
    """

    outputs: np.ndarray
    decided: np.ndarray


@dataclass(frozen=True)
class Judgement:
    """What is known of a model from the test rows, which no earlier stage has used.

    Attributes
    ----------
    use_case : UseCase
    rows : DataFrame
        The test rows.
    predictions : Predictions
    baseline_predictions : dict
        By the baseline's name.
    metrics, baseline_metrics : dict
        Values by the metric's name, of the baselines by their names.
    intervals : dict
        By headline metric.
    advantages : dict
        The paired difference to a baseline by (metric, baseline), positive where the network is
        better.
    skill : Interval, optional
        By the first headline metric, the gain over the first baseline as a share of what was left
        to gain. None without baselines.
    gate : RequirementResult
    unknown : dict
        The share of the test rows with a label that no training row had, by column.
    cut_off : float, optional
        From which on the model refuses a row, in what its decision compares
        (``DecisionRule.compared``). None but of two classes.
    resampled : dict
        By headline metric what ``bootstrap`` gave for the network, (1 + resamples,).
    groups : tuple of GroupTable
        By each column of groups (``modelling.judgement.groups``), and the worst ``slices``.
    """

    use_case: UseCase
    rows: pd.DataFrame
    predictions: Predictions
    baseline_predictions: dict[str, Predictions]
    metrics: dict[str, float]
    baseline_metrics: dict[str, dict[str, float]]
    intervals: dict[str, Interval]
    advantages: dict[tuple[str, str], Interval]
    skill: Interval | None
    gate: RequirementResult = NO_GATE
    unknown: dict[str, float] = field(default_factory=dict)
    cut_off: float | None = None
    resampled: dict[str, np.ndarray] = field(default_factory=dict)
    groups: tuple[GroupTable, ...] = ()
    slices: tuple[Slice, ...] = ()

    @property
    def lost_to(self) -> list[str]:
        """The baselines that are better by the first headline metric, beyond chance."""
        first = self.use_case.headline[0]
        return [name for name in self.baseline_predictions if self.advantages[first, name].high < 0]


def judge(
    package: Package, parts: Parts, use_case: UseCase, baselines: dict[str, Predictions]
) -> Judgement:
    """Score the raw test rows with the package, and compare it with the baselines.

    Parameters
    ----------
    package : Package
    parts : Parts
        The test rows are judged; the training rows are read for the labels that they have.
    use_case : UseCase
    baselines : dict
        Predictions for the test rows by the baseline's name, the naive baseline first.

    Returns
    -------
    Judgement
        Intervals are 95 %, from paired resamples of whole groups where rows are not independent.

    Raises
    ------
    DataRefused
        Where all test rows are of one group.
    """
    scorer = Scorer(package.folder)
    outputs = scorer.outputs(parts.test)
    predictions = Predictions(outputs, scorer.decide(parts.test, outputs))
    judgement = judge_predictions(parts.test, predictions, baselines, use_case)
    return replace(
        judgement,
        gate=judge_gate(judgement.metrics, use_case),
        unknown=_unknown(parts, use_case),
        cut_off=scorer.cut_off if use_case.problem == "binary" else None,
    )


def judge_predictions(
    rows: pd.DataFrame,
    predictions: Predictions,
    baselines: dict[str, Predictions],
    use_case: UseCase,
) -> Judgement:
    """``judge`` for n ``rows`` with their target and what a model said of them. It leaves out the
    gate, and what only the model knows: labels that no training row had, and the cut-off."""
    naive = next((baseline.outputs for baseline in baselines.values()), None)
    metrics = evaluate(rows, *predictions, use_case, naive)
    resampled = _resampled({NETWORK: predictions, **baselines}, rows, use_case)
    return Judgement(
        use_case=use_case,
        rows=rows,
        predictions=predictions,
        baseline_predictions=baselines,
        metrics=metrics,
        baseline_metrics={
            name: evaluate(rows, *baseline, use_case) for name, baseline in baselines.items()
        },
        intervals={name: interval_of(resampled[NETWORK, name]) for name in use_case.headline},
        advantages=_advantages(resampled, [*baselines], use_case),
        skill=_skill(resampled, use_case) if baselines else None,
        resampled={name: resampled[NETWORK, name] for name in use_case.headline},
    )


Resampled = Mapping[tuple[str, str], np.ndarray]  # by model and metric: (1 + resamples,)


def _resampled(
    by_model: dict[str, Predictions], test: pd.DataFrame, use_case: UseCase
) -> Resampled:
    metrics = [find_metric(name, use_case.problem) for name in use_case.headline]
    together = {
        model: resampled_together(metrics, scored_rows(test, predictions.outputs, use_case))
        for model, predictions in by_model.items()
    }
    values = bootstrap(together, groups_of(test, use_case))
    return {
        (model, name): of_model[:, position]
        for model, of_model in values.items()
        for position, name in enumerate(use_case.headline)
    }


def _advantages(
    resampled: Resampled, baselines: list[str], use_case: UseCase
) -> dict[tuple[str, str], Interval]:
    return {
        (name, baseline): interval_of(
            find_metric(name, use_case.problem).gain(
                resampled[NETWORK, name], resampled[baseline, name]
            )
        )
        for name in use_case.headline
        for baseline in baselines
    }


def _skill(resampled: Resampled, use_case: UseCase) -> Interval | None:
    """0 is no better than the naive baseline, 1 is perfect."""
    if not use_case.baselines:
        return None
    name = use_case.headline[0]
    values, naive = resampled[NETWORK, name], resampled[use_case.baselines[0], name]
    return interval_of(find_metric(name, use_case.problem).skill(values, naive))


def _unknown(parts: Parts, use_case: UseCase) -> dict[str, float]:
    shares = {
        column.name: unknown_share(parts.test, parts.train, column)
        for column in use_case.features
        if column.kind == "category"
    }
    return {name: share for name, share in shares.items() if share}
