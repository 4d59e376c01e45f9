"""Train on the workers of a Dask cluster."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlparse

from modelling.features.preprocessing import Examples
from modelling.learning_curve.attempt import TrainedNetwork
from modelling.learning_curve.history import OnEpoch
from modelling.refusals import UsageError
from modelling.training.fitting import TrainingJob
from tasks.workers.executor import AbandonedError, WorkerWatch, hash_of_rows, report_epochs
from tasks.workers.training_workers import WorkerDiedError, borrowed_worker, share_of_cores

log = logging.getLogger("finflows")
POLL_SECONDS = 5  # how often a waiting trial checks whether its cluster still has workers
GPU = "GPU"  # the worker resource that a Dask worker with a GPU declares: --resources GPU=1
TLS_SETTINGS = "DASK_DISTRIBUTED__COMM__TLS__"
LOCAL_CLUSTER_SETTINGS = {
    # A nanny restarts a worker that died. Dask would end the nanny if the worker stays away for
    # 15 s after that, as one that was killed twice does.
    "distributed.deploy.lost-worker-timeout": "1000 days",
    # Each process would also serve pages, without authentication: nobody needs them.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


@dataclass
class DaskCluster:
    """The workers of a Dask cluster: each training requests one GPU where workers declare them.

    The rows of each fold are sent once, as a task of their own, which the scheduler repeats if they
    are lost with a worker. ``workers_on_host`` trainings at most share the cores of a host.
    """

    client: Any
    resources: dict[str, int]
    workers_on_host: int
    slots: int
    rows: dict[str, Any] = field(default_factory=dict)
    abandoned: bool = False

    @classmethod
    def of(cls, client: Any) -> "DaskCluster":
        """The cluster of ``client``. Raises UsageError where it has no workers: Dask would wait
        silently."""
        workers = list(client.scheduler_info(n_workers=-1)["workers"].values())
        if not workers:
            raise UsageError(
                f"the Dask cluster {client.scheduler.address} has no worker: start one with "
                f"'dask worker {client.scheduler.address} --nthreads 1'"
            )
        gpus = sum(int(worker["resources"].get(GPU, 0)) for worker in workers)
        slots = gpus or sum(int(worker["nthreads"]) for worker in workers)
        workers_on_host: Counter[str] = Counter()
        for worker in workers:
            workers_on_host[worker["host"]] += int(
                worker["resources"].get(GPU, 0) if gpus else worker["nthreads"]
            )
        return cls(client, {GPU: 1} if gpus else {}, max(workers_on_host.values()), slots)

    def run(self, job: TrainingJob, on_epoch: Sequence[OnEpoch] = ()) -> TrainedNetwork:
        from distributed import CancelledError, KilledWorker
        from distributed.client import FutureCancelledError

        if self.abandoned:
            raise AbandonedError
        rows = self._submitted_rows(job)
        no_rows = Examples(job.train.features[:0], job.train.target[:0])
        job_without_rows = replace(job, train=no_rows, validation=no_rows)
        future = self.client.submit(
            train_on_dask_worker,
            job_without_rows,
            rows,
            self.workers_on_host,
            pure=False,
            resources=self.resources,
        )
        try:
            network = self._wait_for(future)
        except (KilledWorker, CancelledError, FutureCancelledError) as error:
            self.rows.clear()
            raise WorkerDiedError(f"a Dask worker died: {type(error).__name__}") from None
        report_epochs(network, on_epoch)
        return network

    def abandon(self) -> None:
        self.abandoned = True
        self.client.cancel(list(self.client.futures), force=True)

    def _wait_for(self, future: Any) -> TrainedNetwork:
        """The result. Raises ExecutorLostError where no worker is left: Dask would wait."""
        watch = WorkerWatch("the Dask cluster")
        while True:
            try:
                return future.result(timeout=POLL_SECONDS)
            except TimeoutError:
                if future.done():  # the training itself raised it
                    raise
                watch.check(bool(self.client.scheduler_info(n_workers=-1)["workers"]))

    def _submitted_rows(self, job: TrainingJob) -> Any:
        key = hash_of_rows(job)
        if key not in self.rows:
            self.rows[key] = self.client.submit(tuple, [job.train, job.validation], pure=False)
        return self.rows[key]


def train_on_dask_worker(
    job: TrainingJob, rows: tuple[Examples, Examples], workers_on_host: int
) -> TrainedNetwork:
    """On a Dask worker: train in a process of its own, with the same visible GPUs.

    Checkpoints are found again where workers and flow share a folder, as on one machine.
    """
    train, validation = rows
    with borrowed_worker(share_of_cores(workers_on_host)) as worker:
        return worker.run(replace(job, train=train, validation=validation), [])


@contextmanager
def dask_client(workers: int, address: str) -> Iterator[Any]:
    """A client of the cluster at ``address``; ``local`` starts one of ``workers`` processes for the
    duration of the block.

    Raises UsageError where Dask is not installed, no scheduler answers, or certificates for
    ``tls://`` are missing.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
        from distributed.security import Security
    except ImportError:
        raise UsageError("--dask needs Dask: install finance-flows[dask]") from None
    if address == "local":
        local = {"n_workers": workers, "threads_per_worker": 1, "host": "127.0.0.1"}
        # Whoever can connect to a scheduler can run code in its workers: here that needs a key,
        # which only our processes have.
        local |= {"security": Security.temporary(), "dashboard_address": None}
        with (
            dask.config.set(LOCAL_CLUSTER_SETTINGS),
            LocalCluster(**local, memory_limit=None) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    _refuse_unusable_address(address)
    try:
        client = Client(address, timeout=5)
    except (OSError, ValueError):
        raise UsageError(f"--dask {address}: no Dask scheduler answers at this address") from None
    with client:
        yield client


def _refuse_unusable_address(address: str) -> None:
    """Raises UsageError for an address of an unknown kind, or where its certificates are missing;
    warns of one without encryption."""
    from distributed.security import Security

    scheme = urlparse(address).scheme
    if scheme not in ("tcp", "tls", "ws", "wss", "ucx"):
        raise UsageError(f"--dask {address}: write 'local' or an address as tls://HOST:8786")
    if scheme not in ("tls", "wss"):
        log.warning("%-11s %s is open to anybody on its network: use tls://", "dask", address)
        return
    try:
        ssl_context = Security().get_connection_args("client")["ssl_context"]
    except OSError as error:
        raise UsageError(
            f"--dask {address}: its certificates can't be read: {error.strerror or error}"
        ) from None
    if ssl_context is None:
        raise UsageError(
            f"--dask {address}: which certificates? export {TLS_SETTINGS}CA_FILE, "
            f"{TLS_SETTINGS}CLIENT__CERT and {TLS_SETTINGS}CLIENT__KEY (docs/team_setup.md)"
        )
