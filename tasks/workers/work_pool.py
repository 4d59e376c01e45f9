"""Train on the workers of a Prefect work pool: each training is a flow run of its own there.

Flow and workers exchange files in folders that both see, as they do on one machine or a shared
disk: the rows once, and for each training its job, its checkpoints and what came of it.
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
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling

from modelling.declaration import names
from modelling.features.preprocessing import Examples
from modelling.learning_curve.attempt import TrainedNetwork
from modelling.learning_curve.history import OnEpoch
from modelling.refusals import UsageError
from modelling.training.fitting import TrainingJob
from tasks.workers.executor import AbandonedError, ExecutorLostError, WorkerWatch, report_epochs
from tasks.workers.heartbeats import watch_heartbeats
from tasks.workers.training_workers import WorkerDiedError, borrowed_worker, share_of_cores

ROOT = Path(__file__).resolve().parents[2]
ENTRYPOINT = "flows/train_job.py:train_job"
ROWS, JOB, FITTED, FLOW_RUN = "rows.pickle", "job.pickle", "fitted.pickle", "flow_run.txt"
DEATHS = 3  # of the process that trains, before its flow run fails


@dataclass
class WorkPool:
    """The workers of a pool, ``slots`` trainings at a time; ``folder`` takes the rows."""

    name: str
    slots: int
    folder: Path
    deployment: UUID
    cores_shared_by: int
    free: Semaphore
    writing: Lock = field(default_factory=Lock)
    under_way: set[UUID] = field(default_factory=set)
    abandoned: bool = False

    @classmethod
    def of(cls, name: str, slots: int, folder: Path) -> "WorkPool":
        """Raises UsageError for a pool that is not there or has no worker: Prefect would wait."""
        if not PREFECT_API_URL.value():
            raise UsageError(f"--pool {name}: which server? export PREFECT_API_URL")
        workers = _workers_online(name)
        if not workers:
            start = f"prefect worker start --pool {name}"
            raise UsageError(f"--pool {name}: no worker is online: start one with '{start}'")
        watch_heartbeats()  # a flow run that lost its machine would say RUNNING for ever
        checkout = LocalStorage(str(ROOT))  # where it is: Prefect would copy it for each flow run
        # Each checkout has a deployment of its own, so that nobody's trials run another's code.
        own = f"{name}-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"
        deployment: Any = RunnerDeployment.from_storage(checkout, ENTRYPOINT, own)
        deployed = deployment.apply(work_pool_name=name)
        shared_by = math.ceil(slots / workers)
        return cls(name, slots, folder, deployed, shared_by, Semaphore(slots))

    def run(self, job: TrainingJob, on_epoch: Sequence[OnEpoch] = ()) -> TrainedNetwork:
        folder = job.checkpoint_folder
        rows = self.folder / ROWS
        with self.writing:
            if not rows.exists():
                _write(rows, (job.train, job.validation))
        none = Examples(job.train.features[:0], job.train.target[:0])
        _write(folder / JOB, (replace(job, train=none, validation=none), rows))
        with self.free:
            if self.abandoned:
                raise AbandonedError
            self._train(folder)
        fitted: TrainedNetwork | Exception = pickle.loads((folder / FITTED).read_bytes())
        if isinstance(fitted, Exception):
            raise fitted
        report_epochs(fitted, on_epoch)
        return fitted

    def abandon(self) -> None:
        self.abandoned = True
        with get_client(sync_client=True) as client:
            for flow_run in list(self.under_way):
                state: State = Cancelling(message="the search was interrupted")
                client.set_flow_run_state(flow_run, state)

    def close(self) -> None:
        """Leave no rows behind."""
        (self.folder / ROWS).unlink(missing_ok=True)

    def _train(self, folder: Path) -> None:
        flow_run = self._started_before(folder) or self._start(folder)
        self.under_way.add(flow_run)
        state = self._wait_for(flow_run)  # where it raises, abandon() cancels the flow run
        self.under_way.discard(flow_run)
        if state.is_crashed():
            raise WorkerDiedError(f"flow run {flow_run} of pool {self.name}: {state.message}")
        if not (folder / FITTED).exists():
            raise ExecutorLostError(f"flow run {flow_run} of pool {self.name}: {state.message}")

    def _started_before(self, folder: Path) -> UUID | None:
        """The flow run that still trains there, for a search that was killed meanwhile."""
        if not (folder / FLOW_RUN).exists():
            return None
        with get_client(sync_client=True) as client:
            known = client.read_flow_run(UUID((folder / FLOW_RUN).read_text()))
        return None if known.state is None or known.state.is_final() else known.id

    def _start(self, folder: Path) -> UUID:
        (folder / FITTED).unlink(missing_ok=True)
        parameters = {"folder": str(folder), "cores_shared_by": self.cores_shared_by}
        # Not as a subflow: what Prefect would show below the search, MLflow shows with its curve.
        run: Any = run_deployment(
            self.deployment, parameters=parameters, timeout=0, as_subflow=False
        )
        (folder / FLOW_RUN).write_text(str(run.id))
        return run.id

    def _wait_for(self, flow_run: UUID) -> State:
        """How it ended. Raises PlaceLostError where no worker is left to begin it."""
        seen = WorkerWatch(f"work pool {self.name}")
        with get_client(sync_client=True) as client:
            while True:
                state = client.read_flow_run(flow_run).state
                assert state is not None
                if state.is_final():
                    return state
                seen.look(state.is_running() or _workers_online(self.name) > 0)
                time.sleep(0.5)


def train_job_in(folder: Path, cores_shared_by: int) -> None:
    """On a worker: train the job in ``folder``, from its checkpoints where there are some.

    Raises UsageError where the worker does not see the folder, WorkerDiedError where the process
    that trains dies again and again, and what the training raised, which is also left there.
    """
    _refuse_foreign(folder)
    job, rows = pickle.loads((folder / JOB).read_bytes())
    train, validation = pickle.loads(rows.read_bytes())
    whole = replace(job, train=train, validation=validation)
    for death in range(DEATHS):
        try:
            with borrowed_worker(share_of_cores(cores_shared_by)) as worker:
                _write(folder / FITTED, worker.run(whole, []))
            return
        except WorkerDiedError:
            if death == DEATHS - 1:
                raise
        except Exception as error:
            _write(folder / FITTED, error)
            raise


def _refuse_foreign(folder: Path) -> None:
    """Raise UsageError unless a search of this user left a job in ``folder``.

    The folder comes as a parameter of a flow run, and a job is a pickle: whoever may start flow
    runs must not have code run here that somebody else put down.
    """
    if folder.parent.name != "checkpoints" or ".." in folder.parts:
        raise UsageError(f"{folder} is no folder of a run's checkpoints")
    names.check_run_id(folder.name)
    try:
        job = os.lstat(folder / JOB)
    except OSError:
        raise UsageError(
            f"{folder} is not here: search and workers must share the folder mlruns/"
        ) from None
    if not S_ISREG(job.st_mode) or job.st_uid != os.getuid() or job.st_mode & 0o022:
        raise UsageError(f"{folder}: search and workers must run as the same user")


def _workers_online(pool: str) -> int:
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(pool)
        except ObjectNotFound:
            create = f"prefect work-pool create {pool} --type process"
            raise UsageError(f"--pool {pool}: there is no such pool: '{create}'") from None
        workers = client.read_workers_for_work_pool(pool)
    return sum(worker.status == WorkerStatus.ONLINE for worker in workers)


def _write(path: Path, content: Any) -> None:
    """Whole or not at all, for this user only: they are a customer's rows."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_suffix(f".partial-{os.getpid()}-{time.monotonic_ns()}")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        pickle.dump(content, file)
    os.replace(aside, path)
