"""What happens between the epochs of a training: who is told, what is drawn and timed, when it
ends."""

import time
from collections.abc import Sequence

import keras
import numpy as np

from modelling.declaration import Training
from modelling.learning_curve.history import History, OnEpoch
from modelling.training.compiled_training import Rows
from modelling.training.layers.dropout import CounterDropout


def declared_callbacks(declared: Training, lasso_fades: bool) -> list[keras.callbacks.Callback]:
    """When the learning rate falls and when training ends; a loss that is no number always ends
    it."""
    callbacks: list[keras.callbacks.Callback] = [_StopWhenNotANumber()]
    if declared.schedule == "reduce_on_plateau":
        patience = max(declared.early_stopping_patience // 2, 2)
        callbacks.append(keras.callbacks.ReduceLROnPlateau(factor=0.3, patience=patience))
    if declared.early_stopping_patience:
        # While a group lasso holds columns back, a loss that stays says nothing of what follows.
        patience = declared.epochs if lasso_fades else declared.early_stopping_patience
        callbacks.append(
            keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
        )
    return callbacks


def replay(metrics: dict[str, list[float]], on_epoch: Sequence[OnEpoch]) -> bool:
    """Call ``on_epoch`` for the epochs before the checkpoint: the listeners may not have seen them.

    Returns whether one of them ends the training.
    """
    stopped = False
    for epoch in range(len(next(iter(metrics.values()), []))):
        logs = {name: values[epoch] for name, values in metrics.items()}
        stopped = _notify(on_epoch, epoch, logs) or stopped
    return stopped


def _notify(listeners: Sequence[OnEpoch], epoch: int, logs: dict[str, float]) -> bool:
    answers = [listener(epoch, logs) for listener in listeners]  # all are called, also after a True
    return any(answers)


class _StopWhenNotANumber(keras.callbacks.Callback):
    """Keras's TerminateOnNaN, without its line on stdout."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True


class EpochListeners(keras.callbacks.Callback):
    """Tells the listeners the metrics of each epoch; one that returns True ends the training."""

    def __init__(self, listeners: Sequence[OnEpoch]):
        super().__init__()
        self.listeners = listeners

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        if _notify(self.listeners, epoch, numbers):
            self.model.stop_training = True


class EpochStart(keras.callbacks.Callback):
    """Makes shuffling and dropout of an epoch depend on (seed, epoch) alone, and times epochs, and
    all since it was made."""

    def __init__(self, rows: Rows, seed: int):
        super().__init__()
        self.made = time.perf_counter()
        self.rows, self.seed = rows, seed
        self.started: list[float] = []

    def on_epoch_begin(self, epoch: int, _logs: dict[str, float] | None = None) -> None:
        self.started.append(time.perf_counter())
        self.rows.start_epoch(epoch)
        dropouts = [layer for layer in self.model.layers if isinstance(layer, CounterDropout)]
        for number, layer in enumerate(dropouts):
            layer.set_stream(self.seed, epoch, number)

    def history(
        self, metrics: dict[str, list[float]], row_count: int, not_compiled: str | None
    ) -> History:
        """The speed leaves out the first epoch, which compiles."""
        if not self.started:  # resumed after the last epoch: there was nothing left to train
            return History(metrics, 0.0, 0.0, not_compiled)
        ends = [*self.started[1:], time.perf_counter()]
        first, rest, later = ends[0] - self.started[0], ends[-1] - ends[0], len(ends) - 1
        speed = row_count * later / rest if later else row_count / first
        return History(metrics, ends[-1] - self.made, speed, not_compiled)
