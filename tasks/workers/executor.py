"""What every place where trainings run has in common, and how one without workers is noticed."""

import time
from collections.abc import Sequence
from typing import Protocol

from modelling.learning_curve.attempt import TrainedNetwork
from modelling.learning_curve.history import OnEpoch
from modelling.refusals import UsageError
from modelling.training.fitting import TrainingJob

# Without any worker: longer than a nanny takes to start a new one, or Prefect to call one offline.
PATIENCE_SECONDS = 120


class AbandonedError(BaseException):
    """Nobody waits for this training any more: no failure of its own, and none to try again."""


class ExecutorLostError(UsageError):
    """No training can go on there, whatever its settings: the search stops, and can be resumed."""


class WorkerWatch:
    """When ``place`` last had a worker, for whoever waits there."""

    def __init__(self, place: str):
        self.place = place
        self.last = time.monotonic()

    def look(self, has_workers: bool) -> None:
        """Raises PlaceLostError where it has had none for two minutes on end."""
        now = time.monotonic()
        if has_workers:
            self.last = now
        elif now - self.last > PATIENCE_SECONDS:
            raise ExecutorLostError(f"{self.place} has no worker left")


class Executor(Protocol):
    """Where a training can run; ``slots`` is how many at a time."""

    slots: int

    def run(self, job: TrainingJob, on_epoch: Sequence[OnEpoch] = ()) -> TrainedNetwork:
        """Train, once a slot is free. Raises WorkerDiedError where its process was killed, and
        PlaceLostError where no other could take its place."""

    def abandon(self) -> None:
        """Stop all that trains: whoever waited for it has been interrupted."""


def report_epochs(fitted: TrainedNetwork, on_epoch: Sequence[OnEpoch]) -> None:
    """What a training elsewhere could not tell while it ran."""
    for epoch in range(len(fitted.history.metrics["loss"])):
        for listener in on_epoch:
            listener(epoch, {k: v[epoch] for k, v in fitted.history.metrics.items()})
