"""python -m scoring_server MODEL_FOLDER PORT: serve a registered model over HTTP."""

import argparse
import os
import signal
from contextlib import suppress
from ipaddress import ip_address
from socket import socket
from tempfile import TemporaryDirectory

import uvicorn
from uvicorn.supervisors import Multiprocess

from .settings import MODEL_FOLDER, TOKEN, limits, token

CONNECTIONS = 100  # in each process
STOP_SECONDS = 30  # for the requests that are being answered when the server is asked to end


def main() -> None:
    parser = argparse.ArgumentParser(prog="scoring_server", description=__doc__)
    parser.add_argument("model_folder")
    parser.add_argument("port", type=int)
    parser.add_argument("--host", type=ip_address, default=ip_address("127.0.0.1"))
    parser.add_argument("--workers", type=int, default=1, help="processes, each with the model")
    asked = parser.parse_args()
    try:  # what is wrong is said here, not by each of several processes
        limits()
        if token() is None and not asked.host.is_loopback:
            raise ValueError(f"set {TOKEN}: other machines than this one can reach {asked.host}")
    except ValueError as error:
        parser.exit(2, f"finflows: {error}\n")
    os.environ[MODEL_FOLDER] = asked.model_folder
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # models of earlier releases do not say so
    if asked.workers == 1:  # uvicorn lets the signal end this process, which could remove no folder
        _run(str(asked.host), asked.port, 1)
        return
    with TemporaryDirectory(prefix="finflows-metrics-") as counts:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts
        _run(str(asked.host), asked.port, asked.workers)


def _run(host: str, port: int, workers: int) -> None:
    config = uvicorn.Config(
        f"{__package__}.settings:application",
        factory=True,
        host=host,
        port=port,
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
    if workers > 1:
        _Processes(config, [config.bind_socket()]).run()
        return
    with suppress(KeyboardInterrupt):  # when all is answered
        uvicorn.Server(config).run()


class _Processes(Multiprocess):
    """Several processes that end with their terminal, unless nohup keeps them: uvicorn would start
    them anew, and somebody who has closed a window would not know that they serve on."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket]):
        self.kept = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        super().__init__(config, sockets)

    def handle_hup(self) -> None:
        if not self.kept:
            self.handle_term()


if __name__ == "__main__":
    main()
