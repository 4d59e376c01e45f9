"""The interface of everything that runs trainings, and the check that it still has workers."""

import time
from collections.abc import Sequence
from typing import Protocol

from modelling.learning_curve.attempt import TrainedNetwork
from modelling.learning_curve.history import OnEpoch
from modelling.refusals import UsageError
from modelling.training.fitting import TrainingJob

# Longer than a Dask nanny needs to start a worker, or Prefect to report one as offline.
NO_WORKER_SECONDS = 120


class AbandonedError(BaseException):
    """The training was stopped since nobody waits for it: not a failure, and not to be retried."""


class ExecutorLostError(UsageError):
    """No training can run, whatever its settings: the search stops, and can be resumed."""


class WorkerWatch:
    """Remembers when ``name`` (a cluster or pool) last had a worker."""

    def __init__(self, name: str):
        self.name = name
        self.last_seen = time.monotonic()

    def check(self, has_workers: bool) -> None:
        """Raises ExecutorLostError where there has been no worker for two minutes."""
        now = time.monotonic()
        if has_workers:
            self.last_seen = now
        elif now - self.last_seen > NO_WORKER_SECONDS:
            raise ExecutorLostError(f"{self.name} has no worker left")


class Executor(Protocol):
    """Runs trainings, ``slots`` at a time."""

    slots: int

    def run(self, job: TrainingJob, on_epoch: Sequence[OnEpoch] = ()) -> TrainedNetwork:
        """Train, as soon as a slot is free. Raises WorkerDiedError where the process was killed,
        and ExecutorLostError where no worker is left."""

    def abandon(self) -> None:
        """Stop all trainings, because the search was interrupted."""


def hash_of_rows(job: TrainingJob) -> str:
    """What tells the rows of one fold from those of another, also after the search was killed."""
    return f"{job.train.content_hash}-{job.validation.content_hash}"


def report_epochs(network: TrainedNetwork, on_epoch: Sequence[OnEpoch]) -> None:
    """Call ``on_epoch`` for each epoch of a training that could not do so while it ran."""
    for epoch in range(len(network.history.metrics["loss"])):
        for listener in on_epoch:
            listener(epoch, {k: v[epoch] for k, v in network.history.metrics.items()})
