"""What all compared programs share: the job, the timing, and the JSON line at the end."""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

HIDDEN_UNITS = (32, 16)
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Job:
    """The rows to train and validate on: features (n, f) float32, targets (n,) int64."""

    x: np.ndarray
    y: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    batch_size: int
    epochs: int
    shuffle: bool

    def order(self, epoch: int) -> np.ndarray:
        """The order of the training rows in ``epoch``."""
        rows = np.arange(len(self.y))
        return np.random.default_rng([0, epoch]).permutation(rows) if self.shuffle else rows


# Trains the job, calls its second argument after each epoch, when loss and val_loss of the epoch
# must be known as in Keras's history, and returns the last val_loss.
Train = Callable[[Job, Callable[[], None]], float]


def main(train: Train) -> None:
    """Run ``train`` on the job of the command line and print the times.

    The timing starts after the imports and before the network is built, so that the first epoch
    includes what is done once: build, trace, compile, copy to the device.
    """
    job = _job()
    marks = [time.perf_counter()]
    val_loss = train(job, lambda: marks.append(time.perf_counter()))
    seconds = np.diff(marks).tolist()
    print(json.dumps({"rows": len(job.y), "seconds": seconds, "val_loss": float(val_loss)}))


def _job() -> Job:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True, help="arrays x, y, x_validation, y_validation")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--in-order", action="store_true", help="do not shuffle the rows")
    arguments = parser.parse_args()
    arrays = dict(np.load(arguments.data))
    return Job(
        **arrays,
        batch_size=arguments.batch_size,
        epochs=arguments.epochs,
        shuffle=not arguments.in_order,
    )
