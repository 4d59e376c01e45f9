"""Judge the packaged model as an expert would: beside baselines, with uncertainty, in money."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from modelling.data.independence import groups_of
from modelling.data.splitting import Parts
from modelling.declaration import AlertBudget, LeastCost, UseCase
from modelling.features.preprocessing import Preprocessed
from modelling.judgement.baselines import BaselineInputs, Outputs, fit_baseline
from modelling.judgement.calibration import fit_calibration
from modelling.judgement.deciding import amounts_of, cards, choose_cut_off
from modelling.judgement.evaluation import RequirementResult, evaluate, judge_gate
from modelling.judgement.intervals import Interval, bootstrap, interval_of
from modelling.judgement.metrics.alerts import weighted_card_precision
from modelling.judgement.metrics.weighted_metrics import HIGHER_IS_BETTER, WEIGHTED, Weighted
from modelling.judgement.packaging import Package
from modelling.scorer.scoring import Scorer, calibrated, expected_cost_share


class Answers(NamedTuple):
    """What a model says of the test rows: calibrated outputs, and (n,) class codes."""

    outputs: np.ndarray
    decided: np.ndarray


@dataclass(frozen=True)
class Judgement:
    """What is known of a model from the test rows, which nothing before has seen.

    ``intervals`` by headline metric; ``advantages`` the paired difference to a baseline by
    (metric, baseline), positive where the network is better; ``skill`` the gain over the naive
    baseline as a share of what was left to gain, by the first headline metric; ``unknown`` the
    share of the test rows with a label that no training row had, by column.
    """

    use_case: UseCase
    rows: pd.DataFrame
    answers: Answers
    baseline_answers: dict[str, Answers]
    metrics: dict[str, float]
    baseline_metrics: dict[str, dict[str, float]]
    intervals: dict[str, Interval]
    advantages: dict[tuple[str, str], Interval]
    skill: Interval | None
    gate: RequirementResult
    unknown: dict[str, float]

    @property
    def lost_to(self) -> list[str]:
        """The baselines that are better by the first headline metric, beyond chance."""
        first = self.use_case.headline[0]
        return [name for name in self.baseline_answers if self.advantages[first, name].high < 0]


def answer_baselines(
    table: pd.DataFrame, parts: Parts, features: Preprocessed, use_case: UseCase
) -> dict[str, Answers]:
    """Fit each declared baseline on the training rows; its answers on the test rows by name.

    They are calibrated and cut on validation rows just as the network is.
    """
    given = BaselineInputs(table, parts, features, use_case)
    return {name: _comparable(fit_baseline(name, given), given) for name in use_case.baselines}


def judge(
    package: Package, parts: Parts, use_case: UseCase, baselines: dict[str, Answers]
) -> Judgement:
    """Score the raw test rows with the package, and compare with the baselines' answers to them.

    Intervals are 95 %, from paired resamples of whole groups where rows are not independent.
    """
    test, names = parts.test, tuple(baselines)
    scorer = Scorer(package.folder)
    outputs = scorer.outputs(test)
    answers = Answers(outputs, scorer.decide(test, outputs))
    metrics = evaluate(test, *answers, use_case)
    baseline_metrics = {name: evaluate(test, *one, use_case) for name, one in baselines.items()}
    if use_case.problem == "regression" and names:  # R2 against the forecast anybody could make
        metrics["r2_against_naive"] = (
            1 - (metrics["rmse"] / baseline_metrics[names[0]]["rmse"]) ** 2
        )
    drawn = _resampled({"": answers, **baselines}, test, use_case)
    return Judgement(
        use_case=use_case,
        rows=test,
        answers=answers,
        baseline_answers=baselines,
        metrics=metrics,
        baseline_metrics=baseline_metrics,
        intervals={metric: interval_of(drawn["", metric]) for metric in use_case.headline},
        advantages={
            (metric, name): interval_of(_sign(metric) * (drawn["", metric] - drawn[name, metric]))
            for metric in use_case.headline
            for name in baselines
        },
        skill=_skill(drawn, use_case),
        gate=judge_gate(metrics, use_case),
        unknown=_unknown(parts, use_case),
    )


def _unknown(parts: Parts, use_case: UseCase) -> dict[str, float]:
    shares = {
        column.name: float((~labels.isin(parts.train[column.name]) & labels.notna()).mean())
        for column in use_case.features
        if column.kind == "category"
        for labels in [parts.test[column.name]]
    }
    return {name: share for name, share in shares.items() if share}


def _comparable(raw: Outputs, given: BaselineInputs) -> Answers:
    """A baseline's calibrated test outputs and decisions."""
    parts, use_case = given.parts, given.use_case
    target = parts.validation[use_case.target].to_numpy()
    calibration = fit_calibration(target, raw.validation, use_case)
    outputs = calibrated(raw.test, calibration)
    if use_case.problem != "binary":
        return Answers(outputs, outputs.argmax(axis=-1))
    cut_off = choose_cut_off(parts, calibrated(raw.validation, calibration), use_case)
    compared = outputs
    if isinstance(use_case.decision, LeastCost) and use_case.costs is not None:
        amounts = amounts_of(parts.test, use_case, known=parts.train)
        compared = expected_cost_share(outputs, amounts, use_case.costs.model_dump())
    return Answers(outputs, (compared >= cut_off).astype(np.int64))


def _resampled(
    by_model: dict[str, Answers], test: pd.DataFrame, use_case: UseCase
) -> dict[tuple[str, str], np.ndarray]:
    target = test[use_case.target].to_numpy()
    headline: tuple[str, ...] = use_case.headline

    def weighted(metric: str, outputs: np.ndarray) -> Weighted:
        budget = use_case.decision
        if metric != "card_precision":
            return WEIGHTED[metric](target, outputs)
        assert isinstance(budget, AlertBudget)  # the declaration sees to it
        return weighted_card_precision(*cards(test, budget), target, outputs, budget.alerts_a_day)

    metrics = {
        (model, metric): weighted(metric, answers.outputs)
        for model, answers in by_model.items()
        for metric in headline
    }
    return bootstrap(metrics, groups_of(test, use_case))


def _sign(metric: str) -> int:
    return 1 if metric in HIGHER_IS_BETTER else -1


def _skill(drawn: Mapping[tuple[str, str], np.ndarray], use_case: UseCase) -> Interval | None:
    """(metric - naive) / (perfect - naive): 0 is no better than the naive baseline, 1 perfect."""
    if not use_case.baselines:
        return None
    metric = use_case.headline[0]
    ours, naive = drawn["", metric], drawn[use_case.baselines[0], metric]
    return interval_of((ours - naive) / ((metric in HIGHER_IS_BETTER) - naive))
