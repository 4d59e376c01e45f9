"""What a learning curve says about its training: a verdict, its evidence, and what to change.

Read from the history alone: loss and val_loss by epoch. All rules compare numbers of one curve with
each other, so the unit of the loss doesn't matter.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from modelling.declaration import UseCase
from modelling.learning_curve.curve_statistics import (
    TOO_SHORT,
    half_done,
    half_window,
    noise_of,
    quotient,
    running_median,
    share_of_last_quarter,
    trend,
)
from modelling.learning_curve.history import History
from modelling.learning_curve.leaks import leak_suspected
from modelling.learning_curve.remedies import Remedy, remedies_for, units_died

Verdict = Literal["healthy", "undertrained", "jagged", "overfitting", "diverged", "stuck"]

SHORT = 8  # epochs: below, a lowest validation loss in the last epoch may well go lower
FLAT = 0.01  # share of the level: a change of 1 % in a whole training is no learning
FIRST_EPOCH = 0.1  # more than that above the level: the network learnt within its first epoch
# An exponential fall of T time constants brings 10 % of itself in its last quarter at T = 2, when
# 14 % of the way is still ahead.
LAST_QUARTER = 0.1
# It is half done after 20 % of the epochs at T = 3.3 (4 % ahead). A cosine schedule that slows a
# linear fall down, so that its end looks flat, is half done after 26 %.
HALF_DONE = 0.2
# Of the lowest validation loss, which early stopping after 10 epochs sees rise by 0 to 5 %; and of
# its whole fall, since a loss of nearly 0 doubles without anything being lost.
UPTURN, UPTURN_OF_FALL = 0.08, 0.05
CLEAR = 3.0  # standard deviations of noise: one in 700 by chance
P_VALUE = 0.05
# Noise of the training loss, of its range from the 10th to the 90th percentile: sensible trainings
# stay below 12 %, pure noise has 1 / 2.56 = 39 %. And of its own level, since a converged loss may
# have no range left: there batches make 1 to 2 %.
JUMPS, JUMPS_OF_LEVEL = 0.15, 0.03
# A rise of the training loss, of its lowest and of its whole fall, which no sensible step brings.
CLIMB, CLIMB_OF_FALL = 0.05, 0.2
EXPLODED = 2.0  # times the loss of the first epoch


@dataclass(frozen=True)
class Diagnosis:
    """A verdict and what it rests on.

    ``evidence`` is one line for people, epochs counted from 1. ``remedies`` come with the first to
    try first; none for a healthy training. ``region`` holds the first and last epoch (from 0) that
    gave the verdict. ``leak_suspected`` says why the validation loss is too good to be true.
    """

    verdict: Verdict
    evidence: str
    remedies: tuple[Remedy, ...]
    region: tuple[int, int] | None
    leak_suspected: str | None


@dataclass(frozen=True)
class _Curves:
    """loss and val_loss (epochs,) in the unit of the loss, and their running medians; ``constant``
    is the val_loss of an answer that is the same for all rows, where it is known."""

    loss: np.ndarray
    val_loss: np.ndarray
    running_median: np.ndarray
    val_running_median: np.ndarray
    constant: float | None

    @property
    def epochs(self) -> int:
        return len(self.loss)


_Finding = tuple[Verdict, str, tuple[int, int] | None]


def read_learning_curve(
    history: History, use_case: UseCase, dead_units: float | None = None
) -> Diagnosis:
    """The verdict on ``history``; ``use_case`` only makes the remedies concrete.

    ``dead_units`` is the share (0 to 1) of hidden ReLU units that never fire on training rows. A
    loss that is NaN or infinite in any epoch means diverged.
    """
    loss = np.asarray(history.metrics["loss"], dtype=np.float64)
    val_loss = np.asarray(history.metrics["val_loss"], dtype=np.float64)
    verdict, evidence, region = _diverged(loss, val_loss) or _read_finite(
        loss, val_loss, history.constant_val_loss
    )
    if verdict == "stuck" and units_died(dead_units):
        evidence += f"; {dead_units:.0%} of the hidden units never fire on any training row"
    remedies = remedies_for(verdict, history, use_case, dead_units)
    leak = None if verdict == "diverged" else leak_suspected(history, use_case)
    return Diagnosis(verdict, evidence, remedies, region, leak)


def _read_finite(loss: np.ndarray, val_loss: np.ndarray, constant: float | None) -> _Finding:
    """The first rule that applies, from what hides others to what is hidden by them."""
    epochs = len(loss)
    if epochs <= TOO_SHORT or (epochs < SHORT and val_loss.argmin() == epochs - 1):
        evidence = f"too short to judge: {epochs} epoch{'s' if epochs > 1 else ''}"
        return "undertrained", evidence, (0, epochs - 1)
    curves = _Curves(loss, val_loss, running_median(loss), running_median(val_loss), constant)
    for rule in (_stuck, _jagged, _climbing, _overfitting, _undertrained):
        if finding := rule(curves):
            return finding
    best = int(curves.val_running_median.argmin())
    rise = float(curves.val_running_median[-1] - curves.val_running_median[best])
    evidence = (
        f"val_loss fell from {val_loss[0]:.4g} to {val_loss.min():.4g} (epoch "
        f"{int(val_loss.argmin()) + 1} of {epochs}) and ends "
        f"{quotient(rise, curves.val_running_median[best]):.1%} above its lowest course"
    )
    return "healthy", evidence, None


def _diverged(loss: np.ndarray, val_loss: np.ndarray) -> _Finding | None:
    """A loss that is no number, or a training loss that ends beyond twice its start: rising, or
    settled there.

    Rising is Mann-Kendall's trend over the second half, settled a median of that half beyond twice
    the start: a jagged loss comes back.
    """
    broken = ~(np.isfinite(loss) & np.isfinite(val_loss))
    last = len(loss) - 1
    if broken.any():
        first = int(broken.argmax())
        return "diverged", f"the loss is no longer a number in epoch {first + 1}", (first, last)
    if len(loss) < 2 or loss[-1] <= EXPLODED * loss[0]:
        return None
    half = min(len(loss) // 2, max(len(loss) - 4, 0))
    tau, p = trend(loss[half:])
    rising = tau >= 0.5 and (p <= 2 * P_VALUE or len(loss) <= TOO_SHORT)
    if not rising and np.median(loss[half:]) <= EXPLODED * loss[0]:
        return None
    lowest = int(loss.argmin())
    evidence = (
        f"the training loss rose from {loss[lowest]:.4g} (epoch {lowest + 1}) to {loss[-1]:.4g}, "
        f"{quotient(loss[-1], loss[0]):.3g} times its start (Mann-Kendall tau {tau:.2f})"
    )
    return "diverged", evidence, (lowest, last)


def _stuck(curves: _Curves) -> _Finding | None:
    """Both losses end where they began: within 1 % of their level, or within their noise.

    Start and end are medians of a tenth of the epochs each, k; the median of k values has 1.25 /
    sqrt(k) times the noise of one. Where both have noise above 3 % of their level nothing is flat.
    The training loss of the first epoch is a mean over a network in motion: it is left out where it
    is less than a tenth above the second. A network whose val_loss is more than 1 % better than any
    constant answer has learnt, be it all within the first epoch.
    """
    if curves.constant is not None and curves.val_loss.min() < (1 - FLAT) * curves.constant:
        return None
    if not _is_quiet(curves.loss) and not _is_quiet(curves.val_loss):
        return None
    loss = curves.loss[1:] if curves.loss[0] < (1 + FIRST_EPOCH) * curves.loss[1] else curves.loss
    changes = []
    for values in (loss, curves.val_loss):
        k = max(len(values) // 10, 1)
        level = float(np.median(values))
        change = float(np.median(values[:k]) - np.median(values[-k:]))
        chance = CLEAR * 1.25 * math.sqrt(2 / k) * noise_of(values)
        if abs(change) > max(FLAT * level, chance):
            return None
        changes.append(change / level if level else 0.0)
    evidence = (
        f"flat from the start: in {curves.epochs} epochs the training loss changed by "
        f"{abs(changes[0]):.2%} and val_loss by {abs(changes[1]):.2%} of their level"
    )
    return "stuck", evidence, (0, curves.epochs - 1)


def _jagged(curves: _Curves) -> _Finding | None:
    """After the first third, the training loss jumps by much of all that it moves at all.

    Measured with the noise by second differences, against the range from the 10th to the 90th
    percentile (one huge first epoch must not hide the rest) and against the loss's own level.
    The validation loss must jump too, for the weights do: noise of the training loss alone is that
    of dropout and few rows. One rise alone is no jumping.
    """
    first = curves.epochs // 3
    later = curves.loss[first:]
    noise, level = noise_of(later), float(np.median(later))
    spread = float(np.subtract(*np.percentile(curves.loss, [90, 10])))
    rises = int(np.sum(np.diff(later) > 0))
    quiet = noise <= JUMPS * spread or noise <= JUMPS_OF_LEVEL * level
    if rises < 2 or quiet or _is_quiet(curves.val_loss[first:]):
        return None
    evidence = (
        f"the training loss jumps: its noise from epoch to epoch, {noise:.3g}, is "
        f"{quotient(noise, spread):.0%} of its range and {quotient(noise, level):.0%} of its "
        f"level; it rose in {rises} of the last {len(later) - 1} epochs"
    )
    return "jagged", evidence, (first, curves.epochs - 1)


def _climbing(curves: _Curves) -> _Finding | None:
    """The training loss climbed back by 5 % of its lowest and a fifth of its fall, and so did the
    validation loss: steps too large leap out of the valley, be it smoothly."""
    lowest, last = int(curves.running_median.argmin()), curves.epochs - 1
    low = float(curves.running_median[lowest])
    rise = float(curves.running_median[lowest:].max()) - low
    val_rise = float(curves.val_running_median[lowest:].max() - curves.val_running_median[lowest])
    if rise <= max(CLIMB * low, CLIMB_OF_FALL * (curves.loss[0] - low)) or val_rise <= 0:
        return None
    if rise <= CLEAR * noise_of(curves.loss[lowest:], robust=True):
        return None
    evidence = (
        f"the training loss climbed from {low:.4g} (epoch {lowest + 1}) by "
        f"{quotient(rise, low):.0%}, "
        f"{quotient(rise, curves.loss[0] - low):.0%} of all that it had fallen"
    )
    return "jagged", evidence, (lowest, last)


def _overfitting(curves: _Curves) -> _Finding | None:
    """The validation loss turned up for good while the training loss went on falling.

    For good: its course ends 8 % above its lowest, takes back 5 % of its fall and three times its
    noise (the median of w epochs has 1.25 / sqrt(w) of that of one), with a rising trend since.
    """
    best, last = int(curves.val_running_median.argmin()), curves.epochs - 1
    rise = float(curves.val_running_median[last] - curves.val_running_median[best])
    window = 2 * half_window(curves.epochs) + 1
    noise = noise_of(curves.val_loss[best:], robust=True) * min(1, 1.25 * math.sqrt(2 / window))
    lowest = float(curves.val_running_median[best])
    mild = max(UPTURN * lowest, UPTURN_OF_FALL * (curves.val_loss[0] - lowest), CLEAR * noise)
    if rise <= mild or last - best < 2:
        return None
    tau, p = trend(curves.val_loss[best:])
    by_chance = p > P_VALUE and last - best > TOO_SHORT  # four points can't reach any p-value
    if tau <= 0 or by_chance or trend(curves.loss[best:])[0] >= 0:
        return None
    evidence = (
        f"val_loss is lowest in epoch {int(curves.val_loss.argmin()) + 1} and ends "
        f"{quotient(rise, lowest):.0%} above (Mann-Kendall p {p:.2g}), while the "
        f"training loss fell on from {curves.running_median[best]:.4g} "
        f"to {curves.running_median[last]:.4g}"
    )
    return "overfitting", evidence, (best, last)


def _undertrained(curves: _Curves) -> _Finding | None:
    """Both losses were still falling: the last quarter of the epochs brought 10 % of the fall, or
    half of it took a fifth of the epochs, and the validation loss was lowest at the end."""
    last, quarter = curves.epochs - 1, round(0.75 * (curves.epochs - 1))
    if curves.val_running_median.argmin() < quarter:
        return None
    share = share_of_last_quarter(curves.val_loss, curves.val_running_median)
    half = half_done(curves.running_median, curves.loss[0])
    if share < LAST_QUARTER and half < HALF_DONE:
        return None
    slope = -stats.theilslopes(curves.val_loss[quarter:])[0]
    evidence = (
        f"still falling when training ended: the last quarter of {curves.epochs} epochs brought "
        f"{share:.0%} of the fall of val_loss ({slope:.3g} an epoch), and half of the fall of the "
        f"training loss took {half:.0%} of the epochs"
    )
    return "undertrained", evidence, (quarter, last)


def _is_quiet(values: np.ndarray) -> bool:
    return noise_of(values) <= JUMPS_OF_LEVEL * float(np.median(values))
