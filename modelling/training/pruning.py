"""Which trials end early: the median stopping rule.

A training ends early when its lowest validation loss so far is above the median of what other
trials had after the same epoch (Golovin et al. 2017, "Google Vizier", section 3.2; Optuna's
MedianPruner). The medians are fixed before a trial starts, so whether it is pruned does not depend
on how fast other trials run.
"""

import math
from collections.abc import Sequence

import numpy as np

MINIMUM_TRIALS = 4  # a median of fewer trials is too uncertain
WARM_UP_EPOCHS = 3  # the losses of the first epochs mostly depend on the learning rate

PruningThresholds = tuple[float, ...]  # val_loss by epoch; empty prunes nothing


def median_thresholds(curves: Sequence[Sequence[float]]) -> PruningThresholds:
    """The median of val_loss over finished trials, by epoch.

    Parameters
    ----------
    curves : sequence of sequences
        Each trial's val_loss by epoch; the lengths may differ. NaN counts as infinite.

    Returns
    -------
    tuple of float
        One value per epoch, up to the last one that ``MINIMUM_TRIALS`` trials have reached; empty
        for fewer trials.
    """
    thresholds = []
    for epoch in range(max(map(len, curves), default=0)):
        losses = [curve[epoch] for curve in curves if epoch < len(curve)]
        if len(losses) < MINIMUM_TRIALS:
            break
        thresholds.append(float(np.median(np.nan_to_num(losses, nan=math.inf))))
    return tuple(thresholds)


class Pruning:
    """Ends a training whose lowest val_loss so far is above the threshold of the epoch."""

    def __init__(self, thresholds: PruningThresholds):
        self.thresholds = thresholds
        self.lowest = math.inf
        self.pruned = False

    def __call__(self, epoch: int, metrics: dict[str, float]) -> bool:
        self.lowest = min(self.lowest, np.nan_to_num(metrics["val_loss"], nan=math.inf))
        if WARM_UP_EPOCHS <= epoch < len(self.thresholds) and self.lowest > self.thresholds[epoch]:
            self.pruned = True
        return self.pruned
