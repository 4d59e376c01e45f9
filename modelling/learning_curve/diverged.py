"""Losses that explode, or are no numbers any more."""

import numpy as np

from modelling.learning_curve.curve_statistics import TOO_SHORT_EPOCHS, safe_ratio, trend
from modelling.learning_curve.curves import (
    DIVERGED_RATIO,
    EXPLODED_RATIO,
    FLAT_NOISE,
    P_VALUE,
    Curves,
    Reading,
    has_little_noise,
    readable,
)

NOT_BACK_RATIO = 1.5  # times the constant answer's loss: an untrained network may be there


def not_finite(loss: np.ndarray, val_loss: np.ndarray) -> Reading | None:
    is_number = np.isfinite(loss) & np.isfinite(val_loss)
    if is_number.all():
        return None
    first = int(is_number.argmin())
    return (
        "diverged",
        f"the loss is no longer a number in epoch {first + 1}",
        (first, len(loss) - 1),
    )


def diverged(curves: Curves) -> Reading | None:
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
            f"the training loss rose from {readable(loss[lowest])} (epoch {lowest + 1}) to "
            f"{readable(loss[-1])}, {safe_ratio(loss[-1], loss[0]):.3g} times its start "
            f"(Mann-Kendall tau {tau:.2f})"
        )
        return "diverged", evidence, (lowest, curves.epochs - 1)
    val_level = float(np.median(curves.val_loss[half:]))
    evidence = (
        f"the losses exploded at once and stay there: in the second half the training loss is "
        f"{readable(level)} and val_loss {readable(val_level)}, where the constant answer has "
        f"{readable(constant)}"
    )
    return "diverged", evidence, (0, curves.epochs - 1)


def _stays_exploded(curves: Curves, half: int) -> bool:
    """Whether the losses exploded, or rose, far above the constant answer, and do not come back to
    it in the second ``half``.

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
        rose = curves.loss[-1] > curves.loss[0]
        return exploded or rose or not has_little_noise(curves.val_loss)
    falls = curves.loss[-1] < (1 - FLAT_NOISE) * curves.loss[half]
    return was_far and not falls
