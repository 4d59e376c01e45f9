"""Whether a challenger becomes champion: better beyond noise on the same rows, and fit to serve."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from modelling.data.independence import groups_of
from modelling.declaration import UseCase
from modelling.judgement.decisions.costs import costs_by_decision
from modelling.judgement.evaluation import NO_GATE, RequirementResult, scored_rows
from modelling.judgement.intervals import Interval, bootstrap, interval_of
from modelling.judgement.metrics.catalogue import default_headline, find_metric, metrics_for
from modelling.judgement.metrics.metric import format_value
from modelling.judgement.rank_cells import resampled_together


class Promotion(NamedTuple):
    """Whether a challenger is promoted, why, and the numbers behind it by name."""

    promoted: bool
    reason: str
    numbers: dict[str, float]


class Comparison(NamedTuple):
    """One metric of both models on the same rows; a positive ``gain`` favours the challenger.

    ``saved`` is by how much the challenger's decisions cost less than the champion's on these rows,
    in the ``currency`` of the declared costs; None where none are declared.
    """

    metric: str
    challenger: float
    champion: float
    gain: Interval
    saved: Interval | None = None
    currency: str = ""

    @property
    def costs_more(self) -> bool:
        """Whether the challenger's decisions do, beyond noise."""
        return self.saved is not None and self.saved.high < 0

    def in_words(self, version: str) -> str:
        """The comparison with the champion, which is this ``version``."""
        beside = self.gain.beside(f"champion version {version}", self.champion)
        said = f"{self.metric} {format_value(self.challenger)}, {beside}"
        if self.saved is None:
            return said
        if not any(self.saved):
            return f"{said}; its decisions cost the same"
        return f"{said}; saved by its decisions {self.saved} {self.currency}"

    @property
    def numbers(self) -> dict[str, float]:
        """By name, for the tags of the version."""
        of_models = {f"challenger_{self.metric}": self.challenger}
        of_models |= {f"champion_{self.metric}": self.champion}
        intervals = {"gain": self.gain} | ({"saved": self.saved} if self.saved else {})
        return of_models | {
            f"{name}{end}": value
            for name, interval in intervals.items()
            for end, value in zip(("", "_low", "_high"), interval, strict=True)
        }


def comparison_tags(use_case: UseCase, data_hash: str) -> dict[str, str]:
    """What must be equal for two versions to be compared on the rows on which each was judged.

    ``test_rows``: data and split, so the same test rows; ``schema``: raw columns, target, classes.
    """
    derived = use_case.derived.model_dump() if use_case.derived else None
    split = use_case.split.model_dump(mode="json", exclude={"known_leak_free"})
    rows = [data_hash, derived, use_case.duplicates, split]
    rows += [use_case.unlabelled] if use_case.unlabelled != "refuse" else []
    columns = [(column.name, column.kind) for column in use_case.features]
    schema: list[object] = [use_case.problem, use_case.target, use_case.classes, sorted(columns)]
    if use_case.merge_classes:
        schema.append(use_case.merge_classes)
    return {"test_rows": _digest(rows), "schema": _digest(schema)}


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def promotion_metric(use_case: UseCase) -> str:
    """The first that can be resampled: of the gate, the headline, the default headline."""
    gate = (use_case.gate.metric,) if use_case.gate else ()
    names = (*gate, *use_case.headline, *default_headline(use_case.problem))
    computed = metrics_for(use_case.problem, use_case.fulfilled_needs)
    can_be_resampled = {metric.name for metric in computed if metric.weighted}
    return next(name for name in names if name in can_be_resampled)


def compare(
    challenger: np.ndarray,
    champion: np.ndarray,
    test: pd.DataFrame,
    use_case: UseCase,
    resampled: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> Comparison:
    """A paired bootstrap of the declared metric on the test rows.

    Parameters
    ----------
    challenger, champion : ndarray of shape (n,) or (n, classes)
        The outputs of both models, without NaN.
    test : DataFrame of n rows with their target
    use_case : UseCase
    resampled : mapping
        By metric what ``bootstrap`` gave for the challenger on these rows, where it was judged.

    Returns
    -------
    Comparison
        By ``promotion_metric``.

    Raises
    ------
    DataRefused
        Where all rows are of one group.

    References
    ----------
    Efron and Tibshirani (1993), "An introduction to the bootstrap".
    """
    metric = find_metric(promotion_metric(use_case), use_case.problem)
    known = {"challenger": resampled[metric.name]} if metric.name in resampled else {}
    outputs = {"challenger": challenger, "champion": champion}
    metrics = {
        model: resampled_together([metric], scored_rows(test, of_model, use_case))
        for model, of_model in outputs.items()
        if model not in known
    }
    drawn = bootstrap(metrics, groups_of(test, use_case))
    values = known | {model: of_model[:, 0] for model, of_model in drawn.items()}
    gain = interval_of(metric.gain(values["challenger"], values["champion"]))
    return Comparison(metric.name, values["challenger"][0], values["champion"][0], gain)


def saved_by(
    decided: np.ndarray, by_champion: np.ndarray, test: pd.DataFrame, use_case: UseCase
) -> Interval:
    """By how much the challenger's decisions cost less than the champion's on n test rows.

    Parameters
    ----------
    decided, by_champion : ndarray of shape (n,)
        The class codes on which both models decided.
    test : DataFrame of n rows with their target
    use_case : UseCase

    Returns
    -------
    Interval
        In the currency of the declared costs, below 0 where they cost more; from the resamples of
        ``compare``.

    Raises
    ------
    DataRefused
        Where all rows are of one group.
    """
    if_accepted, if_refused = costs_by_decision(test, use_case)
    own, of_champion = (
        np.where(codes == 1, if_refused, if_accepted) for codes in (decided, by_champion)
    )
    saved = of_champion - own
    drawn = bootstrap({"saved": lambda weights: saved @ weights}, groups_of(test, use_case))
    return interval_of(drawn["saved"])


def unmet_requirements(fitness: Iterable[RequirementResult]) -> str:
    """The requirements that are not met, in words; empty where all are."""
    return "; ".join(result.reason for result in fitness if not result.passed)


def doubts_tag(fitness: Iterable[RequirementResult]) -> dict[str, str]:
    """What a version does not meet, as a tag of it from the moment on when it is registered."""
    return {"doubts": unmet_requirements(fitness) or "none"}


def decide(
    gate: RequirementResult,
    fitness: Iterable[RequirementResult],
    champion: str | None,
    comparison: Comparison | None,
    changed: str | None,
    by_hand: str = "finflows promote",
) -> Promotion:
    """Promote the challenger or keep ``champion`` (a version; None where there is none yet).

    ``fitness`` is what ``promotion_requirements`` gave. ``comparison`` is None where the
    two can't be compared, and ``changed`` says what changed since the champion was judged.
    ``by_hand`` is the command with which a person can promote it all the same. Where costs are
    declared, a better metric promotes no version whose decisions cost more, beyond noise.
    """
    if not gate.passed and gate != NO_GATE:  # a missing gate only makes the model doubtful
        return Promotion(False, f"the gate failed: {gate.reason}", {})
    numbers = comparison.numbers if comparison is not None else {}
    unlike = f"not compared with champion version {champion}: {changed}"
    if doubts := unmet_requirements(fitness):
        said = f"{doubts}; {unlike}" if champion is not None and comparison is None else doubts
        return Promotion(False, f"doubtful: {said}. To promote it: {by_hand}", numbers)
    if champion is None:
        return Promotion(True, f"the first version that is fit to serve: {gate.reason}", {})
    if comparison is None:
        return Promotion(False, f"{unlike}. To promote it: {by_hand}", {})
    better, costlier = comparison.gain.low > 0, comparison.costs_more
    waits = f"its decisions cost more. To promote it: {by_hand}" if better and costlier else ""
    parts = [comparison.in_words(champion), changed, waits]
    return Promotion(better and not costlier, "; ".join(filter(None, parts)), numbers)
