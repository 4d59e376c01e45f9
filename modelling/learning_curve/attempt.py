"""One training with its result, and what to change after it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from modelling.declaration import UseCase
from modelling.learning_curve.diagnosis import Diagnosis
from modelling.learning_curve.history import History


@dataclass(frozen=True)
class TrainedNetwork:
    """The result of a training, beside its files.

    ``dead_unit_share`` is from 0 to 1, None without ReLU layers. ``validation_outputs``
    (n, outputs) are the network's outputs for the validation rows, not calibrated. ``pruned`` says
    that the training ended early, above the job's pruning thresholds.
    """

    history: History
    dead_unit_share: float | None
    weights_hash: str
    summary: str
    validation_outputs: np.ndarray
    pruned: bool = False


@dataclass(frozen=True)
class Attempt:
    """One training: its declaration, the folder of its network, its result and the diagnosis.

    ``applied`` holds the remedies that led here: dotted names of settings with their values.
    """

    use_case: UseCase
    network_folder: Path
    fitted: TrainedNetwork
    diagnosis: Diagnosis
    applied: dict[str, Any] = field(default_factory=dict)

    @property
    def history(self) -> History:
        return self.fitted.history

    @property
    def validation_outputs(self) -> np.ndarray:
        """The network's outputs (n, outputs) for the validation rows, not yet calibrated."""
        return self.fitted.validation_outputs

    @property
    def val_loss(self) -> float:
        """The validation loss of the weights that were kept; NaN where training diverged."""
        return val_loss_of_kept_weights(self.history, self.use_case)

    def summary(self) -> dict[str, Any]:
        """The diagnosis, and the settings for the next training: the first remedy and those that
        were applied before (empty if healthy)."""
        first = self.diagnosis.remedies[:1]
        return {
            "verdict": self.diagnosis.verdict,
            "evidence": self.diagnosis.evidence,
            "leak_suspected": self.diagnosis.leak_suspected,
            "remedy": {**self.applied, **first[0].overrides} if first else {},
        }


def val_loss_of_kept_weights(history: History, use_case: UseCase) -> float:
    """The validation loss of the best epoch with early stopping, otherwise of the last epoch."""
    if use_case.training.early_stopping_patience:
        return history.best_val_loss
    return history.metrics["val_loss"][-1]


def next_remedy(attempts: list[Attempt]) -> dict[str, Any] | None:
    """The settings to change after the last of ``attempts``, or None for a healthy curve.

    When a verdict is repeated, its next remedy is tried. Remedies that change the preprocessing are
    left out: all attempts use the same features.
    """
    remedies = [
        remedy
        for remedy in attempts[-1].diagnosis.remedies
        if not any(name.startswith("preprocessing.") for name in remedy.overrides)
    ]
    verdict = attempts[-1].diagnosis.verdict
    before = sum(attempt.diagnosis.verdict == verdict for attempt in attempts[:-1])
    return remedies[min(before, len(remedies) - 1)].overrides if remedies else None
