"""Checkpoints: the state from which a killed training continues as if it had not been interrupted.

A checkpoint holds weights, optimizer and schedule, the state of early stopping with its best
weights, and the metrics so far. Shuffling and dropout need no state: they depend on seed and epoch
alone. Each file is written under a temporary name and then renamed. It carries a checksum, and the
previous one is kept: where a file is truncated, the previous one is used. Only their owner can read
them. One of another network, of other settings, or of features that were made otherwise is refused:
its weights would mean something else here, or half of the training would have gone another way.
"""

import hashlib
import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from modelling.declaration import UseCase
from modelling.features.preprocessing import Examples
from modelling.refusals import UsageError
from modelling.training.group_lasso import GroupLassoAdamW


@dataclass
class TrainingState:
    """The state of a training after an epoch: arrays by name, and plain values (metrics, ...)."""

    arrays: dict[str, np.ndarray]
    values: dict[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one training, in a folder of its own, every ``every_epochs`` epochs."""

    folder: Path
    every_epochs: int = 1
    files_kept: int = field(default=2, init=False)

    @classmethod
    def disabled(cls) -> "Checkpoints":
        """Checkpoints that are never written and never found."""
        return cls(Path(os.devnull), every_epochs=0)

    def save(self, state: TrainingState) -> None:
        """Write a checkpoint atomically, then delete all but the newest two."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        buffer = io.BytesIO()
        values = np.frombuffer(json.dumps(state.values).encode(), dtype=np.uint8)
        arrays: dict[str, Any] = {**state.arrays, "values": values}
        np.savez(buffer, **arrays)
        content = buffer.getvalue()
        path = self.folder / f"epoch-{state.values['epochs_done']:06d}.ckpt"
        # The child of a killed worker may still be writing: each process has a file of its own.
        partial = path.with_suffix(f".partial-{os.getpid()}")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
        os.replace(partial, path)
        for old in self._paths()[: -self.files_kept]:
            old.unlink(missing_ok=True)

    def newest(self) -> TrainingState | None:
        """The newest complete checkpoint, or None where there is none."""
        for path in reversed(self._paths()):
            content = path.read_bytes()
            if hashlib.sha256(content[32:]).digest() != content[:32]:
                continue  # truncated by a full disk or a crash: use the previous one
            with np.load(io.BytesIO(content[32:])) as stored:
                arrays = {name: stored[name] for name in stored.files if name != "values"}
                return TrainingState(arrays, json.loads(stored["values"].tobytes()))
        return None

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("epoch-*.ckpt"))


# The attributes of Keras's callbacks that are restored, beside weights; all are numbers.
CALLBACK_STATE = ("wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter")


class Checkpointing(keras.callbacks.Callback):
    """Saves a checkpoint at the end of epochs, and restores the newest when training begins.

    It must be the last of the callbacks: then it saves what they decided in the epoch, and its
    ``on_train_begin`` runs after they have reset themselves.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        others: list[keras.callbacks.Callback],
        train: Examples,
        use_case: UseCase,
    ):
        super().__init__()
        self.checkpoints = checkpoints
        self.others = others
        self.use_case = use_case
        self.rows = _summary_of_rows(train)
        self.found = checkpoints.newest()
        self.metrics: dict[str, list[float]] = self.found.values["metrics"] if self.found else {}

    def first_epoch(self, epochs: int) -> int:
        """The epoch (from 0) at which ``fit`` continues; ``epochs`` if training stopped early."""
        if self.found is None:
            return 0
        return epochs if self.found.values["stopped"] else self.found.values["epochs_done"]

    def on_train_begin(self, _logs: dict[str, float] | None = None) -> None:
        if self.found is None:
            return
        arrays = self.found.arrays
        self.model.optimizer.build(self.model.trainable_variables)
        self._refuse_another_training(self.found)
        _assign(self.model.variables, arrays, "weights")
        _assign(self.model.optimizer.variables, arrays, "optimizer")
        for number, callback in enumerate(self.others):
            for name, value in self.found.values["callbacks"][number].items():
                setattr(callback, name, value)
            best = [name for name in arrays if name.startswith(f"best_{number}_")]
            if best:
                callback.best_weights = [arrays[f"best_{number}_{i}"] for i in range(len(best))]

    def _refuse_another_training(self, found: TrainingState) -> None:
        now = self._state(0)
        _refuse_other_settings(found.values.get("settings", {}), now.values["settings"])
        same_parts = found.values.get("parts") == now.values["parts"]
        rows = found.arrays.get("rows", np.empty(0))
        same_rows = rows.shape == self.rows.shape and np.allclose(rows, self.rows, 1e-4, 1e-6)
        if not (same_parts and same_rows):
            raise UsageError(
                "this training was started by another release, declaration or table, and its "
                "checkpoints don't fit: start it anew (`finflows train` or `finflows search`)"
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in (logs or {}).items():
            self.metrics.setdefault(name, []).append(float(value))
        every_epochs = self.checkpoints.every_epochs
        last = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if every_epochs and (last or (epoch + 1) % every_epochs == 0):
            self.checkpoints.save(self._state(epoch + 1))

    def _state(self, epochs_done: int) -> TrainingState:
        arrays = {f"weights_{i}": v.numpy() for i, v in enumerate(self.model.variables)}
        optimizer = enumerate(self.model.optimizer.variables)
        arrays |= {f"optimizer_{i}": variable.numpy() for i, variable in optimizer}
        parts: list[Any] = [[name, list(array.shape)] for name, array in arrays.items()]
        parts += [type(part).__name__ for part in (self.model.optimizer, *self.others)]
        arrays["rows"] = self.rows
        states = []
        for number, callback in enumerate(self.others):
            found = {name: getattr(callback, name, None) for name in CALLBACK_STATE}
            states.append({name: float(v) for name, v in found.items() if v is not None})
            for i, array in enumerate(getattr(callback, "best_weights", None) or ()):
                arrays[f"best_{number}_{i}"] = array
        values = {
            "epochs_done": epochs_done,
            "stopped": bool(self.model.stop_training),
            "metrics": self.metrics,
            "callbacks": states,
            "parts": parts,
            "settings": _settings(self.use_case, self.model.optimizer),
        }
        return TrainingState(arrays, values)


def _settings(use_case: UseCase, optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """The settings by dotted name that decide what the training becomes. More epochs may be added
    where neither the steps nor a group lasso were to become smaller until the last of them."""
    parts = {"network": use_case.network, "training": use_case.training}
    declared = {
        f"{part}.{name}": value
        for part, settings in parts.items()
        for name, value in settings.model_dump(mode="json").items()
    }
    without = {"training.checkpoint_every_epochs", "training.devices"}
    has_lasso = isinstance(getattr(optimizer, "inner_optimizer", optimizer), GroupLassoAdamW)
    if use_case.training.schedule != "cosine" and not has_lasso:
        without.add("training.epochs")
    return {name: value for name, value in declared.items() if name not in without}


def _refuse_other_settings(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise UsageError with the first setting that has changed. One that a release does not have is
    none: its checkpoints say in other ways whether they fit."""
    for name in sorted(before.keys() & now.keys()):
        if before[name] != now[name]:
            raise UsageError(
                f"this training was started with {name}={before[name]}, and now it is "
                f"{now[name]}: set it back to go on, or start the training anew"
            )


def _summary_of_rows(train: Examples, rows: int = 10_000) -> np.ndarray:
    """(f + 1,): sums of the features and the target over the first ``rows``, by which features that
    were made otherwise are noticed. Each row has a weight of its own: plain means of scaled
    features are all 0. Another processor's last digits are none of the difference."""
    features, target = train.features[:rows], train.target[:rows]
    weights = np.cos(np.arange(len(features))) / len(features)
    return np.append(weights @ features, weights @ target)


def _assign(variables: list[keras.Variable], arrays: dict[str, np.ndarray], kind: str) -> None:
    for number, variable in enumerate(variables):
        variable.assign(arrays[f"{kind}_{number}"])
