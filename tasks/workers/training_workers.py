"""Processes that train. TensorFlow lives there only, one training at a time.

A process of its own keeps the flow alive when a training is killed, gives each training its own
GPUs, and gives its memory back: TensorFlow keeps every program that it ever compiled, about 35 MB a
training. Workers stay warm between trainings (importing TensorFlow takes seconds) and are replaced
when they have grown.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import psutil

from modelling.refusals import MachineError
from tasks.workers.quick_imports import quick_imports

if TYPE_CHECKING:  # a worker is started before anything heavy is imported
    from modelling.learning_curve.attempt import TrainedNetwork
    from modelling.learning_curve.history import OnEpoch
    from modelling.training.fitting import TrainingJob

GROWN_BYTES = 400 << 20  # beyond its size after the first training: about a dozen trainings
SERVE = "import sys; from tasks.workers.training_workers import serve; serve(int(sys.argv[1]))"
Environment = Mapping[str, str]


class WorkerDiedError(MachineError):
    """The process that trained was killed, by a person, a signal or for lack of memory."""


class TrainingWorker:
    """One process that trains what it is sent, one job after the other.

    ``environment`` is added to this process's own: the cores and the GPUs that it may use.
    """

    def __init__(self, environment: Environment | None = None) -> None:
        self.environment = dict(environment or {})
        self.connection, far_end = Pipe()
        path = os.pathsep.join(filter(None, sys.path))
        # Neither a fork, which can hang with threads and TensorFlow, nor multiprocessing, which
        # refuses to start a process from a worker of a Dask cluster.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", SERVE, str(far_end.fileno())],
            pass_fds=[far_end.fileno()],
            start_new_session=True,  # Ctrl-C goes to the flow, which decides
            env={**os.environ, "PYTHONPATH": path, **self.environment},
        )
        far_end.close()
        self.first_size: int | None = None

    def run(self, job: "TrainingJob", on_epoch: Sequence["OnEpoch"]) -> "TrainedNetwork":
        """Train, and pass each epoch on as it ends. Raises what the training raised."""
        try:
            self.connection.send(job)
            while True:
                kind, content = self.connection.recv()
                if kind == "epoch":
                    for listener in on_epoch:
                        listener(*content)
                elif kind == "error":
                    raise content
                else:
                    return content
        except (EOFError, BrokenPipeError, ConnectionResetError):
            try:
                code = self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:  # it hung up, but does not end
                self.process.kill()
                code = self.process.wait()
            raise WorkerDiedError(
                f"the training process died (exit code {code}): it was killed, or out of memory"
            ) from None

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def has_grown(self) -> bool:
        """Whether it holds much more memory than after its first training."""
        size = psutil.Process(self.process.pid).memory_info().rss
        self.first_size = self.first_size or size
        return size > self.first_size + GROWN_BYTES

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


_idle: list[TrainingWorker] = []


def start_worker(environment: Environment | None = None) -> None:
    """Have a worker import TensorFlow while this process has other things to do."""
    _idle.append(TrainingWorker(environment))


@contextmanager
def borrowed_worker(environment: Environment | None = None) -> Iterator[TrainingWorker]:
    """An idle worker of this ``environment``, or a new one.

    It comes back unless it died, failed or has grown.
    """
    worker = _idle_worker(dict(environment or {})) or TrainingWorker(environment)
    try:
        yield worker
    except BaseException:
        worker.stop()
        raise
    if not worker.is_alive() or worker.has_grown():
        worker.stop()
    else:
        _idle.append(worker)


def _idle_worker(environment: dict[str, str]) -> TrainingWorker | None:
    for worker in [one for one in _idle if one.environment == environment]:
        try:
            _idle.remove(worker)
        except ValueError:
            continue  # another thread was first
        if worker.is_alive():
            return worker
        worker.stop()
    return None


def stop_idle_workers(environment: Environment) -> None:
    """End the idle workers of this ``environment``: nobody will need them soon."""
    while worker := _idle_worker(dict(environment)):
        worker.stop()


def usable_cores() -> int:
    """The cores that this process may use, which is not always all that the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_of_cores(workers: int) -> dict[str, str]:
    """An environment in which ``workers`` processes of this machine share its cores evenly."""
    if workers == 1:
        return {}
    cores = str(max(usable_cores() // workers, 1))
    return {
        "OMP_NUM_THREADS": cores,
        "TF_NUM_INTRAOP_THREADS": cores,
        "TF_NUM_INTEROP_THREADS": cores,
    }


def serve(descriptor: int) -> None:
    """The worker's side: import, then train whatever comes, until the flow's process is gone."""
    os.umask(0o077)  # checkpoints and networks are their owner's alone
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow would take all memory of a GPU, which others may share.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with quick_imports():
        import modelling.training.training_loop  # noqa: F401
        from modelling.declaration.use_case_files import extend_use_case_package
        from modelling.training.fitting import fit
    extend_use_case_package()  # a declaration may name functions of its own module

    connection: Connection = Connection(descriptor)

    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        connection.send(("epoch", (epoch, metrics)))

    while True:
        try:
            job: Any = connection.recv()
        except EOFError:
            return
        try:
            answer: tuple[str, Any] = ("done", fit(job, [on_epoch]))
        except (BrokenPipeError, ConnectionResetError):
            return
        except Exception as error:
            answer = ("error", error)
        connection.send(answer)
