"""Measure the scoring server over HTTP on loopback, beside MLflow's own, with one client and with
eight in parallel."""

import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.pyfunc.scoring_server import get_cmd

from tasks.registry.serving.prepared_server import server_command

CLIENTS, TURNS = 8, 4


def measure_servers(model_folder: Path, raw: pd.DataFrame, calls: int) -> dict[str, dict]:
    """Requests per second, and the median and 99th percentile of a request's milliseconds.

    Each request has one row and waits for the response. Servers and clients share the machine; the
    servers are asked in turns, so that the ratios do not change if it slows down.
    """
    body = raw.head(1).to_json(orient="split", index=False)
    body = f'{{"dataframe_split": {body}}}'
    seconds: dict[str, list[np.ndarray]] = {}
    wall: dict[str, float] = {}
    with _serving(_ours, model_folder) as ours, _serving(_mlflows, model_folder) as mlflows:
        ports = {"ours": ours, "MLflow's own": mlflows}
        for turn in range(TURNS + 1):  # the first one warms the servers up
            for clients in (1, CLIENTS):
                for name, port in ports.items():
                    each = max(calls // clients // TURNS, 10) if turn else 10
                    measured, whole = _measure(port, body, clients, each)
                    if turn:
                        title = f"{name}, {clients} client{'s' if clients > 1 else ''}"
                        seconds.setdefault(title, []).append(measured)
                        wall[title] = wall.get(title, 0.0) + whole
    return {title: _summary(np.concatenate(all_), wall[title]) for title, all_ in seconds.items()}


def _summary(seconds: np.ndarray, wall: float) -> dict[str, float]:
    p50, p99 = np.quantile(seconds, [0.5, 0.99]) * 1000
    return {"requests_per_second": len(seconds) / wall, "p50": p50, "p99": p99}


def _measure(port: int, body: str, clients: int, calls: int) -> tuple[np.ndarray, float]:
    """The seconds of each of ``calls`` requests of each client, and of all of them by the clock."""

    head = f"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    request = f"{head}Content-Type: application/json\r\n\r\n{body}".encode()

    def one_client(_: int) -> list[float]:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            return [_seconds(connection, request) for _ in range(calls)]

    with ThreadPoolExecutor(clients) as pool:
        start = time.perf_counter()
        seconds = np.concatenate(list(pool.map(one_client, range(clients))))
        return seconds, time.perf_counter() - start


def _seconds(connection: socket.socket, request: bytes) -> float:
    """Without a library, which would take longer than the server."""
    start = time.perf_counter()
    connection.sendall(request)
    response = b""
    while not response.endswith(b"}]}"):
        response += (received := connection.recv(65_536))
        assert received, response
    assert response.startswith(b"HTTP/1.1 200 "), response
    return time.perf_counter() - start


def _ours(model_folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    return server_command(Path(sys.executable), model_folder, port), dict(os.environ)


def _mlflows(model_folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    command, environment = get_cmd(str(model_folder), port=port, nworkers=1)  # on loopback
    return [sys.executable, "-P", "-m", *shlex.split(command)], environment


@contextmanager
def _serving(command_of, model_folder: Path) -> Iterator[int]:
    """A running server; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command, environment = command_of(model_folder, port)
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as process:
        try:
            while not _answers(port):
                if process.poll() is not None:
                    raise SystemExit(f"this server did not start: {' '.join(command)}")
                time.sleep(0.2)
            yield port
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
