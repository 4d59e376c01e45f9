"""Whether a challenger becomes champion: better beyond noise on the same rows, and fit to serve."""

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from modelling.data.independence import groups_of
from modelling.declaration import UseCase
from modelling.declaration.declared_judgement import HEADLINES
from modelling.judgement.evaluation import NO_GATE, RequirementResult
from modelling.judgement.intervals import Interval, bootstrap, interval_of
from modelling.judgement.metrics.weighted_metrics import HIGHER_IS_BETTER, WEIGHTED


class Promotion(NamedTuple):
    """The decision on a challenger, in words, and the numbers behind it by name."""

    promoted: bool
    reason: str
    numbers: dict[str, float]


class Comparison(NamedTuple):
    """One metric of both models on the same rows; a positive ``gain`` favours the challenger."""

    metric: str
    challenger: float
    champion: float
    gain: Interval


def comparison_tags(use_case: UseCase, data_hash: str) -> dict[str, str]:
    """What must be equal for two versions to be compared on the rows on which each was judged.

    ``test_rows``: data and split, so the same test rows; ``schema``: raw columns, target, classes.
    """
    derived = use_case.derived.model_dump() if use_case.derived else None
    rows = [data_hash, derived, use_case.duplicates, use_case.split.model_dump(mode="json")]
    columns = [(column.name, column.kind) for column in use_case.features]
    schema: list[object] = [use_case.problem, use_case.target, use_case.classes, sorted(columns)]
    if use_case.merge_classes:
        schema.append(use_case.merge_classes)
    return {"test_rows": _digest(rows), "schema": _digest(schema)}


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def promotion_metric(use_case: UseCase) -> str:
    """The first that can be resampled: of the gate, the headline, the headline of its problem."""
    gate = (use_case.gate.metric,) if use_case.gate else ()
    names = (*gate, *use_case.headline, *HEADLINES[use_case.problem])
    return next(name for name in names if name in WEIGHTED)


def compare(
    challenger: np.ndarray, champion: np.ndarray, test: pd.DataFrame, use_case: UseCase
) -> Comparison:
    """A paired bootstrap (Efron and Tibshirani 1993) of the declared metric on the test rows.

    ``challenger`` and ``champion`` are outputs of shape (n,) or (n, classes), without NaN.
    """
    name = promotion_metric(use_case)
    target = test[use_case.target].to_numpy()
    metrics = {
        "challenger": WEIGHTED[name](target, challenger),
        "champion": WEIGHTED[name](target, champion),
    }
    values = bootstrap(metrics, groups_of(test, use_case))
    sign = 1.0 if name in HIGHER_IS_BETTER else -1.0
    gain = interval_of(sign * (values["challenger"] - values["champion"]))
    return Comparison(name, values["challenger"][0], values["champion"][0], gain)


def unmet_requirements(fitness: Iterable[RequirementResult]) -> str:
    """The requirements that are not met, in words; empty where all are."""
    return "; ".join(floor.reason for floor in fitness if not floor.passed)


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
    ``by_hand`` is the command with which a person decides otherwise.
    """
    if not gate.passed and gate != NO_GATE:  # that there is none is a doubt
        return Promotion(False, f"the gate failed: {gate.reason}", {})
    numbers: dict[str, float] = {}
    if comparison is not None:
        name, own, other, gain = comparison
        numbers = {f"challenger_{name}": own, f"champion_{name}": other}
        numbers |= {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}
    if doubts := unmet_requirements(fitness):
        return Promotion(False, f"doubtful: {doubts}. To promote it: {by_hand}", numbers)
    if champion is None:
        return Promotion(True, f"the first version that is fit to serve: {gate.reason}", {})
    if comparison is None:
        reason = f"not compared with champion version {champion}: {changed}"
        return Promotion(False, f"{reason}. To promote it: {by_hand}", {})
    promoted = gain.low > 0
    words = "better than" if promoted else "not better beyond noise than"
    reason = f"{name} {own:.4f}, {words} champion version {champion}'s {other:.4f}: gain {gain}"
    return Promotion(promoted, f"{reason}; {changed}" if changed else reason, numbers)
