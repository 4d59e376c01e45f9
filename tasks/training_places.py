"""Where trainings run: worker processes of this machine, or the workers of a Dask cluster.

Whoever trains asks a place for it, and waits for a slot, which is held for the training only.
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any, Protocol
from urllib.parse import urlparse

from modelling.fitting import Fitted, Job
from modelling.history import OnEpoch
from modelling.preprocessing import Examples
from modelling.refusals import UsageError
from tasks.training_workers import (
    TrainingWorker,
    WorkerDiedError,
    borrowed_worker,
    share_of_cores,
    stop_idle_workers,
)

PATIENCE_SECONDS = 60  # twice that is long enough for a nanny to start a new worker
GPU = "GPU"  # the worker resource that a Dask worker with a GPU declares: --resources GPU=1


class AbandonedError(RuntimeError):
    """Nobody waits for this training any more."""


class Place(Protocol):
    """Where a training can run; ``slots`` is how many at a time."""

    slots: int

    def run(self, job: Job, on_epoch: Sequence[OnEpoch] = ()) -> Fitted:
        """Train, once a slot is free. Raises WorkerDiedError where its process was killed."""

    def abandon(self) -> None:
        """Stop all that trains: whoever waited for it has been interrupted."""


class LocalProcesses:
    """Warm worker processes of this machine, which share its cores and its GPUs evenly."""

    def __init__(self, workers: int = 1):
        self.slots = workers
        self.environments = [
            {**share_of_cores(workers), **share_of_gpus(number, workers)}
            for number in range(workers)
        ]
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


def share_of_gpus(number: int, workers: int) -> dict[str, str]:
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


@dataclass
class DaskCluster:
    """The workers of a Dask cluster: each training asks for one GPU where workers declare them.

    The rows travel once, as a task of their own, which the scheduler repeats where they were lost
    with a worker.
    """

    client: Any
    resources: dict[str, int]
    neighbours: int
    slots: int
    rows: Any = None
    abandoned: bool = False

    @classmethod
    def of(cls, client: Any) -> "DaskCluster":
        """Raises UsageError for a cluster without workers: Dask itself would wait in silence."""
        workers = list(client.scheduler_info(n_workers=-1)["workers"].values())
        if not workers:
            raise UsageError(
                f"the Dask cluster {client.scheduler.address} has no worker: start one with "
                f"'dask worker {client.scheduler.address} --nthreads 1'"
            )
        gpus = sum(int(worker["resources"].get(GPU, 0)) for worker in workers)
        slots = gpus or sum(int(worker["nthreads"]) for worker in workers)
        neighbours = max(Counter(worker["host"] for worker in workers).values())
        return cls(client, {GPU: 1} if gpus else {}, neighbours, slots)

    def run(self, job: Job, on_epoch: Sequence[OnEpoch] = ()) -> Fitted:
        from distributed import CancelledError, KilledWorker
        from distributed.client import FutureCancelledError

        if self.abandoned:
            raise AbandonedError
        rows = self._rows_of(job)
        without = Examples(job.train.features[:0], job.train.target[:0])
        travelling = replace(job, train=without, validation=without)
        future = self.client.submit(
            train_there,
            travelling,
            rows,
            self.neighbours,
            pure=False,
            resources=self.resources,
        )
        try:
            fitted = self._wait_for(future)
        except (KilledWorker, CancelledError, FutureCancelledError) as error:
            self.rows = None
            raise WorkerDiedError(f"a Dask worker died: {type(error).__name__}") from None
        for epoch in range(len(fitted.history.metrics["loss"])):
            for listener in on_epoch:
                listener(epoch, {k: v[epoch] for k, v in fitted.history.metrics.items()})
        return fitted

    def abandon(self) -> None:
        self.abandoned = True
        self.client.cancel(list(self.client.futures), force=True)

    def _wait_for(self, future: Any) -> Fitted:
        """Its result. Raises RuntimeError where no worker is left, for which Dask would wait."""
        alone = 0
        while True:
            try:
                return future.result(timeout=PATIENCE_SECONDS)
            except TimeoutError:
                if future.done():  # it is the training's own
                    raise
                alone = 0 if self.client.scheduler_info(n_workers=-1)["workers"] else alone + 1
                if alone == 2:
                    raise RuntimeError("the Dask cluster has no worker left") from None

    def _rows_of(self, job: Job) -> Any:
        if self.rows is None:
            self.rows = self.client.submit(tuple, [job.train, job.validation], pure=False)
        return self.rows


def train_there(job: Job, rows: tuple[Examples, Examples], neighbours: int) -> Fitted:
    """On a Dask worker: train in a process beside it, which sees the GPUs that it sees.

    Checkpoints are found again where the workers share a folder with the flow, as on one machine.
    """
    train, validation = rows
    with borrowed_worker(share_of_cores(neighbours)) as worker:
        return worker.run(replace(job, train=train, validation=validation), [])


@contextmanager
def training_place(workers: int, dask: str | None = None) -> Iterator[Place]:
    """``workers`` processes of this machine, or, with ``dask``, the cluster at that address
    (``local``: a cluster of ``workers`` processes for the time being)."""
    if dask is None:
        here = LocalProcesses(workers)
        try:
            yield here
        finally:
            here.close()
        return
    with _dask_client(workers, dask) as client:
        yield DaskCluster.of(client)


@contextmanager
def _dask_client(workers: int, address: str) -> Iterator[Any]:
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise UsageError("--dask needs Dask: install finance-flows[dask]") from None
    if address == "local":
        local = {"n_workers": workers, "threads_per_worker": 1, "host": "127.0.0.1"}
        with (
            LocalCluster(**local, dashboard_address=None, memory_limit=None) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    if urlparse(address).scheme not in ("tcp", "tls", "ws", "wss", "ucx"):
        raise UsageError(f"--dask {address}: write 'local' or an address as tcp://HOST:8786")
    try:
        client = Client(address, timeout=5)
    except (OSError, ValueError):
        raise UsageError(f"--dask {address}: no Dask scheduler answers there") from None
    with client:
        yield client
