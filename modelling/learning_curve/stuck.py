"""Losses that never moved, or are no better than the same answer for every row."""

import math

import numpy as np

from modelling.learning_curve.curve_statistics import TOO_SHORT_EPOCHS, noise_level
from modelling.learning_curve.curves import (
    EXPLODED_RATIO,
    FLAT_CHANGE,
    FLAT_NOISE,
    NOISE_MULTIPLE,
    Curves,
    Reading,
    has_little_noise,
    readable,
)
from modelling.learning_curve.overfitting import overfitting
from modelling.learning_curve.undertrained import undertrained

NEAR_CONSTANT = 0.1  # of the constant answer's loss
FIRST_EPOCH_DROP = 0.1  # if the first loss is this share above the second, the network has learnt


def flat(curves: Curves) -> Reading | None:
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
    if not has_little_noise(curves.loss) and not has_little_noise(curves.val_loss):
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


def no_better_than_constant(curves: Curves) -> Reading | None:
    """val_loss was never below the constant answer's, or exploded and is back there at best.

    Where val_loss still comes down from an untrained network's, it is undertrained. Where the
    training loss is well below the constant answer's, or val_loss was and turned up as that fell on
    (penalties may hold it above), the network has learnt its rows by heart. Otherwise it answers
    the same for every row.
    """
    constant = curves.constant_val_loss
    if constant is None:
        return None
    quarter = round(0.75 * (curves.epochs - 1))
    loss, end = (float(np.median(one[quarter:])) for one in (curves.loss, curves.val_loss))
    val_exploded = curves.val_loss.max() > EXPLODED_RATIO * constant
    exploded = val_exploded or curves.loss.max() > EXPLODED_RATIO * constant
    if end < (1 - (FLAT_NOISE if exploded else FLAT_CHANGE)) * constant:
        return None
    evidence = (
        f"no better than the constant answer: val_loss ends at {readable(end)}, where the same "
        f"answer for every row has {readable(constant)}"
    )
    is_lowest_late = curves.val_running_median.argmin() >= quarter and not val_exploded
    is_there = end <= (1 + NEAR_CONSTANT) * constant
    if is_lowest_late and (not is_there or undertrained(curves)):
        return "undertrained", f"{evidence}, and still falls", (quarter, curves.epochs - 1)
    was_better = curves.val_running_median.min() < (1 - FLAT_NOISE) * constant
    if loss < (1 - FLAT_NOISE) * constant or (was_better and overfitting(curves)):
        evidence += f"; the training loss ends at {readable(loss)}: learnt by heart"
        return "overfitting", evidence, (int(curves.val_running_median.argmin()), curves.epochs - 1)
    return "stuck", evidence, (quarter, curves.epochs - 1)
