"""Where trainings run: worker processes of this machine, or the workers of a Dask cluster
(``tasks.dask_cluster``) or of a Prefect work pool (``tasks.work_pool``).

Whoever trains asks a place for it, and waits for a slot, which is held for the training only.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from modelling.fitting import Fitted, Job
from modelling.history import OnEpoch
from modelling.refusals import UsageError
from tasks.training_workers import (
    TrainingWorker,
    WorkerDiedError,
    borrowed_worker,
    share_of_cores,
    stop_idle_workers,
)

if TYPE_CHECKING:
    from tasks.work_pool import WorkPool

# Without any worker: longer than a nanny takes to start a new one, or Prefect to call one offline.
PATIENCE_SECONDS = 120


class AbandonedError(BaseException):
    """Nobody waits for this training any more: no failure of its own, and none to try again."""


class PlaceLostError(UsageError):
    """No training can go on there, whatever its settings: the search stops, and can be resumed."""


class WorkersSeen:
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
            raise PlaceLostError(f"{self.place} has no worker left")


class Place(Protocol):
    """Where a training can run; ``slots`` is how many at a time."""

    slots: int

    def run(self, job: Job, on_epoch: Sequence[OnEpoch] = ()) -> Fitted:
        """Train, once a slot is free. Raises WorkerDiedError where its process was killed, and
        PlaceLostError where no other could take its place."""

    def abandon(self) -> None:
        """Stop all that trains: whoever waited for it has been interrupted."""


class LocalProcesses:
    """Warm worker processes of this machine, which share its cores and its GPUs evenly."""

    def __init__(self, workers: int = 1):
        self.slots = workers
        self.environments = [share_of_machine(number, workers) for number in range(workers)]
        self.free: SimpleQueue[dict[str, str]] = SimpleQueue()
        for environment in self.environments:
            self.free.put(environment)
        self.busy: set[TrainingWorker] = set()
        self.abandoned = False

    def run(self, job: Job, on_epoch: Sequence[OnEpoch] = ()) -> Fitted:
        environment = self.free.get()
        try:
            if self.abandoned:
                raise AbandonedError
            with borrowed_worker(environment) as worker:
                self.busy.add(worker)
                try:
                    return worker.run(job, on_epoch)
                except WorkerDiedError:
                    if self.abandoned:
                        raise AbandonedError from None
                    raise
                finally:
                    self.busy.discard(worker)
        finally:
            self.free.put(environment)

    def abandon(self) -> None:
        self.abandoned = True
        for worker in list(self.busy):
            worker.process.kill()

    def close(self) -> None:
        """End its workers, but the one that has the whole machine: it trains what comes next."""
        for environment in self.environments:
            if environment:
                stop_idle_workers(environment)


def tell_epochs(fitted: Fitted, on_epoch: Sequence[OnEpoch]) -> None:
    """What a training elsewhere could not tell while it ran."""
    for epoch in range(len(fitted.history.metrics["loss"])):
        for listener in on_epoch:
            listener(epoch, {k: v[epoch] for k, v in fitted.history.metrics.items()})


def share_of_machine(number: int, workers: int) -> dict[str, str]:
    """The environment in which worker ``number`` of ``workers`` has its share of cores and GPUs."""
    return {**share_of_cores(workers), **_share_of_gpus(number, workers)}


def _share_of_gpus(number: int, workers: int) -> dict[str, str]:
    """The GPUs that worker ``number`` of ``workers`` sees; without GPUs nothing is said of them."""
    gpus = visible_gpus()
    if not gpus or workers == 1:
        return {}
    mine = gpus[number::workers] or [gpus[number % len(gpus)]]
    return {"CUDA_VISIBLE_DEVICES": ",".join(mine)}


def visible_gpus() -> list[str]:
    """Those of ``CUDA_VISIBLE_DEVICES`` where it is set, else all that the driver lists."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [one for one in named.split(",") if one.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    return [str(n) for n, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU")]


@contextmanager
def training_place(
    workers: int, dask: str | None = None, pool: str | None = None, shared: Path | None = None
) -> Iterator[Place]:
    """``workers`` processes of this machine; or, with ``dask``, the cluster at that address
    (``local``: a cluster of ``workers`` processes for the time being); or the Prefect work pool
    ``pool``, ``workers`` trainings at a time, which finds the rows in the folder ``shared``."""
    if dask is not None:
        from tasks.dask_cluster import DaskCluster, dask_client

        with dask_client(workers, dask) as client:
            yield DaskCluster.of(client)
        return
    with closing(_processes(workers, pool, shared)) as place:
        yield place


def _processes(workers: int, pool: str | None, shared: Path | None) -> "LocalProcesses | WorkPool":
    if pool is None:
        return LocalProcesses(workers)
    from tasks.work_pool import WorkPool

    if shared is None:
        raise ValueError("a work pool needs a folder that it shares")
    return WorkPool.of(pool, workers, shared)
