"""python -m scoring_server MODEL_FOLDER PORT: serve a registered model over HTTP."""

import argparse
import os
import signal
import sys
from contextlib import suppress
from ipaddress import ip_address
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from tempfile import TemporaryDirectory

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from .draining import DrainingProtocol
from .settings import FOLLOWED, MODEL_FOLDER, TOKEN, limits, token

CONNECTIONS = 100  # in each process
STOP_SECONDS = 30  # for the requests that are being answered when the server is asked to end


def main() -> None:
    parser = argparse.ArgumentParser(prog="scoring_server", description=__doc__)
    parser.add_argument("model_folder")
    parser.add_argument("port", type=int)
    parser.add_argument("--host", type=ip_address, default=ip_address("127.0.0.1"))
    parser.add_argument("--workers", type=int, default=1, help="processes, each with the model")
    parser.add_argument("--followed", help="a file that says which model is to answer")
    asked = parser.parse_args()
    try:  # what is wrong is said here, not by each of several processes
        limits()
        if token() is None and not asked.host.is_loopback:
            raise ValueError(f"set {TOKEN}: other machines than this one can reach {asked.host}")
    except ValueError as error:
        parser.exit(2, f"finflows: {error}\n")
    os.environ[MODEL_FOLDER] = asked.model_folder
    os.environ.pop(FOLLOWED, None)
    if asked.followed:
        os.environ[FOLLOWED] = asked.followed
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # models of earlier releases do not say so
    try:
        _run(str(asked.host), asked.port, asked.workers)
    except SystemExit as ended:
        sys.exit(2 if ended.code == STARTUP_FAILURE else ended.code)


def _run(host: str, port: int, workers: int) -> None:
    config = uvicorn.Config(
        f"{__package__}.settings:application",
        factory=True,
        host=host,
        port=port,
        http=DrainingProtocol,
        workers=workers,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_worker_healthcheck=60,  # a process may wait that long for a busy machine
    )
    if workers == 1:  # uvicorn lets the signal end this process, which could remove no folder
        with suppress(KeyboardInterrupt):  # when all is answered
            config.load()
            uvicorn.Server(config).run()
        return
    with TemporaryDirectory(prefix="finflows-metrics-") as counts:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts
        processes = _Processes(config, [listening_socket(config)])
        processes.run()
        if any(process.exitcode == STARTUP_FAILURE for process in processes.processes):
            sys.exit(STARTUP_FAILURE)


def listening_socket(config: uvicorn.Config) -> socket:
    """The socket of several processes. Its connections send at once: otherwise the body of each
    answer waits until the client acknowledges the head, which clients put off for 40 ms."""
    listening = config.bind_socket()
    listening.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    return listening


class _Processes(Multiprocess):
    """Several processes that end with their terminal, unless nohup keeps them: uvicorn would start
    them anew, and somebody who has closed a window would not know that they serve on."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket]):
        self.kept = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        super().__init__(config, sockets)

    def init_processes(self) -> None:
        """The first one alone, until it has loaded the model: what prevents that is said once."""
        first = Process(self.config, self.sockets)
        first.start()
        self.processes.append(first)
        while first.process.is_alive() and not first.is_ready(timeout=1):
            self.handle_signals()
            if self.should_exit.wait(0.1):
                return
        if first.exitcode == STARTUP_FAILURE:
            self.should_exit.set()
        else:
            for _ in range(self.processes_num - 1):
                self.processes.append(Process(self.config, self.sockets))
                self.processes[-1].start()

    def terminate_all(self) -> None:
        """With no socket left open here, in which new connections would wait for nobody."""
        for listening in self.sockets:
            listening.close()
        super().terminate_all()

    def handle_hup(self) -> None:
        if not self.kept:
            self.handle_term()


if __name__ == "__main__":
    main()
