"""Processes that train. TensorFlow lives there only, one training at a time.

A process of its own keeps the flow alive when a training is killed, gives each training its own
GPUs, and gives its memory back: TensorFlow keeps every program that it ever compiled, about 35 MB a
training. Workers stay warm between trainings (importing TensorFlow takes seconds) and are replaced
when they have grown.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:  # a worker is started before anything heavy is imported
    from modelling.fitting import Fitted, Job
    from modelling.history import OnEpoch

GROWN_BYTES = 400 << 20  # beyond its size after the first training: about a dozen trainings


class WorkerDiedError(RuntimeError):
    """The process that trained was killed, by a person, a signal or for lack of memory."""


class TrainingWorker:
    """One process that trains what it is sent, one job after the other."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fork of threads and TensorFlow can hang
        self.connection, far_end = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(far_end,), daemon=True)
        self.process.start()
        far_end.close()
        self.first_size: int | None = None

    def run(self, job: "Job", on_epoch: Sequence["OnEpoch"]) -> "Fitted":
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
            self.process.join(timeout=5)
            code = self.process.exitcode
            raise WorkerDiedError(f"the training process died (exit code {code})") from None

    def has_grown(self) -> bool:
        """Whether it holds much more memory than after its first training."""
        size = psutil.Process(self.process.pid).memory_info().rss
        self.first_size = self.first_size or size
        return size > self.first_size + GROWN_BYTES

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.connection.close()
        self.process.kill()
        self.process.join()


_idle: list[TrainingWorker] = []


def start_worker() -> None:
    """Have a worker import TensorFlow while this process has other things to do."""
    _idle.append(TrainingWorker())


@contextmanager
def borrowed_worker() -> Iterator[TrainingWorker]:
    """An idle worker, or a new one. It comes back unless it died, failed or has grown."""
    worker = _idle.pop() if _idle else TrainingWorker()
    try:
        yield worker
    except BaseException:
        worker.stop()
        raise
    if worker.has_grown():
        worker.stop()
    else:
        _idle.append(worker)


def _serve(connection: Connection) -> None:
    """The worker's side: import, then train whatever comes, until the flow's process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the flow decides
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import modelling.training  # noqa: F401
    from modelling.fitting import fit

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
