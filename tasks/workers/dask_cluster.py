"""Train on the workers of a Dask cluster."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlparse

from modelling.features.preprocessing import Examples
from modelling.learning_curve.attempt import TrainedNetwork
from modelling.learning_curve.history import OnEpoch
from modelling.refusals import UsageError
from modelling.training.fitting import TrainingJob
from tasks.workers.executor import AbandonedError, WorkerWatch, report_epochs
from tasks.workers.training_workers import WorkerDiedError, borrowed_worker, share_of_cores

log = logging.getLogger("finflows")
LOOK_SECONDS = 5  # how often a waiting trial looks whether its cluster still has workers
GPU = "GPU"  # the worker resource that a Dask worker with a GPU declares: --resources GPU=1
CERTIFICATES = "DASK_DISTRIBUTED__COMM__TLS__"
LOCAL = {
    # A nanny restarts a worker that died. The cluster would end the nanny where that worker is away
    # a while (15 s) after any of its deaths, as one is that was killed twice.
    "distributed.deploy.lost-worker-timeout": "1000 days",
    # Each of its processes listens for browsers too, without any key: there is nothing to see.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


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
        neighbours: Counter[str] = Counter()
        for worker in workers:
            neighbours[worker["host"]] += int(
                worker["resources"].get(GPU, 0) if gpus else worker["nthreads"]
            )
        return cls(client, {GPU: 1} if gpus else {}, max(neighbours.values()), slots)

    def run(self, job: TrainingJob, on_epoch: Sequence[OnEpoch] = ()) -> TrainedNetwork:
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
        report_epochs(fitted, on_epoch)
        return fitted

    def abandon(self) -> None:
        self.abandoned = True
        self.client.cancel(list(self.client.futures), force=True)

    def _wait_for(self, future: Any) -> TrainedNetwork:
        """Its result. Raises PlaceLostError where no worker is left: Dask would wait for one."""
        seen = WorkerWatch("the Dask cluster")
        while True:
            try:
                return future.result(timeout=LOOK_SECONDS)
            except TimeoutError:
                if future.done():  # it is the training's own
                    raise
                seen.look(bool(self.client.scheduler_info(n_workers=-1)["workers"]))

    def _rows_of(self, job: TrainingJob) -> Any:
        if self.rows is None:
            self.rows = self.client.submit(tuple, [job.train, job.validation], pure=False)
        return self.rows


def train_there(
    job: TrainingJob, rows: tuple[Examples, Examples], neighbours: int
) -> TrainedNetwork:
    """On a Dask worker: train in a process beside it, which sees the GPUs that it sees.

    Checkpoints are found again where the workers share a folder with the flow, as on one machine.
    """
    train, validation = rows
    with borrowed_worker(share_of_cores(neighbours)) as worker:
        return worker.run(replace(job, train=train, validation=validation), [])


@contextmanager
def dask_client(workers: int, address: str) -> Iterator[Any]:
    """Of the cluster at ``address``; ``local`` is one of ``workers`` processes for the time being.

    Raises UsageError where Dask is not installed, no scheduler answers there, or ``tls://`` has no
    certificates.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
        from distributed.security import Security
    except ImportError:
        raise UsageError("--dask needs Dask: install finance-flows[dask]") from None
    if address == "local":
        local = {"n_workers": workers, "threads_per_worker": 1, "host": "127.0.0.1"}
        # Whoever reaches a scheduler can run code in its workers: here only who has the key, which
        # never leaves our processes.
        local |= {"security": Security.temporary(), "dashboard_address": None}
        with (
            dask.config.set(LOCAL),
            LocalCluster(**local, memory_limit=None) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    _refuse_address(address)
    try:
        client = Client(address, timeout=5)
    except (OSError, ValueError):
        raise UsageError(f"--dask {address}: no Dask scheduler answers there") from None
    with client:
        yield client


def _refuse_address(address: str) -> None:
    """Raises UsageError for one of a kind that Dask does not know, or without its certificates; of
    one that anybody can use, says so."""
    from distributed.security import Security

    scheme = urlparse(address).scheme
    if scheme not in ("tcp", "tls", "ws", "wss", "ucx"):
        raise UsageError(f"--dask {address}: write 'local' or an address as tls://HOST:8786")
    if scheme not in ("tls", "wss"):
        log.warning("%-11s %s is open to anybody on its network: use tls://", "dask", address)
        return
    try:
        known = Security().get_connection_args("client")["ssl_context"]
    except OSError as error:
        raise UsageError(
            f"--dask {address}: its certificates can't be read: {error.strerror or error}"
        ) from None
    if known is None:
        raise UsageError(
            f"--dask {address}: which certificates? export {CERTIFICATES}CA_FILE, "
            f"{CERTIFICATES}CLIENT__CERT and {CERTIFICATES}CLIENT__KEY (docs/team_setup.md)"
        )
