"""What a challenger must reach whatever the champion does; where it does not, it is doubtful.

A doubtful model is registered, and a person may promote it. It does not become champion by itself.
"""

import math
from collections.abc import Sequence

from modelling.declaration import AlertBudget, UseCase
from modelling.judgement.evaluation import RequirementResult
from modelling.judgement.judging import Judgement
from modelling.learning_curve.diagnosis import Diagnosis

FIT_CURVES = ("healthy", "undertrained")  # an undertrained network is no worse than it scores
CALIBRATION_ERROR_AT_MOST = 0.05  # beyond what chance alone makes of it
# A cut-off beyond these accepts, or refuses, nearly everybody: 0.5 is such a one where few default.
CAUGHT_AT_LEAST = PASSED_AT_LEAST = 0.1


def promotion_requirements(
    judgement: Judgement, diagnosis: Diagnosis, otherwise: Sequence[str] = ()
) -> list[RequirementResult]:
    """A verdict on each: the learning curve, calibration, skill, leaks, the gate, the decisions,
    labels that no training row had, and settings by which this run was judged ``otherwise`` than
    is declared."""
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
    """Whoever starts a run does not choose the bar that it must clear."""
    if not otherwise:
        return RequirementResult(True, "judged as declared")
    return RequirementResult(
        False, f"not judged as declared: {', '.join(otherwise)} set for this run"
    )


def _calibration(judgement: Judgement) -> list[RequirementResult]:
    error = judgement.metrics.get("expected_calibration_error", 0.0)
    # In each of ten bins a perfect model misses its rate by 0.8 standard errors, of at most
    # 0.5 / sqrt(rows of the bin): on few test rows that is more than a bad model's error on many.
    allowed = CALIBRATION_ERROR_AT_MOST + 0.4 * math.sqrt(10 / len(judgement.rows))
    return [RequirementResult(error <= allowed, f"expected calibration error {error:.4f}")]


def _skill(judgement: Judgement) -> list[RequirementResult]:
    """Better than the naive baseline beyond chance, where one is declared."""
    if judgement.skill is None:
        return []
    reason = f"skill over the baseline {judgement.use_case.baselines[0]} {judgement.skill}"
    return [RequirementResult(judgement.skill.low > 0, reason)]


def _unknown(judgement: Judgement) -> list[RequirementResult]:
    """What of a column no training row had, the network can't tell from nothing at all."""
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
    """Whether the decisions on the test rows tell anybody from anybody else."""
    use_case = judgement.use_case
    if use_case.problem == "binary":
        return _cut_off(judgement)
    if use_case.problem == "multiclass":
        return [_classes(judgement, use_case)]
    return []


def _cut_off(judgement: Judgement) -> list[RequirementResult]:
    """A budget of alerts says itself how few are caught; it must catch somebody all the same."""
    use_case = judgement.use_case
    target, refused = judgement.rows[use_case.target].to_numpy(), judgement.answers.decided == 1
    caught, passed = refused[target == 1].mean(), 1 - refused[target == 0].mean()
    least = 0.0 if isinstance(use_case.decision, AlertBudget) else CAUGHT_AT_LEAST
    shares = f"{caught:.1%} of the positives are refused", f"{passed:.1%} of the negatives accepted"
    wanted = f"at least {least:.0%}" if least else "some"
    return [
        RequirementResult(bool(caught > 0 and caught >= least), f"{shares[0]}, wanted {wanted}"),
        RequirementResult(
            bool(passed >= PASSED_AT_LEAST),
            f"{shares[1]}, wanted at least {PASSED_AT_LEAST:.0%}",
        ),
    ]


def _classes(judgement: Judgement, use_case: UseCase) -> RequirementResult:
    predicted = {use_case.classes[code] for code in judgement.answers.decided.tolist()}
    never = [label for label in use_case.classes if label not in predicted]
    excused = use_case.gate.need_not_predict if use_case.gate else ()
    found = f"never predicted: {', '.join(map(str, never))}" if never else "every class predicted"
    return RequirementResult({*never} <= {*excused}, found)
