"""What a training leaves behind beside its weights: each metric after every epoch."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

# Listens to an epoch (from 0) and its metrics; True ends the training after it.
OnEpoch = Callable[[int, dict[str, float]], bool | None]


@dataclass(frozen=True)
class History:
    """What happened: each metric's value after every epoch, and how fast it went.

    ``metrics`` maps ``loss``, ``val_loss`` and the problem's metrics to a list with one value an
    epoch; a diverged training may end in NaN. ``seconds_first_epoch`` includes compiling.
    ``not_compiled`` says why the network could not be compiled and trained batch by batch.
    ``constant_val_loss`` is that of the best answer which is the same for all rows.
    """

    metrics: dict[str, list[float]]
    seconds: float
    seconds_first_epoch: float
    rows_per_second: float
    not_compiled: str | None = None
    constant_val_loss: float | None = None
    best_epoch: int = field(init=False)
    best_val_loss: float = field(init=False)

    def __post_init__(self) -> None:
        losses = [loss if math.isfinite(loss) else math.inf for loss in self.metrics["val_loss"]]
        best = int(np.argmin(losses))
        object.__setattr__(self, "best_epoch", best)
        object.__setattr__(self, "best_val_loss", self.metrics["val_loss"][best])
