"""Losses that still fell when training ended, or too few epochs to say."""

from modelling.learning_curve.curve_statistics import (
    TOO_SHORT_EPOCHS,
    epoch_share_to_half_fall,
    remaining_fall,
    share_of_last_part,
)
from modelling.learning_curve.curves import Curves, Reading

SHORT_EPOCHS = 8  # below, a validation loss that is lowest in the last epoch may well fall further
# An exponential decay over T time constants makes half of its fall in 20 % of the epochs if T = 3.3
# (4 % would still follow). A linear fall that a cosine schedule slows down, so that its end looks
# flat, takes 26 %.
HALF_FALL_SHARE = 0.2
CONVERGED_SHARE = 0.01  # of the fall of val_loss in the last quarter: nothing is to come
REMAINING_SHARE = 0.04  # of what was learnt, if it went on as in the last two quarters
# A cosine schedule takes smaller and smaller steps, so that each curve ends flat. Three quarters of
# its way are behind it after 44 % of the epochs; with 1.75 time constants over the whole way, what
# follows makes 11.5 % of the fall, and another 21 % would still follow.
COSINE_THREE_QUARTERS, COSINE_SHARE = 0.44, 0.115

# Where a group lasso fades together with the steps, val_loss falls to the end, since less and less
# is held back: on credit_grade the last 56 % make 13 % of the fall over 40 epochs as over 120. The
# second 40 gain 2 % of it on one seed and lose 9 % on another, the third gain nothing.
COSINE_AND_LASSO_SHARE = 0.23
FADING_EPOCHS = 20  # a shorter training falls to its end since it is short


def too_short(curves: Curves) -> Reading | None:
    epochs = curves.epochs
    is_lowest_last = curves.val_loss.argmin() == epochs - 1
    if epochs > TOO_SHORT_EPOCHS and not (epochs < SHORT_EPOCHS and is_lowest_last):
        return None
    evidence = f"too short to judge: {epochs} epoch{'s' if epochs > 1 else ''}"
    return "undertrained", evidence, (0, epochs - 1)


def undertrained(curves: Curves) -> Reading | None:
    """The validation loss was lowest in the last quarter of the epochs, and the losses still fell.

    Another 4 % of what was learnt would follow, or half of the fall of the training loss took a
    fifth of the epochs; or the last quarter of the way of a cosine schedule brought 11.5 %. With a
    cosine schedule a network that began as ridge regression falls late and ends flat: half of its
    fall says nothing. Where a group lasso fades with a cosine schedule, both are expected to fall
    to the end, however long it trains: then that part of the way must have brought 23 %, from 20
    epochs on.
    """
    last, quarter = curves.epochs - 1, round(0.75 * (curves.epochs - 1))
    if curves.val_running_median.argmin() < quarter:
        return None
    if (finding := _ended_by_cosine(curves)) or _lasso_fades(curves):
        return finding
    share = share_of_last_part(curves.val_running_median, 0.25, curves.val_start)
    half = epoch_share_to_half_fall(curves.running_median, curves.loss[0])
    remaining = remaining_fall(curves.val_running_median)
    learnt = curves.untrained_val_loss - float(curves.val_running_median.min())
    is_slow = half >= HALF_FALL_SHARE and not (curves.cosine and curves.began_as_ridge)
    if share < CONVERGED_SHARE or (remaining <= REMAINING_SHARE * learnt and not is_slow):
        return None
    # The sentence must name the number that decided: the others may well look converged.
    more = remaining / learnt
    reason = (
        f"another {more:.0%} of what was learnt would follow if it went on so"
        if more > REMAINING_SHARE
        else f"half of the fall of the training loss took {half:.0%} of the epochs"
    )
    from scipy import stats

    slope = -stats.theilslopes(curves.val_loss[quarter:])[0]
    evidence = (
        f"still falling when training ended: the last quarter of {curves.epochs} epochs brought "
        f"{share:.0%} of the fall of val_loss ({slope:.3g} an epoch), and {reason}"
    )
    return "undertrained", evidence, (quarter, last)


def _lasso_fades(curves: Curves) -> bool:
    return curves.cosine and curves.lasso_fades and curves.epochs >= FADING_EPOCHS


def _ended_by_cosine(curves: Curves) -> Reading | None:
    """The end is flat only since the steps had become small."""
    part = 1 - COSINE_THREE_QUARTERS
    share = share_of_last_part(curves.val_running_median, part, curves.untrained_val_loss)
    least = COSINE_AND_LASSO_SHARE if _lasso_fades(curves) else COSINE_SHARE
    if not curves.cosine or share < least:
        return None
    first, last = round(COSINE_THREE_QUARTERS * (curves.epochs - 1)), curves.epochs - 1
    evidence = (
        f"not trained enough: {share:.0%} of the fall of val_loss came in the last {part:.0%} of "
        f"{curves.epochs} epochs, in which a cosine schedule makes its last, smaller steps"
    )
    return "undertrained", evidence, (first, last)
