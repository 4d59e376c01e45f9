"""The history of a training: each metric after every epoch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

# Called with an epoch (from 0) and its metrics; returning True ends the training.
OnEpoch = Callable[[int, dict[str, float]], bool | None]


def lowest_finite(losses: Sequence[float]) -> int:
    """The position (from 0) of the lowest finite loss; 0 where none is finite."""
    return int(np.argmin([loss if math.isfinite(loss) else math.inf for loss in losses]))


def format_loss(loss: float, digits: int = 5) -> str:
    """A loss as people read it: ``0.17629``, ``12,106,789``."""
    return f"{loss:,.0f}" if abs(loss) >= 10 ** (digits - 1) else f"{loss:.{digits}g}"


@dataclass(frozen=True)
class History:
    """Each metric after every epoch, and how fast the training was.

    ``metrics`` maps ``loss``, ``val_loss`` and the problem's metrics to a list with one value per
    epoch; a diverged training may end in NaN. ``seconds`` are all, compiling and the short
    trainings that choose a group lasso included; ``rows_per_second`` leaves out the first epoch.
    ``not_compiled`` says why the network could not be compiled and was trained batch by batch.
    ``constant_val_loss`` is the val_loss of the best constant prediction. ``group_lasso`` says how
    strong a group lasso was in the first step, in standard errors, and is None where there was
    none; with ``group_lasso_at_limit`` a stronger one would have shrunk no more. ``best_epoch``
    (from 0) has the lowest finite val_loss.
    """

    metrics: dict[str, list[float]]
    seconds: float
    rows_per_second: float
    not_compiled: str | None = None
    constant_val_loss: float | None = None
    group_lasso: float | None = None
    group_lasso_at_limit: bool = False
    best_epoch: int = field(init=False)
    best_val_loss: float = field(init=False)

    def __post_init__(self) -> None:
        best = lowest_finite(self.metrics["val_loss"])
        object.__setattr__(self, "best_epoch", best)
        object.__setattr__(self, "best_val_loss", self.metrics["val_loss"][best])
