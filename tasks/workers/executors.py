"""Run trainings in worker processes of this machine, on a Dask cluster
(``tasks.workers.dask_cluster``) or in a Prefect work pool (``tasks.workers.work_pool``).

A training waits for a free slot, and holds it while it trains, no longer.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from modelling.learning_curve.attempt import TrainedNetwork
from modelling.learning_curve.history import OnEpoch
from modelling.training.fitting import TrainingJob
from tasks.workers.executor import AbandonedError, Executor
from tasks.workers.training_workers import (
    TrainingWorker,
    WorkerDiedError,
    borrowed_worker,
    share_of_cores,
    stop_idle_workers,
)

if TYPE_CHECKING:
    from tasks.workers.work_pool import WorkPool


class LocalProcesses:
    """Worker processes of this machine, which stay warm and share its cores and GPUs evenly."""

    def __init__(self, workers: int = 1):
        self.slots = workers
        self.environments = [share_of_machine(number, workers) for number in range(workers)]
        self.free_environments: SimpleQueue[dict[str, str]] = SimpleQueue()
        for environment in self.environments:
            self.free_environments.put(environment)
        self.busy: set[TrainingWorker] = set()
        self.abandoned = False

    def run(self, job: TrainingJob, on_epoch: Sequence[OnEpoch] = ()) -> TrainedNetwork:
        environment = self.free_environments.get()
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
            self.free_environments.put(environment)

    def abandon(self) -> None:
        self.abandoned = True
        for worker in list(self.busy):
            worker.process.kill()

    def close(self) -> None:
        """End the workers, except one that uses the whole machine: the next training uses it."""
        for environment in self.environments:
            if environment:
                stop_idle_workers(environment)


def share_of_machine(number: int, workers: int) -> dict[str, str]:
    """The environment of worker ``number`` of ``workers``: its share of cores and GPUs."""
    return {**share_of_cores(workers), **_share_of_gpus(number, workers)}


def _share_of_gpus(number: int, workers: int) -> dict[str, str]:
    """The GPUs that worker ``number`` of ``workers`` may use; empty without GPUs."""
    gpus = visible_gpus()
    if not gpus or workers == 1:
        return {}
    assigned = gpus[number::workers] or [gpus[number % len(gpus)]]
    return {"CUDA_VISIBLE_DEVICES": ",".join(assigned)}


def visible_gpus() -> list[str]:
    """The GPUs in ``CUDA_VISIBLE_DEVICES`` where it is set, otherwise all that the driver lists."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [gpu for gpu in named.split(",") if gpu.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    return [str(n) for n, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU")]


@contextmanager
def open_executor(
    workers: int, dask: str | None = None, pool: str | None = None, shared: Path | None = None
) -> Iterator[Executor]:
    """``workers`` processes of this machine; or, with ``dask``, the cluster at that address
    (``local``: a temporary cluster of ``workers`` processes); or the Prefect work pool ``pool``,
    ``workers`` trainings at a time, whose workers read the rows from the folder ``shared``."""
    if dask is not None:
        from tasks.workers.dask_cluster import DaskCluster, dask_client

        with dask_client(workers, dask) as client:
            yield DaskCluster.of(client)
        return
    with closing(_processes(workers, pool, shared)) as executor:
        yield executor


def _processes(workers: int, pool: str | None, shared: Path | None) -> "LocalProcesses | WorkPool":
    if pool is None:
        return LocalProcesses(workers)
    from tasks.workers.work_pool import WorkPool

    if shared is None:
        raise ValueError("a work pool needs a shared folder")
    return WorkPool.of(pool, workers, shared)
