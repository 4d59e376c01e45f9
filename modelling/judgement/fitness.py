"""What a model must reach to be promoted, whatever the champion does; else it is doubtful.

A doubtful model is registered, and a person may promote it. It does not become champion by itself.
"""

import math
from collections.abc import Sequence

from modelling.declaration import UseCase
from modelling.judgement.decisions.decision_rule import decision_rule
from modelling.judgement.evaluation import RequirementResult
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.metric import format_value
from modelling.learning_curve.diagnosis import Diagnosis

FIT_CURVES = ("healthy", "undertrained")  # an undertrained network is no worse than it scores
CALIBRATION_ERROR_AT_MOST = 0.05  # beyond what chance alone makes of it
# A cut-off that refuses nearly everybody; of one that accepts nearly everybody, as 0.5 where few
# default, the decision rule says how few refused positives are too few.
ACCEPTED_AT_LEAST = 0.1


def promotion_requirements(
    judgement: Judgement, diagnosis: Diagnosis, otherwise: Sequence[str] = ()
) -> list[RequirementResult]:
    """Whether each requirement is met: the learning curve, calibration, skill, leaks, the gate, the
    decisions, labels that no training row had, and no settings by which this run was judged
    ``otherwise`` than is declared."""
    leak, declared = diagnosis.leak_suspected, judgement.use_case.gate is not None
    return [
        RequirementResult(
            diagnosis.verdict in FIT_CURVES, f"the learning curve is {diagnosis.verdict}"
        ),
        *_calibration(judgement),
        *_skill(judgement),
        RequirementResult(
            not leak, f"a leak is suspected: {leak}" if leak else "no leak is suspected"
        ),
        RequirementResult(declared, "a gate is declared" if declared else "no gate is declared"),
        _as_declared(otherwise),
        *_decisions(judgement),
        *_unknown(judgement),
    ]


def _as_declared(otherwise: Sequence[str]) -> RequirementResult:
    """Whoever starts a run does not choose what its model is required to reach."""
    if not otherwise:
        return RequirementResult(True, "judged as declared")
    return RequirementResult(
        False, f"not judged as declared: {', '.join(otherwise)} set for this run"
    )


def _calibration(judgement: Judgement) -> list[RequirementResult]:
    """Of probabilities; a forecast is none."""
    if (error := judgement.metrics.get("expected_calibration_error")) is None:
        return []
    # In each of ten bins a perfect model misses its rate by 0.8 standard errors, of at most
    # 0.5 / sqrt(rows of the bin): on few test rows that is more than a bad model's error on many.
    allowed = CALIBRATION_ERROR_AT_MOST + 0.4 * math.sqrt(10 / len(judgement.rows))
    reason = f"expected calibration error {format_value(error)}"
    return [RequirementResult(error <= allowed, reason)]


def _skill(judgement: Judgement) -> list[RequirementResult]:
    """Better than the naive baseline beyond chance, where one is declared."""
    if judgement.skill is None:
        return []
    reason = f"skill over the baseline {judgement.use_case.baselines[0]} {judgement.skill}"
    return [RequirementResult(judgement.skill.low > 0, reason)]


def _unknown(judgement: Judgement) -> list[RequirementResult]:
    """A label that no training row had is the same to the network as no label at all."""
    bounds = {column.name: column.unknown_at_most for column in judgement.use_case.features}
    return [
        RequirementResult(
            share <= bounds[name],
            f"{name}: {share:.1%} of the test rows have a label that no training row had, "
            f"wanted at most {bounds[name]:.1%}",
        )
        for name, share in judgement.unknown.items()
    ]


def _decisions(judgement: Judgement) -> list[RequirementResult]:
    """Whether the decisions on the test rows distinguish between customers at all."""
    use_case = judgement.use_case
    if use_case.problem == "binary":
        return _cut_off(judgement)
    if use_case.problem == "multiclass":
        return [_classes(judgement, use_case)]
    return []


def _cut_off(judgement: Judgement) -> list[RequirementResult]:
    """Some positives must be refused, and some negatives accepted."""
    use_case, is_refused = judgement.use_case, judgement.predictions.decided == 1
    is_positive = judgement.rows[use_case.target].to_numpy() == 1
    refused, accepted = is_refused[is_positive].mean(), 1 - is_refused[~is_positive].mean()
    least = decision_rule(use_case).refused_at_least
    wanted = f"at least {least:.0%}" if least else "some"
    if use_case.decision.method == "cut_off":  # a half, where nothing else is declared
        wanted += " (a lower decision.cut_off refuses more, as costs with LeastCost() may)"
    return [
        RequirementResult(
            bool(refused > 0 and refused >= least),
            f"{refused:.1%} of the positives are refused, wanted {wanted}",
        ),
        RequirementResult(
            bool(accepted >= ACCEPTED_AT_LEAST),
            f"{accepted:.1%} of the negatives accepted, wanted at least {ACCEPTED_AT_LEAST:.0%}",
        ),
    ]


def _classes(judgement: Judgement, use_case: UseCase) -> RequirementResult:
    predicted = {use_case.classes[code] for code in judgement.predictions.decided.tolist()}
    never = [label for label in use_case.classes if label not in predicted]
    excused = use_case.gate.need_not_predict if use_case.gate else ()
    is_met = {*never} <= {*excused}
    found = f"never predicted: {', '.join(map(str, never))}" if never else "every class predicted"
    return RequirementResult(is_met, f"{found}, as is allowed" if never and is_met else found)
