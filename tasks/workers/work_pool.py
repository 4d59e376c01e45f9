"""Train on the workers of a Prefect work pool: each training is a flow run of its own there.

Flow and workers exchange files in folders that both can read, on one machine or a shared disk: the
rows once, and for each training its job, its checkpoints and its result.
"""

import hashlib
import math
import os
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from stat import S_ISREG
from threading import Lock, Semaphore
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, WorkerStatus
from prefect.deployments import run_deployment
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.runner.storage import LocalStorage
from prefect.states import Cancelling

from modelling.checkout import CODE
from modelling.declaration import names
from modelling.features.preprocessing import Examples
from modelling.learning_curve.attempt import TrainedNetwork
from modelling.learning_curve.history import OnEpoch
from modelling.refusals import UsageError
from modelling.training.fitting import TrainingJob
from tasks.workers.executor import (
    AbandonedError,
    ExecutorLostError,
    WorkerWatch,
    hash_of_rows,
    report_epochs,
)
from tasks.workers.heartbeats import watch_heartbeats
from tasks.workers.temporary_server import configured_server
from tasks.workers.training_workers import WorkerDiedError, borrowed_worker, share_of_cores

ENTRYPOINT = "flows/train_job.py:train_job"
ROWS, JOB, RESULT, FLOW_RUN = "rows-{}.pickle", "job.pickle", "fitted.pickle", "flow_run.txt"
MAXIMUM_DEATHS = 3  # of the training process, before its flow run fails


@dataclass
class WorkPool:
    """The workers of a pool, ``slots`` trainings at a time; the rows of each fold are
    written to ``folder`` once."""

    name: str
    slots: int
    folder: Path
    deployment: UUID
    cores_shared_by: int
    free_slots: Semaphore
    rows_lock: Lock = field(default_factory=Lock)
    running: set[UUID] = field(default_factory=set)
    abandoned: bool = False

    @classmethod
    def of(cls, name: str, slots: int, folder: Path) -> "WorkPool":
        """The pool called ``name``. Raises UsageError where it does not exist or has no worker:
        Prefect would wait."""
        if not configured_server():
            raise UsageError(f"--pool {name} needs a Prefect server: export PREFECT_API_URL=...")
        workers = _workers_online(name)
        if not workers:
            start = f"prefect worker start --pool {name}"
            raise UsageError(f"--pool {name}: no worker is online: start one with '{start}'")
        watch_heartbeats()  # or a flow run whose machine failed stays RUNNING for ever
        checkout = LocalStorage(str(CODE))  # in place: Prefect would copy it for each run
        # A deployment per checkout, so that trials do not run the code of another checkout.
        deployment_name = f"{name}-{hashlib.sha256(str(CODE).encode()).hexdigest()[:8]}"
        deployment: Any = RunnerDeployment.from_storage(checkout, ENTRYPOINT, deployment_name)
        deployed = deployment.apply(work_pool_name=name)
        shared_by = math.ceil(slots / workers)
        return cls(name, slots, folder, deployed, shared_by, Semaphore(slots))

    def run(self, job: TrainingJob, on_epoch: Sequence[OnEpoch] = ()) -> TrainedNetwork:
        folder = job.checkpoint_folder
        rows = self.folder / ROWS.format(hash_of_rows(job))
        with self.rows_lock:
            if not rows.exists():
                _write(rows, (job.train, job.validation))
        no_rows = Examples(job.train.features[:0], job.train.target[:0])
        _write(folder / JOB, (replace(job, train=no_rows, validation=no_rows), rows))
        with self.free_slots:
            if self.abandoned:
                raise AbandonedError
            self._train(folder)
        result: TrainedNetwork | Exception = pickle.loads((folder / RESULT).read_bytes())
        if isinstance(result, Exception):
            raise result
        report_epochs(result, on_epoch)
        return result

    def abandon(self) -> None:
        self.abandoned = True
        with get_client(sync_client=True) as client:
            for flow_run in list(self.running):
                state: State = Cancelling(message="the search was interrupted")
                client.set_flow_run_state(flow_run, state)

    def close(self) -> None:
        """Delete the rows."""
        for rows in self.folder.glob(ROWS.format("*")):
            rows.unlink(missing_ok=True)

    def _train(self, folder: Path) -> None:
        flow_run = self._unfinished_flow_run(folder) or self._start(folder)
        self.running.add(flow_run)
        state = self._wait_for(flow_run)  # if it raises, abandon() cancels the flow run
        self.running.discard(flow_run)
        if state.is_crashed():
            raise WorkerDiedError(f"flow run {flow_run} of pool {self.name}: {state.message}")
        if not (folder / RESULT).exists():
            raise ExecutorLostError(f"flow run {flow_run} of pool {self.name}: {state.message}")

    def _unfinished_flow_run(self, folder: Path) -> UUID | None:
        """The flow run of this training that still runs, after the search was killed."""
        if not (folder / FLOW_RUN).exists():
            return None
        with get_client(sync_client=True) as client:
            known = client.read_flow_run(UUID((folder / FLOW_RUN).read_text()))
        return None if known.state is None or known.state.is_final() else known.id

    def _start(self, folder: Path) -> UUID:
        (folder / RESULT).unlink(missing_ok=True)
        parameters = {"folder": str(folder), "cores_shared_by": self.cores_shared_by}
        # Not as a subflow of the search in Prefect: MLflow shows the trial below the search.
        run: Any = run_deployment(
            self.deployment, parameters=parameters, timeout=0, as_subflow=False
        )
        (folder / FLOW_RUN).write_text(str(run.id))
        return run.id

    def _wait_for(self, flow_run: UUID) -> State:
        """The final state. Raises ExecutorLostError where no worker is left to start the run."""
        watch = WorkerWatch(f"work pool {self.name}")
        with get_client(sync_client=True) as client:
            while True:
                state = client.read_flow_run(flow_run).state
                assert state is not None
                if state.is_final():
                    return state
                watch.check(state.is_running() or _workers_online(self.name) > 0)
                time.sleep(0.5)


def train_job_in(folder: Path, cores_shared_by: int) -> None:
    """On a worker: train the job in ``folder``, from its checkpoints if there are any.

    Raises UsageError where the worker can't read the folder, WorkerDiedError where the training
    process dies repeatedly, and what the training raised, which is also stored as its result.
    """
    _refuse_untrusted_folder(folder)
    job, rows = pickle.loads((folder / JOB).read_bytes())
    train, validation = pickle.loads(rows.read_bytes())
    job_with_rows = replace(job, train=train, validation=validation)
    for death in range(MAXIMUM_DEATHS):
        try:
            with borrowed_worker(share_of_cores(cores_shared_by)) as worker:
                _write(folder / RESULT, worker.run(job_with_rows, []))
            return
        except WorkerDiedError:
            if death == MAXIMUM_DEATHS - 1:
                raise
        except Exception as error:
            _write(folder / RESULT, error)
            raise


def _refuse_untrusted_folder(folder: Path) -> None:
    """Raise UsageError unless a search of this user wrote the job in ``folder``.

    The folder is a parameter of a flow run, and a job is a pickle: whoever may start flow runs must
    not be able to run code that somebody else has written to a file.
    """
    if folder.parent.name != "checkpoints" or ".." in folder.parts:
        raise UsageError(f"{folder} is not the checkpoint folder of a run")
    names.check_run_id(folder.name)
    try:
        job = os.lstat(folder / JOB)
    except OSError:
        raise UsageError(
            f"{folder} does not exist here: search and workers must share the folder mlruns/"
        ) from None
    if not S_ISREG(job.st_mode) or job.st_uid != os.getuid() or job.st_mode & 0o022:
        raise UsageError(f"{folder}: search and workers must run as the same user")


def _workers_online(pool: str) -> int:
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(pool)
        except ObjectNotFound:
            create = f"prefect work-pool create {pool} --type process"
            raise UsageError(f"--pool {pool} does not exist: create it with '{create}'") from None
        workers = client.read_workers_for_work_pool(pool)
    return sum(worker.status == WorkerStatus.ONLINE for worker in workers)


def _write(path: Path, content: Any) -> None:
    """Write atomically, readable by this user only: the rows are customers' data."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_suffix(f".partial-{os.getpid()}-{time.monotonic_ns()}")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        pickle.dump(content, file)
    os.replace(partial, path)
