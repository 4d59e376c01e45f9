"""One training with what came of it, and what to try after several."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from modelling.declaration import UseCase
from modelling.learning_curve.diagnosis import Diagnosis
from modelling.learning_curve.history import History


@dataclass(frozen=True)
class Fitted:
    """What came of a job, beside the files: ``dead_units`` is a share, None without ReLU;
    ``validation_outputs`` (n, outputs) are the network's own on the validation rows; ``pruned``
    says that the training ended early at the job's bar."""

    history: History
    dead_units: float | None
    weights_hash: str
    summary: str
    validation_outputs: np.ndarray
    pruned: bool = False


@dataclass(frozen=True)
class Attempt:
    """One training as it was declared: the folder of the network to keep, what came of it, and
    what its curve says."""

    use_case: UseCase
    network_folder: Path
    fitted: Fitted
    diagnosis: Diagnosis
    applied: dict[str, Any] = field(default_factory=dict)  # remedies that led here

    @property
    def history(self) -> History:
        return self.fitted.history

    @property
    def validation_outputs(self) -> np.ndarray:
        """(n, outputs) of the network itself, not yet calibrated."""
        return self.fitted.validation_outputs

    @property
    def val_loss(self) -> float:
        """The validation loss of the weights that were kept; NaN where training diverged."""
        return kept_val_loss(self.history, self.use_case)

    def summary(self) -> dict[str, Any]:
        """What the curve says, and the settings with which to train next, those that were applied
        on the way here included (empty if healthy)."""
        first = self.diagnosis.remedies[:1]
        return {
            "verdict": self.diagnosis.verdict,
            "evidence": self.diagnosis.evidence,
            "leak_suspected": self.diagnosis.leak_suspected,
            "remedy": {**self.applied, **first[0].overrides} if first else {},
        }


def kept_val_loss(history: History, use_case: UseCase) -> float:
    """The validation loss of the best epoch with early stopping, else of the last one."""
    if use_case.training.early_stopping_patience:
        return history.best_val_loss
    return history.metrics["val_loss"][-1]


def next_remedy(attempts: list[Attempt]) -> dict[str, Any] | None:
    """The settings to change, or None for a healthy curve.

    Each time that a verdict comes again, the next of its remedies is tried. The features stay as
    they are, so remedies of the preprocessing are left to a training of their own.
    """
    remedies = [
        one
        for one in attempts[-1].diagnosis.remedies
        if not any(name.startswith("preprocessing.") for name in one.overrides)
    ]
    verdict = attempts[-1].diagnosis.verdict
    before = sum(attempt.diagnosis.verdict == verdict for attempt in attempts[:-1])
    return remedies[min(before, len(remedies) - 1)].overrides if remedies else None
