"""The two losses of a training as the rules read them, and what the rules share."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from modelling.learning_curve.curve_statistics import noise_level
from modelling.learning_curve.history import format_loss

Verdict = Literal["healthy", "undertrained", "jagged", "overfitting", "diverged", "stuck"]
# A verdict, its evidence in one line, and the first and last epoch (from 0) that gave it.
Reading = tuple[Verdict, str, tuple[int, int] | None]

NOISE_MULTIPLE = 3.0  # standard deviations of the noise: exceeded once in 700 by chance
P_VALUE = 0.05
FLAT_CHANGE = 0.01  # of the level: a change of 1 % in a whole training is not learning
FLAT_NOISE = 0.1  # of the level: a larger change is not flat, however noisy the loss is
NOISE_OF_LEVEL = 0.03  # batches alone give 1 to 2 % of the level
DIVERGED_RATIO = 2.0  # times the constant answer's loss, or that of the first epoch
EXPLODED_RATIO = 10.0  # times the constant answer's loss: no untrained network is so bad


@dataclass(frozen=True)
class Curves:
    """loss and val_loss (epochs,) in the unit of the loss, and their running medians;
    ``constant_val_loss`` is the val_loss of a constant prediction, where it is known; ``cosine``
    says whether the steps became smaller by a cosine schedule; ``lasso_fades`` whether a group
    lasso did so, too; ``began_as_ridge`` whether the network began as a linear model, so that it
    may well be at its best in the first epoch."""

    loss: np.ndarray
    val_loss: np.ndarray
    running_median: np.ndarray
    val_running_median: np.ndarray
    constant_val_loss: float | None
    cosine: bool
    lasso_fades: bool
    began_as_ridge: bool

    @property
    def epochs(self) -> int:
        return len(self.loss)

    @property
    def val_start(self) -> float:
        """The val_loss from which the curve falls: the first, or the constant answer's where the
        first one exploded. To come back from there is not learning."""
        first, constant = float(self.val_loss[0]), self.constant_val_loss
        if constant is not None and first > EXPLODED_RATIO * constant:
            return constant
        return first

    @property
    def untrained_val_loss(self) -> float:
        """What val_loss would be if nothing had been learnt: the constant answer's where that is
        known and above the first one. A first epoch may have learnt most of what there is."""
        return max(self.val_start, self.constant_val_loss or 0.0)


def has_little_noise(values: np.ndarray) -> bool:
    return noise_level(values) <= NOISE_OF_LEVEL * float(np.median(values))


def readable(loss: float) -> str:
    """A loss in a line of evidence."""
    return format_loss(loss, digits=4)
