"""A validation loss that rises while the training loss falls on."""

import math

from modelling.learning_curve.curve_statistics import (
    TOO_SHORT_EPOCHS,
    half_window,
    noise_level,
    safe_ratio,
    trend,
)
from modelling.learning_curve.curves import (
    DIVERGED_RATIO,
    FLAT_CHANGE,
    NOISE_MULTIPLE,
    P_VALUE,
    Curves,
    Reading,
    readable,
)

# A rise of val_loss, as a share of its lowest value (with early stopping after 10 epochs it rises
# by 0 to 5 %) and of its whole fall (a loss near 0 may double without harm).
RISE_OF_LOWEST, RISE_OF_FALL = 0.08, 0.05
RISE_OF_LEARNT = 0.2  # of the fall from the constant answer: a fifth of what it learnt is lost
SEVERE_RISE = 0.2  # of the lowest value: a rise, however noisy the loss is
EARLY_PART, EARLY_RISE = 6, 0.01  # a sixth of the epochs; a share of the whole fall


def overfitting(curves: Curves) -> Reading | None:
    """The validation loss rises and stays up, while the training loss falls on.

    Its running median must end 8 % above its lowest value and by 5 % of its fall, or by a fifth of
    its fall from the constant answer; and by three times its noise (the median of w epochs has 1.25
    / sqrt(w) times the noise of one), with a rising trend since, or with a fifth of what was learnt
    lost in all of the second half since. The trend of a few epochs may be one by chance, unless
    they are a severe rise. After a lowest value in the first sixth of the epochs, 1 % of the fall
    is enough: so long a rise is none by chance. Not so of a network that began as a linear model:
    there the lowest value is often the first.
    """
    best, last = int(curves.val_running_median.argmin()), curves.epochs - 1
    rise = float(curves.val_running_median[last] - curves.val_running_median[best])
    window = 2 * half_window(curves.epochs) + 1
    noise = noise_level(curves.val_loss[best:], robust=True) * min(1, 1.25 * math.sqrt(2 / window))
    lowest = float(curves.val_running_median[best])
    fall = curves.untrained_val_loss - lowest
    is_early = EARLY_PART * (best + 1) <= curves.epochs and not curves.began_as_ridge
    least = (
        EARLY_RISE * fall
        if is_early
        else min(
            max(RISE_OF_LOWEST * lowest, RISE_OF_FALL * (curves.val_start - lowest)),
            max(RISE_OF_LEARNT * fall, FLAT_CHANGE * lowest),
        )
    )
    if rise <= max(least, min(NOISE_MULTIPLE * noise, SEVERE_RISE * lowest)) or last - best < 2:
        return None
    constant = curves.constant_val_loss
    if constant is not None and curves.running_median[last] > DIVERGED_RATIO * constant:
        return None  # it has learnt nothing, least of all by heart
    tau, p = trend(curves.val_loss[best:])
    # Four points never reach this p-value.
    by_chance = p > P_VALUE and last - best > TOO_SHORT_EPOCHS and not _stays_up(curves, best)
    fell = curves.running_median[last] < curves.running_median[best]
    since_half = curves.val_running_median[(best + last) // 2 :]
    stays_lost = since_half.min() > lowest + max(RISE_OF_LEARNT * fall, NOISE_MULTIPLE * noise)
    rises = stays_lost or (tau > 0 and not by_chance)
    if not rises or not fell or trend(curves.loss[best:])[0] >= 0:
        return None
    evidence = (
        f"val_loss is lowest in epoch {int(curves.val_loss.argmin()) + 1} and ends "
        f"{safe_ratio(rise, lowest):.0%} above (Mann-Kendall p {p:.2g}), while the "
        f"training loss fell on from {readable(curves.running_median[best])} "
        f"to {readable(curves.running_median[last])}"
    )
    return "overfitting", evidence, (best, last)


def _stays_up(curves: Curves, best: int) -> bool:
    """A severe rise, after which val_loss comes back near its lowest value in no epoch."""
    lowest, after = curves.val_running_median[best], curves.val_running_median[best + 1 :]
    return bool(
        after[-1] > (1 + SEVERE_RISE) * lowest and after.min() > (1 + RISE_OF_LOWEST) * lowest
    )
