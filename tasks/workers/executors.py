"""Where trainings run: worker processes of this machine, or the workers of a Dask cluster
(``tasks.workers.dask_cluster``) or of a Prefect work pool (``tasks.workers.work_pool``).

Whoever trains asks a place for it, and waits for a slot, which is held for the training only.
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
    """Warm worker processes of this machine, which share its cores and its GPUs evenly."""

    def __init__(self, workers: int = 1):
        self.slots = workers
        self.environments = [share_of_machine(number, workers) for number in range(workers)]
        self.free: SimpleQueue[dict[str, str]] = SimpleQueue()
        for environment in self.environments:
            self.free.put(environment)
        self.busy: set[TrainingWorker] = set()
        self.abandoned = False

    def run(self, job: TrainingJob, on_epoch: Sequence[OnEpoch] = ()) -> TrainedNetwork:
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
def open_executor(
    workers: int, dask: str | None = None, pool: str | None = None, shared: Path | None = None
) -> Iterator[Executor]:
    """``workers`` processes of this machine; or, with ``dask``, the cluster at that address
    (``local``: a cluster of ``workers`` processes for the time being); or the Prefect work pool
    ``pool``, ``workers`` trainings at a time, which finds the rows in the folder ``shared``."""
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
        raise ValueError("a work pool needs a folder that it shares")
    return WorkPool.of(pool, workers, shared)
