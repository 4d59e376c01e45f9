"""A validation loss that rises while the training loss falls on."""

from modelling.learning_curve.curve_statistics import safe_ratio, trend
from modelling.learning_curve.curves import (
    DIVERGED_RATIO,
    FLAT_CHANGE,
    P_VALUE,
    Curves,
    Reading,
    readable,
)

# A rise of val_loss, as a share of its lowest value (with early stopping after 10 epochs it rises
# by 0 to 5 %) and of its whole fall (a loss near 0 may double without harm).
RISE_OF_LOWEST, RISE_OF_FALL = 0.08, 0.05
RISE_AFTER_RIDGE = 0.04  # of the lowest value: such a network falls little by training on
RISE_OF_LEARNT = 0.2  # of the fall from the constant answer: a fifth of what it learnt is lost
EARLY_PART, EARLY_RISE = 6, 0.015  # a sixth of the epochs; a share of the whole fall


def overfitting(curves: Curves) -> Reading | None:
    """The validation loss rises and stays up, while the training loss falls on.

    Its running median must end above its lowest value by more than ``_least_rise``, and be as high
    in all of the second half since, or rise by a trend that is none by chance. The training loss
    must end lower than it was at any time until the best epoch: to come back from a jump is not
    learning by heart.
    """
    best, last = int(curves.val_running_median.argmin()), curves.epochs - 1
    lowest = float(curves.val_running_median[best])
    rise = float(curves.val_running_median[last]) - lowest
    least, constant = _least_rise(curves, best), curves.constant_val_loss
    if rise <= least:
        return None
    if constant is not None and curves.running_median[last] > DIVERGED_RATIO * constant:
        return None  # it has learnt nothing, least of all by heart
    stays_up = curves.val_running_median[(best + last) // 2 :].min() > lowest + least
    tau, p = trend(curves.val_loss[best:])
    rises = tau > 0 and p <= P_VALUE
    fell_on = curves.running_median[last] < curves.running_median[: best + 1].min()
    fell_on &= trend(curves.loss[best:])[0] < 0
    if not fell_on or not (stays_up or rises):
        return None
    how = f"Mann-Kendall p {p:.2g}" if rises else "it lay above in all of the second half since"
    evidence = (
        f"val_loss is lowest in epoch {int(curves.val_loss.argmin()) + 1} and ends "
        f"{safe_ratio(rise, lowest):.0%} above ({how}), while the training loss fell on from "
        f"{readable(curves.running_median[best])} to {readable(curves.running_median[last])}"
    )
    return "overfitting", evidence, (best, last)


def _least_rise(curves: Curves, best: int) -> float:
    """How much val_loss may rise after its ``best`` epoch, in its unit.

    8 % of its lowest value (4 % where the network began as a linear model) and 5 % of its fall, or
    a fifth of its fall from the constant answer. After a lowest value in the first sixth of the
    epochs, 1.5 % of that fall: so long a rise is none by chance. Not so of a network that began as
    a linear model: there the lowest value is often the first.
    """
    lowest, constant = float(curves.val_running_median[best]), curves.constant_val_loss
    untrained = curves.val_start if constant is None or constant <= lowest else constant
    learnt = untrained - lowest
    if EARLY_PART * (best + 1) <= curves.epochs and not curves.began_as_ridge:
        return EARLY_RISE * learnt
    of_lowest = RISE_AFTER_RIDGE if curves.began_as_ridge else RISE_OF_LOWEST
    return min(
        max(of_lowest * lowest, RISE_OF_FALL * (curves.val_start - lowest)),
        max(RISE_OF_LEARNT * learnt, FLAT_CHANGE * lowest),
    )
