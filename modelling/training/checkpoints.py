"""Checkpoints: all that a training needs to go on as if it had not been killed.

A checkpoint holds weights, optimizer and schedule, the state of early stopping with its best
weights, and the metrics so far. Shuffling and dropout need no state: they are keyed by seed and
epoch. Files are written aside and renamed, carry a digest, and the one before is kept, so that a
cut-off file is noticed and the previous one is used. They are their owner's alone.
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


@dataclass
class Progress:
    """How far a training came: arrays by name, and plain values (epochs done, metrics, ...)."""

    arrays: dict[str, np.ndarray]
    values: dict[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one training in a folder of its own; every ``every`` epochs."""

    folder: Path
    every: int = 1
    kept: int = field(default=2, init=False)

    @classmethod
    def off(cls) -> "Checkpoints":
        """None are written, none are found."""
        return cls(Path(os.devnull), every=0)

    def save(self, progress: Progress) -> None:
        """Write one atomically, then drop all but the newest two."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        buffer = io.BytesIO()
        values = np.frombuffer(json.dumps(progress.values).encode(), dtype=np.uint8)
        arrays: dict[str, Any] = {**progress.arrays, "values": values}
        np.savez(buffer, **arrays)
        content = buffer.getvalue()
        path = self.folder / f"epoch-{progress.values['epochs_done']:06d}.ckpt"
        aside = path.with_suffix(f".partial-{os.getpid()}")  # a killed worker's child may linger
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
        os.replace(aside, path)
        for old in self._paths()[: -self.kept]:
            old.unlink(missing_ok=True)

    def newest(self) -> Progress | None:
        """The newest whole checkpoint, or None where there is none."""
        for path in reversed(self._paths()):
            content = path.read_bytes()
            if hashlib.sha256(content[32:]).digest() != content[:32]:
                continue  # cut off by a full disk or a lost machine: the one before serves
            with np.load(io.BytesIO(content[32:])) as stored:
                arrays = {name: stored[name] for name in stored.files if name != "values"}
                return Progress(arrays, json.loads(stored["values"].tobytes()))
        return None

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("epoch-*.ckpt"))


# What the callbacks know beyond weights; all of it is numbers.
CALLBACK_STATE = ("wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter")


class Checkpointing(keras.callbacks.Callback):
    """Saves at the end of epochs, and restores where a checkpoint is found.

    It must stand last among the callbacks: then it sees what they decided in the epoch, and its
    ``on_train_begin`` comes after they have reset themselves.
    """

    def __init__(self, checkpoints: Checkpoints, others: list[keras.callbacks.Callback]):
        super().__init__()
        self.checkpoints = checkpoints
        self.others = others
        self.found = checkpoints.newest()
        self.metrics: dict[str, list[float]] = self.found.values["metrics"] if self.found else {}

    def first_epoch(self, epochs: int) -> int:
        """Where ``fit`` goes on; past the end if training had stopped by itself."""
        if self.found is None:
            return 0
        return epochs if self.found.values["stopped"] else self.found.values["epochs_done"]

    def on_train_begin(self, _logs: dict[str, float] | None = None) -> None:
        if self.found is None:
            return
        arrays = self.found.arrays
        _assign(self.model.variables, arrays, "weights")
        self.model.optimizer.build(self.model.trainable_variables)
        _assign(self.model.optimizer.variables, arrays, "optimizer")
        for number, callback in enumerate(self.others):
            for name, value in self.found.values["callbacks"][number].items():
                setattr(callback, name, value)
            best = [name for name in arrays if name.startswith(f"best_{number}_")]
            if best:
                callback.best_weights = [arrays[f"best_{number}_{i}"] for i in range(len(best))]

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in (logs or {}).items():
            self.metrics.setdefault(name, []).append(float(value))
        every = self.checkpoints.every
        last = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if every and (last or (epoch + 1) % every == 0):
            self.checkpoints.save(self._progress(epoch + 1))

    def _progress(self, epochs_done: int) -> Progress:
        arrays = {f"weights_{i}": v.numpy() for i, v in enumerate(self.model.variables)}
        optimizer = enumerate(self.model.optimizer.variables)
        arrays |= {f"optimizer_{i}": variable.numpy() for i, variable in optimizer}
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
        }
        return Progress(arrays, values)


def _assign(variables: list[keras.Variable], arrays: dict[str, np.ndarray], kind: str) -> None:
    for number, variable in enumerate(variables):
        variable.assign(arrays[f"{kind}_{number}"])
