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
# A cosine schedule takes smaller and smaller steps, so that each curve ends flat. Three quarters of
# its way are behind it after 44 % of the epochs; with 1.2 time constants over the whole way, what
# follows makes 15 % of the fall, and another 40 % would still follow.
COSINE_THREE_QUARTERS, COSINE_SHARE = 0.44, 0.15
# A rise of val_loss, as a share of its lowest value (with early stopping after 10 epochs it rises
# by 0 to 5 %) and of its whole fall (a loss near 0 may double without harm).
RISE_OF_LOWEST, RISE_OF_FALL = 0.08, 0.05
NOISE_MULTIPLE = 3.0  # standard deviations of the noise: exceeded once in 700 by chance
P_VALUE = 0.05
# The noise of the training loss, as a share of its range from the 10th to the 90th percentile
# (sensible trainings have less than 12 %, pure noise 1 / 2.56 = 39 %) and of its level (a converged
# loss may have almost no range; batches alone give 1 to 2 %).
NOISE_OF_RANGE, NOISE_OF_LEVEL = 0.15, 0.03
# A rise of the training loss, as a share of its lowest value and of its whole fall: beyond these
# the learning rate is too large.
TRAINING_RISE_OF_LOWEST, TRAINING_RISE_OF_FALL = 0.05, 0.2
DIVERGED_RATIO = 2.0  # times the loss of the first epoch


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
    says whether the steps became smaller by a cosine schedule."""

    loss: np.ndarray
    val_loss: np.ndarray
    running_median: np.ndarray
    val_running_median: np.ndarray
    constant_val_loss: float | None
    cosine: bool

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
    cosine = use_case.training.schedule == "cosine"
    verdict, evidence, region = _diverged(loss, val_loss) or _read_finite(
        loss, val_loss, history.constant_val_loss, cosine
    )
    if verdict == "stuck" and many_units_dead(dead_unit_share):
        evidence += f"; {dead_unit_share:.0%} of the hidden units never fire on any training row"
    remedies = remedies_for(verdict, history, use_case, dead_unit_share)
    leak = None if verdict == "diverged" else leak_suspected(history, use_case)
    return Diagnosis(verdict, evidence, remedies, region, leak)


def _read_finite(
    loss: np.ndarray, val_loss: np.ndarray, constant_val_loss: float | None, cosine: bool
) -> _Reading:
    """The first rule that applies; a rule comes before those whose symptoms it also causes."""
    epochs = len(loss)
    if epochs <= TOO_SHORT_EPOCHS or (epochs < SHORT_EPOCHS and val_loss.argmin() == epochs - 1):
        evidence = f"too short to judge: {epochs} epoch{'s' if epochs > 1 else ''}"
        return "undertrained", evidence, (0, epochs - 1)
    curves = _Curves(
        loss, val_loss, running_median(loss), running_median(val_loss), constant_val_loss, cosine
    )
    for rule in (_stuck, _jagged, _training_loss_rises, _overfitting, _undertrained):
        if finding := rule(curves):
            return finding
    best = int(curves.val_running_median.argmin())
    rise = float(curves.val_running_median[-1] - curves.val_running_median[best])
    evidence = (
        f"val_loss fell from {_loss(val_loss[0])} to {_loss(val_loss.min())} (epoch "
        f"{int(val_loss.argmin()) + 1} of {epochs}) and ends "
        f"{safe_ratio(rise, curves.val_running_median[best]):.1%} above its lowest point"
    )
    return "healthy", evidence, None


def _diverged(loss: np.ndarray, val_loss: np.ndarray) -> _Reading | None:
    """A loss is NaN or infinite, or the training loss ends above twice its start, and either rises
    or stays there.

    It rises by Mann-Kendall's trend over the second half; it stays where the median of that half is
    above twice the start. A jagged loss comes down again.
    """
    not_finite = ~(np.isfinite(loss) & np.isfinite(val_loss))
    last = len(loss) - 1
    if not_finite.any():
        first = int(not_finite.argmax())
        return "diverged", f"the loss is no longer a number in epoch {first + 1}", (first, last)
    if len(loss) < 2 or loss[-1] <= DIVERGED_RATIO * loss[0]:
        return None
    half = min(len(loss) // 2, max(len(loss) - 4, 0))
    tau, p = trend(loss[half:])
    rising = tau >= 0.5 and (p <= 2 * P_VALUE or len(loss) <= TOO_SHORT_EPOCHS)
    if not rising and np.median(loss[half:]) <= DIVERGED_RATIO * loss[0]:
        return None
    lowest = int(loss.argmin())
    evidence = (
        f"the training loss rose from {_loss(loss[lowest])} (epoch {lowest + 1}) to "
        f"{_loss(loss[-1])}, "
        f"{safe_ratio(loss[-1], loss[0]):.3g} times its start (Mann-Kendall tau {tau:.2f})"
    )
    return "diverged", evidence, (lowest, last)


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
    if (
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


def _jagged(curves: _Curves) -> _Reading | None:
    """After the first third, the noise of the training loss is large compared with its range.

    The noise is compared with the range from the 10th to the 90th percentile (robust to one huge
    first epoch) and with the level of the loss. The validation loss must be noisy too: noise of the
    training loss alone comes from dropout and few rows. A single rise does not count.
    """
    first = curves.epochs // 3
    later = curves.loss[first:]
    noise, level = noise_level(later), float(np.median(later))
    spread = float(np.subtract(*np.percentile(curves.loss, [90, 10])))
    rises = int(np.sum(np.diff(later) > 0))
    little_noise = noise <= NOISE_OF_RANGE * spread or noise <= NOISE_OF_LEVEL * level
    if rises < 2 or little_noise or _has_little_noise(curves.val_loss[first:]):
        return None
    evidence = (
        f"the training loss jumps: its noise from epoch to epoch, {noise:.3g}, is "
        f"{safe_ratio(noise, spread):.0%} of its range and {safe_ratio(noise, level):.0%} of its "
        f"level; it rose in {rises} of the last {len(later) - 1} epochs"
    )
    return "jagged", evidence, (first, curves.epochs - 1)


def _training_loss_rises(curves: _Curves) -> _Reading | None:
    """The training loss rose again by 5 % of its lowest value and a fifth of its fall, and the
    validation loss rose too: the learning rate is too large, even if the curve is smooth."""
    lowest, last = int(curves.running_median.argmin()), curves.epochs - 1
    low = float(curves.running_median[lowest])
    rise = float(curves.running_median[lowest:].max()) - low
    val_rise = float(curves.val_running_median[lowest:].max() - curves.val_running_median[lowest])
    if (
        rise <= max(TRAINING_RISE_OF_LOWEST * low, TRAINING_RISE_OF_FALL * (curves.loss[0] - low))
        or val_rise <= 0
    ):
        return None
    if rise <= NOISE_MULTIPLE * noise_level(curves.loss[lowest:], robust=True):
        return None
    evidence = (
        f"the training loss rose from {_loss(low)} (epoch {lowest + 1}) by "
        f"{safe_ratio(rise, low):.0%}, "
        f"{safe_ratio(rise, curves.loss[0] - low):.0%} of its previous fall"
    )
    return "jagged", evidence, (lowest, last)


def _overfitting(curves: _Curves) -> _Reading | None:
    """The validation loss rises and stays up, while the training loss falls on.

    Its running median must end 8 % above its lowest value, and by 5 % of its fall and three times
    its noise (the median of w epochs has 1.25 / sqrt(w) times the noise of one), with a rising
    trend since.
    """
    best, last = int(curves.val_running_median.argmin()), curves.epochs - 1
    rise = float(curves.val_running_median[last] - curves.val_running_median[best])
    window = 2 * half_window(curves.epochs) + 1
    noise = noise_level(curves.val_loss[best:], robust=True) * min(1, 1.25 * math.sqrt(2 / window))
    lowest = float(curves.val_running_median[best])
    tolerated = max(
        RISE_OF_LOWEST * lowest,
        RISE_OF_FALL * (curves.val_loss[0] - lowest),
        NOISE_MULTIPLE * noise,
    )
    if rise <= tolerated or last - best < 2:
        return None
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
    """The validation loss was lowest in the last quarter of the epochs, and the losses still fell:
    that quarter brought 10 % of the fall of val_loss, or half of the fall of the training loss took
    a fifth of the epochs; or the last quarter of the way of a cosine schedule brought 15 %."""
    last, quarter = curves.epochs - 1, round(0.75 * (curves.epochs - 1))
    if curves.val_running_median.argmin() < quarter:
        return None
    if finding := _ended_by_cosine(curves):
        return finding
    share = share_of_last_part(curves.val_running_median, 0.25, float(curves.val_loss[0]))
    half = epoch_share_to_half_fall(curves.running_median, curves.loss[0])
    if share < LAST_QUARTER_SHARE and half < HALF_FALL_SHARE:
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
