"""Which trials are not worth finishing: the median stopping rule.

A training ends early when its lowest validation loss so far lies above the median of what other
trials had after the same epoch (Golovin et al. 2017, "Google Vizier", section 3.2; Optuna's
MedianPruner). The other trials' medians, the bar, are settled before a trial starts: what becomes
of it does not depend on how fast the others happen to be.
"""

import math
from collections.abc import Sequence

import numpy as np

STARTUP_TRIALS = 4  # a median of fewer says little
WARM_UP_EPOCHS = 3  # losses of the first epochs mostly tell the learning rate

PruningThresholds = tuple[float, ...]  # val_loss by epoch; empty prunes nothing


def median_thresholds(curves: Sequence[Sequence[float]]) -> PruningThresholds:
    """The median over finished trials of val_loss by epoch, as far as enough of them came.

    ``curves`` holds each trial's val_loss by epoch; NaN counts as infinitely bad.
    """
    thresholds = []
    for epoch in range(max(map(len, curves), default=0)):
        there = [curve[epoch] for curve in curves if epoch < len(curve)]
        if len(there) < STARTUP_TRIALS:
            break
        thresholds.append(float(np.median(np.nan_to_num(there, nan=math.inf))))
    return tuple(thresholds)


class Pruning:
    """Listens to the epochs of a training and ends it, by answering True, above the bar."""

    def __init__(self, thresholds: PruningThresholds):
        self.thresholds = thresholds
        self.lowest = math.inf
        self.pruned = False

    def __call__(self, epoch: int, metrics: dict[str, float]) -> bool:
        self.lowest = min(self.lowest, np.nan_to_num(metrics["val_loss"], nan=math.inf))
        if WARM_UP_EPOCHS <= epoch < len(self.thresholds) and self.lowest > self.thresholds[epoch]:
            self.pruned = True
        return self.pruned
