"""A training loss that does not come down."""

import numpy as np

from modelling.learning_curve.curve_statistics import noise_level, safe_ratio
from modelling.learning_curve.curves import NOISE_MULTIPLE, Curves, Reading, has_little_noise
from modelling.learning_curve.overfitting import overfitting

# How far the training loss is above the lowest that it has reached, as a share of its range from
# the 10th to the 90th percentile (sensible trainings stay below 10 %, with few rows below 15 %; a
# climb beyond the noise may be small) and of its level; and val_loss, as a share of its level.
JUMP_OF_RANGE, CLIMB_OF_RANGE, ABOVE_OF_LEVEL = 0.11, 0.02, 0.07
VAL_ABOVE_OF_LEVEL = 0.1
CLEAR_JUMP_OF_LEVEL = 0.2  # beside a val_loss that turned up, smaller jumps are the lesser fault
NOISY_VAL_LOSS = 0.05  # of its level: a validation loss with less noise does not jump
JUMP_OF_WHOLE_RANGE = 0.05  # of the training loss: smaller jumps are none in a picture of it


def jagged(curves: Curves) -> Reading | None:
    """The training loss does not come down: it is far above the lowest that it has reached, either
    all along (it jumps) or at the end (it climbs), and so is the validation loss.

    All along is the mean after the first third, at the end the median of the last sixth (at least
    three epochs, so that a single rise does not count). The training loss alone may jump with
    dropout and few rows; the validation loss alone rises where a network overfits: then only jumps
    count, above a fifth of the level or where the rise is within three times the noise of val_loss.
    """
    first, last = curves.epochs // 3, max(curves.epochs // 6, 3)
    above, val_above = _above_lowest(curves.loss), _above_lowest(curves.val_loss)
    level, val_level = np.median(curves.loss[first:]), np.median(curves.val_loss[first:])
    jump, climb = float(above[first:].mean()), float(np.median(above[-last:]))
    val = max(float(val_above[first:].mean()), float(np.median(val_above[-last:])))
    if max(jump, climb) <= ABOVE_OF_LEVEL * level or val <= VAL_ABOVE_OF_LEVEL * val_level:
        return None
    spread = float(np.subtract(*np.percentile(curves.loss, [90, 10])))
    noise = noise_level(curves.loss[first:], robust=True)
    val_noise = noise_level(curves.val_loss[first:], robust=True)
    jumps = jump > JUMP_OF_RANGE * spread and val_noise > NOISY_VAL_LOSS * val_level
    climbs = climb > max(NOISE_MULTIPLE * noise, CLIMB_OF_RANGE * spread)
    if overfitting(curves):
        rise = curves.val_running_median[-1] - curves.val_running_median.min()
        is_clear = jump > CLEAR_JUMP_OF_LEVEL * level or rise <= NOISE_MULTIPLE * val_noise
        jumps, climbs = jumps and is_clear, False
    if not jumps and not climbs:
        return None
    at_the_end = f", at the end {climb:.3g}"
    return "jagged", _evidence(curves, jump, at_the_end), (first, curves.epochs - 1)


def jumps_in_place(curves: Curves) -> Reading | None:
    """Both losses jump, and the training loss came no further by it: its lowest value at the end is
    less than one mean jump below that of the first third.

    However small the jumps are beside the level; they must be seen in a picture of the whole loss.
    What a loss that comes down does between two epochs is noise.
    """
    first, last = curves.epochs // 3, max(curves.epochs // 6, 3)
    jump = float(_above_lowest(curves.loss)[first:].mean())
    progress = curves.loss[: first + 1].min() - curves.loss[-last:].min()
    if progress >= jump or jump <= JUMP_OF_WHOLE_RANGE * np.ptp(curves.loss):
        return None
    if has_little_noise(curves.val_loss[first:]):
        return None
    return "jagged", _evidence(curves, jump, ""), (first, curves.epochs - 1)


def _evidence(curves: Curves, jump: float, at_the_end: str) -> str:
    after = curves.loss[curves.epochs // 3 :]
    return (
        f"the training loss does not come down: after the first third it is {jump:.3g} above the "
        f"lowest that it has reached ({safe_ratio(jump, np.median(after)):.0%} of its level)"
        f"{at_the_end}; it rose in {np.sum(np.diff(after) > 0)} of the last {len(after) - 1} epochs"
    )


def _above_lowest(losses: np.ndarray) -> np.ndarray:
    """How far each loss (epochs,) is above the lowest until then."""
    return losses - np.minimum.accumulate(losses)
