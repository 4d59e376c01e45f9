"""Diagnose a learning curve: a verdict, its evidence, and what to change.

Only the history is used: loss and val_loss by epoch. All rules compare numbers of one curve with
each other, so the unit of the loss doesn't matter.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from modelling.declaration import UseCase
from modelling.learning_curve.curve_statistics import (
    TOO_SHORT_EPOCHS,
    epoch_share_to_half_fall,
    half_window,
    noise_level,
    remaining_fall,
    running_median,
    safe_ratio,
    share_of_last_part,
    trend,
)
from modelling.learning_curve.history import History, format_loss
from modelling.learning_curve.leaks import leak_suspected
from modelling.learning_curve.remedies import Remedy, many_units_dead, remedies_for

Verdict = Literal["healthy", "undertrained", "jagged", "overfitting", "diverged", "stuck"]

SHORT_EPOCHS = 8  # below, a validation loss that is lowest in the last epoch may well fall further
FLAT_CHANGE = 0.01  # of the level: a change of 1 % in a whole training is not learning
FLAT_NOISE = 0.1  # of the level: a larger change is not flat, however noisy the loss is
FIRST_EPOCH_DROP = 0.1  # if the first loss is this share above the second, the network has learnt
# An exponential decay over T time constants makes 10 % of its fall in the last quarter if T = 2;
# another 14 % of the fall would still follow.
LAST_QUARTER_SHARE = 0.1
# It makes half of its fall in 20 % of the epochs if T = 3.3 (4 % would still follow). A linear fall
# that a cosine schedule slows down, so that its end looks flat, takes 26 %.
HALF_FALL_SHARE = 0.2
CONVERGED_SHARE = 0.01  # of the fall of val_loss in the last quarter: nothing is to come
REMAINING_SHARE = 0.04  # of the fall of val_loss, if it went on as in the last two quarters
# A cosine schedule takes smaller and smaller steps, so that each curve ends flat. Three quarters of
# its way are behind it after 44 % of the epochs; with 1.75 time constants over the whole way, what
# follows makes 11.5 % of the fall, and another 21 % would still follow.
COSINE_THREE_QUARTERS, COSINE_SHARE = 0.44, 0.115
# A rise of val_loss, as a share of its lowest value (with early stopping after 10 epochs it rises
# by 0 to 5 %) and of its whole fall (a loss near 0 may double without harm).
RISE_OF_LOWEST, RISE_OF_FALL = 0.08, 0.05
NOISE_MULTIPLE = 3.0  # standard deviations of the noise: exceeded once in 700 by chance
SEVERE_RISE = 0.2  # of the lowest value: a rise, however noisy the loss is
P_VALUE = 0.05
# How far the training loss is above the lowest that it has reached, as a share of its range from
# the 10th to the 90th percentile (sensible trainings stay below 10 %, with few rows below 15 %; a
# climb beyond the noise may be small) and of its level; and val_loss, as a share of its level.
JUMP_OF_RANGE, CLIMB_OF_RANGE, CLEAR_CLIMB_OF_RANGE, ABOVE_OF_LEVEL = 0.11, 0.15, 0.02, 0.07
VAL_ABOVE_OF_LEVEL = 0.1
NOISE_OF_LEVEL = 0.03  # batches alone give 1 to 2 % of the level
NOISY_VAL_LOSS = 0.05  # of its level: a validation loss with less noise does not jump
DIVERGED_RATIO = 2.0  # times the constant answer's loss, or that of the first epoch
EXPLODED_RATIO = 10.0  # times the constant answer's loss: no untrained network is so bad
NOT_BACK_RATIO = 1.5  # times the constant answer's loss: an untrained network may be there
NEAR_CONSTANT = 0.05  # of the constant answer's loss
EARLY_PART, EARLY_RISE = 6, 0.01  # a sixth of the epochs; a share of the whole fall


@dataclass(frozen=True)
class Diagnosis:
    """A verdict and its evidence.

    ``evidence`` is one line for people, epochs counted from 1. ``remedies`` are in the order in
    which to try them; none for a healthy training. ``region`` holds the first and last epoch
    (from 0) that gave the verdict. ``leak_suspected`` says why the validation loss is too good to
    be true.
    """

    verdict: Verdict
    evidence: str
    remedies: tuple[Remedy, ...]
    region: tuple[int, int] | None
    leak_suspected: str | None


@dataclass(frozen=True)
class _Curves:
    """loss and val_loss (epochs,) in the unit of the loss, and their running medians;
    ``constant_val_loss`` is the val_loss of a constant prediction, where it is known; ``cosine``
    says whether the steps became smaller by a cosine schedule; ``began_as_ridge`` whether the
    network began as a linear model, so that it may well be at its best in the first epoch."""

    loss: np.ndarray
    val_loss: np.ndarray
    running_median: np.ndarray
    val_running_median: np.ndarray
    constant_val_loss: float | None
    cosine: bool
    began_as_ridge: bool

    @property
    def epochs(self) -> int:
        return len(self.loss)


_Reading = tuple[Verdict, str, tuple[int, int] | None]


def read_learning_curve(
    history: History, use_case: UseCase, dead_unit_share: float | None = None
) -> Diagnosis:
    """The verdict on a training, with evidence and remedies.

    Parameters
    ----------
    history : History
        ``loss`` and ``val_loss`` with one value per epoch, at least one. NaN or infinity in any
        epoch means diverged; three epochs or fewer are too short for any other verdict but
        undertrained.
    use_case : UseCase
        Its settings are what the remedies change; dropout and class weights matter for the
        suspicion of a leak.
    dead_unit_share : float or None
        The share (0 to 1) of hidden ReLU units that are zero on all training rows.

    Returns
    -------
    Diagnosis
    """
    loss = np.asarray(history.metrics["loss"], dtype=np.float64)
    val_loss = np.asarray(history.metrics["val_loss"], dtype=np.float64)
    verdict, evidence, region = _not_finite(loss, val_loss) or _read_finite(
        _Curves(
            loss,
            val_loss,
            running_median(loss),
            running_median(val_loss),
            history.constant_val_loss,
            cosine=use_case.training.schedule == "cosine",
            began_as_ridge=use_case.network.linear_skip,
        )
    )
    if verdict == "stuck" and many_units_dead(dead_unit_share):
        evidence += f"; {dead_unit_share:.0%} of the hidden units never fire on any training row"
    remedies = remedies_for(verdict, history, use_case, dead_unit_share)
    leak = None if verdict == "diverged" else leak_suspected(history, use_case)
    return Diagnosis(verdict, evidence, remedies, region, leak)


def _read_finite(curves: _Curves) -> _Reading:
    """The first rule that applies; a rule comes before those whose symptoms it also causes."""
    val_loss = curves.val_loss
    too_much = [_overfitting, _no_better_than_constant]
    if curves.began_as_ridge:  # its val_loss may rise from the first epoch and be no worse for it
        too_much.reverse()
    for rule in (_diverged, _stuck, _too_short, _jagged, *too_much, _undertrained):
        if finding := rule(curves):
            return finding
    best = int(curves.val_running_median.argmin())
    rise = float(curves.val_running_median[-1] - curves.val_running_median[best])
    evidence = (
        f"val_loss fell from {_loss(val_loss[0])} to {_loss(val_loss.min())} (epoch "
        f"{int(val_loss.argmin()) + 1} of {curves.epochs}) and ends "
        f"{safe_ratio(rise, curves.val_running_median[best]):.1%} above its lowest point"
    )
    return "healthy", evidence, None


def _not_finite(loss: np.ndarray, val_loss: np.ndarray) -> _Reading | None:
    not_finite = ~(np.isfinite(loss) & np.isfinite(val_loss))
    if not not_finite.any():
        return None
    first = int(not_finite.argmax())
    return (
        "diverged",
        f"the loss is no longer a number in epoch {first + 1}",
        (first, len(loss) - 1),
    )


def _diverged(curves: _Curves) -> _Reading | None:
    """The training loss ends above twice its start and either rises or stays there, or both losses
    exploded in the first epochs and did not come back to the constant answer.

    It rises by Mann-Kendall's trend over the second half; it stays where all of that half is above
    twice the start. A jagged loss comes down again.
    """
    loss = curves.loss
    if curves.epochs < 2:
        return None
    half = min(curves.epochs // 2, max(curves.epochs - 4, 0))
    tau, p = trend(loss[half:])
    rising = tau >= 0.5 and (p <= 2 * P_VALUE or curves.epochs <= TOO_SHORT_EPOCHS)
    constant, lowest = curves.constant_val_loss, int(loss.argmin())
    limit, level = DIVERGED_RATIO * max(loss[0], constant or 0.0), float(np.median(loss[half:]))
    rose = loss[-1] > limit and (rising or loss[half:].min() > limit)
    if not rose and not _stays_exploded(curves, half):
        return None
    if rose or constant is None:
        evidence = (
            f"the training loss rose from {_loss(loss[lowest])} (epoch {lowest + 1}) to "
            f"{_loss(loss[-1])}, {safe_ratio(loss[-1], loss[0]):.3g} times its start (Mann-Kendall "
            f"tau {tau:.2f})"
        )
        return "diverged", evidence, (lowest, curves.epochs - 1)
    evidence = (
        f"the losses exploded at once and stay there: in the second half the training loss is "
        f"{_loss(level)} and val_loss {_loss(float(np.median(curves.val_loss[half:])))}, where the "
        f"constant answer has {_loss(constant)}"
    )
    return "diverged", evidence, (0, curves.epochs - 1)


def _stays_exploded(curves: _Curves, half: int) -> bool:
    """Whether the losses exploded, seen from the constant answer, and do not come back to it in the
    second ``half``.

    A network that was not trained yet may be at twice the constant answer's loss, or more; then
    val_loss falls smoothly. L2 penalties of weights that exploded hold the training loss up where
    val_loss is back.
    """
    constant = curves.constant_val_loss
    if constant is None or curves.loss[half:].min() <= DIVERGED_RATIO * constant:
        return False
    was_far = curves.val_loss.max() > EXPLODED_RATIO * constant
    exploded = was_far or curves.loss.max() > EXPLODED_RATIO * constant
    if curves.val_loss[half:].min() > NOT_BACK_RATIO * constant:
        return exploded or not _has_little_noise(curves.val_loss)
    falls = curves.loss[-1] < (1 - FLAT_NOISE) * curves.loss[half]
    return was_far and not falls


def _too_short(curves: _Curves) -> _Reading | None:
    epochs = curves.epochs
    is_lowest_last = curves.val_loss.argmin() == epochs - 1
    if epochs > TOO_SHORT_EPOCHS and not (epochs < SHORT_EPOCHS and is_lowest_last):
        return None
    evidence = f"too short to judge: {epochs} epoch{'s' if epochs > 1 else ''}"
    return "undertrained", evidence, (0, epochs - 1)


def _stuck(curves: _Curves) -> _Reading | None:
    """Both losses end where they began: within 1 % of their level, or within their noise.

    A change within the noise is still at most a tenth of the level: a loss that jumps by more is
    not flat. Start and end are medians of k values, a tenth of the epochs each; the median of k
    values has 1.25 / sqrt(k) times the noise of one. Where both losses have noise above 3 % of
    their level, this rule does not apply. The first training loss is a mean over an epoch in which
    the weights change: it is left out where it is less than a tenth above the second. A network
    whose val_loss is more than 1 % better than that of a constant prediction has learnt, if only in
    its first epoch.
    """
    if curves.epochs <= TOO_SHORT_EPOCHS or (
        curves.constant_val_loss is not None
        and curves.val_loss.min() < (1 - FLAT_CHANGE) * curves.constant_val_loss
    ):
        return None
    if not _has_little_noise(curves.loss) and not _has_little_noise(curves.val_loss):
        return None
    loss = (
        curves.loss[1:] if curves.loss[0] < (1 + FIRST_EPOCH_DROP) * curves.loss[1] else curves.loss
    )
    changes = []
    for values in (loss, curves.val_loss):
        k = max(len(values) // 10, 1)
        level = float(np.median(values))
        change = float(np.median(values[:k]) - np.median(values[-k:]))
        noise_limit = NOISE_MULTIPLE * 1.25 * math.sqrt(2 / k) * noise_level(values)
        if abs(change) > max(FLAT_CHANGE * level, min(noise_limit, FLAT_NOISE * level)):
            return None
        changes.append(change / level if level else 0.0)
    evidence = (
        f"flat from the start: in {curves.epochs} epochs the training loss changed by "
        f"{abs(changes[0]):.2%} and val_loss by {abs(changes[1]):.2%} of their level"
        f"{', within their noise' if max(map(abs, changes)) > FLAT_CHANGE else ''}"
    )
    return "stuck", evidence, (0, curves.epochs - 1)


def _no_better_than_constant(curves: _Curves) -> _Reading | None:
    """val_loss was never below the constant answer's, or exploded and is back there at best.

    Where val_loss still comes down from an untrained network's, it is undertrained. Where the
    training loss is well below the constant answer's, the network has learnt its rows by heart.
    Otherwise it answers the same for every row.
    """
    constant, val = curves.constant_val_loss, curves.val_running_median
    if constant is None:
        return None
    quarter = round(0.75 * (curves.epochs - 1))
    loss, end = (float(np.median(one[quarter:])) for one in (curves.loss, curves.val_loss))
    val_exploded = curves.val_loss.max() > EXPLODED_RATIO * constant
    exploded = val_exploded or curves.loss.max() > EXPLODED_RATIO * constant
    best = end / (1 - FLAT_NOISE) if exploded else curves.val_loss.min() / (1 - FLAT_CHANGE)
    if best < constant:
        return None
    evidence = (
        f"no better than the constant answer: val_loss ends at {_loss(end)}, where the same answer "
        f"for every row has {_loss(constant)}"
    )
    learns = loss < (1 - FLAT_NOISE) * constant
    is_there = end <= (1 + NEAR_CONSTANT) * constant and not learns
    if val.argmin() >= quarter and not val_exploded and not is_there:
        return "undertrained", f"{evidence}, and still falls", (quarter, curves.epochs - 1)
    if learns:
        evidence += f"; the training loss ends at {_loss(loss)}: learnt by heart"
        return "overfitting", evidence, (int(val.argmin()), curves.epochs - 1)
    return "stuck", evidence, (quarter, curves.epochs - 1)


def _jagged(curves: _Curves) -> _Reading | None:
    """The training loss does not come down: it is far above the lowest that it has reached, either
    all along (it jumps) or at the end (it climbs), and so is the validation loss.

    All along is the mean after the first third, at the end the median of the last sixth (at least
    three epochs, so that a single rise does not count). The training loss alone may jump with
    dropout and few rows; the validation loss alone rises where a network overfits.
    """
    first, last = curves.epochs // 3, max(curves.epochs // 6, 3)
    above, val_above = _above_lowest(curves.loss), _above_lowest(curves.val_loss)
    spread = float(np.subtract(*np.percentile(curves.loss, [90, 10])))
    level, val_level = np.median(curves.loss[first:]), np.median(curves.val_loss[first:])
    jump, climb = float(above[first:].mean()), float(np.median(above[-last:]))
    val = max(float(val_above[first:].mean()), float(np.median(val_above[-last:])))
    if max(jump, climb) <= ABOVE_OF_LEVEL * level or val <= VAL_ABOVE_OF_LEVEL * val_level:
        return None
    val_noise = noise_level(curves.val_loss[first:], robust=True)
    jumps = jump > JUMP_OF_RANGE * spread and val_noise > NOISY_VAL_LOSS * val_level
    noise = NOISE_MULTIPLE * noise_level(curves.loss[first:], robust=True)
    least = min(CLIMB_OF_RANGE * spread, max(noise, CLEAR_CLIMB_OF_RANGE * spread))
    if not jumps and (climb <= least or _overfitting(curves)):
        return None
    rises = int(np.sum(np.diff(curves.loss[first:]) > 0))
    evidence = (
        f"the training loss does not come down: after the first third it is {jump:.3g} above the "
        f"lowest that it has reached ({safe_ratio(jump, level):.0%} of its level), at the end "
        f"{climb:.3g}; it rose in {rises} of the last {curves.epochs - first - 1} epochs"
    )
    return "jagged", evidence, (first, curves.epochs - 1)


def _above_lowest(losses: np.ndarray) -> np.ndarray:
    """How far each loss (epochs,) is above the lowest until then."""
    return losses - np.minimum.accumulate(losses)


def _overfitting(curves: _Curves) -> _Reading | None:
    """The validation loss rises and stays up, while the training loss falls on.

    Its running median must end 8 % above its lowest value, and by 5 % of its fall and three times
    its noise (the median of w epochs has 1.25 / sqrt(w) times the noise of one), with a rising
    trend since. After a lowest value in the first sixth of the epochs, 1 % of the fall is enough:
    so long a rise is none by chance. Not so of a network that began as a linear model: there the
    lowest value is often the first.
    """
    best, last = int(curves.val_running_median.argmin()), curves.epochs - 1
    rise = float(curves.val_running_median[last] - curves.val_running_median[best])
    window = 2 * half_window(curves.epochs) + 1
    noise = noise_level(curves.val_loss[best:], robust=True) * min(1, 1.25 * math.sqrt(2 / window))
    lowest = float(curves.val_running_median[best])
    fall = max(float(curves.val_loss[0]), curves.constant_val_loss or 0.0) - lowest
    is_early = EARLY_PART * (best + 1) <= curves.epochs and not curves.began_as_ridge
    least = (
        EARLY_RISE * fall
        if is_early
        else max(RISE_OF_LOWEST * lowest, RISE_OF_FALL * (curves.val_loss[0] - lowest))
    )
    if rise <= max(least, min(NOISE_MULTIPLE * noise, SEVERE_RISE * lowest)) or last - best < 2:
        return None
    constant = curves.constant_val_loss
    if constant is not None and curves.running_median[last] > DIVERGED_RATIO * constant:
        return None  # it has learnt nothing, least of all by heart
    tau, p = trend(curves.val_loss[best:])
    # Four points never reach this p-value.
    by_chance = p > P_VALUE and last - best > TOO_SHORT_EPOCHS
    if tau <= 0 or by_chance or trend(curves.loss[best:])[0] >= 0:
        return None
    evidence = (
        f"val_loss is lowest in epoch {int(curves.val_loss.argmin()) + 1} and ends "
        f"{safe_ratio(rise, lowest):.0%} above (Mann-Kendall p {p:.2g}), while the "
        f"training loss fell on from {_loss(curves.running_median[best])} "
        f"to {_loss(curves.running_median[last])}"
    )
    return "overfitting", evidence, (best, last)


def _undertrained(curves: _Curves) -> _Reading | None:
    """The validation loss was lowest in the last quarter of the epochs, and the losses still fell.

    That quarter brought 10 % of the fall of val_loss, or another 4 % would follow, or half of the
    fall of the training loss took a fifth of the epochs; or the last quarter of the way of a cosine
    schedule brought 11.5 %.
    """
    last, quarter = curves.epochs - 1, round(0.75 * (curves.epochs - 1))
    if curves.val_running_median.argmin() < quarter:
        return None
    if finding := _ended_by_cosine(curves):
        return finding
    share = share_of_last_part(curves.val_running_median, 0.25, float(curves.val_loss[0]))
    half = epoch_share_to_half_fall(curves.running_median, curves.loss[0])
    remaining = remaining_fall(curves.val_running_median)
    fall = float(curves.val_loss[0] - curves.val_running_median.min())
    if (
        share < LAST_QUARTER_SHARE
        and (half < HALF_FALL_SHARE or share < CONVERGED_SHARE)
        and remaining <= REMAINING_SHARE * fall
    ):
        return None
    slope = -stats.theilslopes(curves.val_loss[quarter:])[0]
    evidence = (
        f"still falling when training ended: the last quarter of {curves.epochs} epochs brought "
        f"{share:.0%} of the fall of val_loss ({slope:.3g} an epoch), and half of the fall of the "
        f"training loss took {half:.0%} of the epochs"
    )
    return "undertrained", evidence, (quarter, last)


def _ended_by_cosine(curves: _Curves) -> _Reading | None:
    """The end is flat only since the steps had become small. The fall is from a constant prediction
    where that is known: what a network learnt in its first epoch counts."""
    part = 1 - COSINE_THREE_QUARTERS
    start = max(float(curves.val_loss[0]), curves.constant_val_loss or 0.0)
    share = share_of_last_part(curves.val_running_median, part, start)
    if not curves.cosine or share < COSINE_SHARE:
        return None
    first, last = round(COSINE_THREE_QUARTERS * (curves.epochs - 1)), curves.epochs - 1
    evidence = (
        f"not trained enough: {share:.0%} of the fall of val_loss came in the last {part:.0%} of "
        f"{curves.epochs} epochs, in which a cosine schedule makes its last, smaller steps"
    )
    return "undertrained", evidence, (first, last)


def _loss(loss: float) -> str:
    return format_loss(loss, digits=4)


def _has_little_noise(values: np.ndarray) -> bool:
    return noise_level(values) <= NOISE_OF_LEVEL * float(np.median(values))
