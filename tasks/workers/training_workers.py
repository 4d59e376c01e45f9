"""Processes that train, one training at a time; only they import TensorFlow.

With a process of its own, a killed training does not end the flow, each training has its own GPUs,
and memory is released: TensorFlow keeps every program that it has compiled, about 35 MB per
training. Workers stay warm between trainings (importing TensorFlow takes seconds) and are replaced
when they have grown.
"""

import mmap
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import TYPE_CHECKING, Any

import psutil

from modelling.refusals import MachineError
from tasks.workers.quick_imports import quick_imports

if TYPE_CHECKING:  # workers are started before the heavy imports
    from modelling.learning_curve.attempt import TrainedNetwork
    from modelling.learning_curve.history import OnEpoch
    from modelling.training.fitting import TrainingJob

PIECE_BYTES = 16 << 20  # of a job, sent at once
MAXIMUM_GROWTH_BYTES = 400 << 20  # since the first training: about a dozen trainings
SERVE = "import sys; from tasks.workers.training_workers import serve; serve(int(sys.argv[1]))"
Environment = Mapping[str, str]


class WorkerDiedError(MachineError):
    """The training process was killed, by a person, a signal or for lack of memory."""


class TrainingWorker:
    """A process that trains one job after the other.

    ``environment`` is added to that of this process: the cores and GPUs that the worker may use.
    """

    def __init__(self, environment: Environment | None = None) -> None:
        self.environment = dict(environment or {})
        self.connection, worker_end = Pipe()
        path = os.pathsep.join(filter(None, sys.path))
        # Neither a fork, which can hang with threads and TensorFlow, nor multiprocessing, which
        # refuses to start a process from a worker of a Dask cluster.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", SERVE, str(worker_end.fileno())],
            pass_fds=[worker_end.fileno()],
            start_new_session=True,  # Ctrl-C goes to the flow only
            env={**os.environ, "PYTHONPATH": path, **self.environment},
        )
        worker_end.close()
        self.first_size: int | None = None

    def run(self, job: "TrainingJob", on_epoch: Sequence["OnEpoch"]) -> "TrainedNetwork":
        """Train, and call ``on_epoch`` after each epoch. Raises what the training raised."""
        try:
            send_job(self.connection, job)
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
            except subprocess.TimeoutExpired:  # it closed the pipe, but does not end
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
        return size > self.first_size + MAXIMUM_GROWTH_BYTES

    def stop(self) -> None:
        """Kill the process."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


_idle: list[TrainingWorker] = []


def start_worker() -> None:
    """Start a worker that imports TensorFlow while this process does other work."""
    _idle.append(TrainingWorker())


@contextmanager
def borrowed_worker(environment: Environment | None = None) -> Iterator[TrainingWorker]:
    """An idle worker of this ``environment``, or a new one.

    After the block it is idle again, unless it died, failed or has grown.
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
    for worker in [worker for worker in _idle if worker.environment == environment]:
        try:
            _idle.remove(worker)
        except ValueError:
            continue  # another thread took it
        if worker.is_alive():
            return worker
        worker.stop()
    return None


def stop_idle_workers(environment: Environment) -> None:
    """End the idle workers of this ``environment``."""
    while worker := _idle_worker(dict(environment)):
        worker.stop()


def usable_cores() -> int:
    """The number of cores that this process may use, which may be fewer than the machine has."""
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


def send_job(connection: Connection, job: "TrainingJob") -> None:
    """Send a job: of arrays in shared memory only its descriptor, of others their content.

    That goes piece by piece: ``connection.send`` would hold a second copy of the arrays on this
    side, and a third and fourth on the other.
    """
    from modelling.features.shared_memory import memory_of

    arrays: list[pickle.PickleBuffer] = []
    connection.send_bytes(pickle.dumps(job, protocol=5, buffer_callback=arrays.append))
    contents = [(content := array.raw(), memory_of(content)) for array in arrays]
    connection.send([(content.nbytes, memory is not None) for content, memory in contents])
    for content, memory in contents:
        if memory is not None:
            send_handle(connection, memory.descriptor, None)
            continue
        for first in range(0, content.nbytes, PIECE_BYTES):
            connection.send_bytes(content[first : first + PIECE_BYTES])


def receive_job(connection: Connection) -> Any:
    """What ``send_job`` sent. Raises EOFError where the other side has ended."""
    from modelling.features.shared_memory import map_shared

    described, sizes = connection.recv_bytes(), connection.recv()
    arrays: list[mmap.mmap | bytearray] = []
    for size, is_shared in sizes:
        if is_shared:
            arrays.append(map_shared(recv_handle(connection), size))
            continue
        arrays.append(mmap.mmap(-1, size) if size else bytearray())  # aligned for TensorFlow
        for first in range(0, size, PIECE_BYTES):
            connection.recv_bytes_into(arrays[-1], first)
    return pickle.loads(described, buffers=arrays)


def hide_native_stderr() -> None:
    """Hide what this process writes to file descriptor 2; a notebook would show it."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)


def serve(descriptor: int) -> None:
    """The process of the worker: train each job that arrives, until the flow's process ends."""
    os.umask(0o077)  # only their owner can read checkpoints and networks
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "3":
        hide_native_stderr()  # TensorFlow's first lines come before it knows that nobody wants them
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Otherwise TensorFlow takes all memory of a GPU, which others may use, too.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with quick_imports():
        import modelling.training.training_loop  # noqa: F401
        from modelling.declaration.use_case_files import extend_use_case_package
        from modelling.features.memory import return_freed_memory
        from modelling.training.fitting import fit
    extend_use_case_package()  # a declaration may contain functions of its module

    connection: Connection = Connection(descriptor)

    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        connection.send(("epoch", (epoch, metrics)))

    while True:
        try:
            job: Any = receive_job(connection)
        except EOFError:
            return
        try:
            answer: tuple[str, Any] = ("done", fit(job, [on_epoch]))
        except (BrokenPipeError, ConnectionResetError):
            return
        except Exception as error:
            answer = ("error", error)
        del job  # its rows are large, and the next one may never come
        return_freed_memory()
        connection.send(answer)
