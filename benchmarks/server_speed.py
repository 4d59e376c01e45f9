"""Measure the scoring server over HTTP on loopback, with one client and with eight in parallel."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import requests

CLIENTS = 8


def measure_server(model_folder: Path, raw: pd.DataFrame, calls: int) -> dict[str, dict]:
    """Requests per second, and the median and 99th percentile of a request's milliseconds.

    Each request has one row and waits for the response. Server and clients share the machine.
    """
    body = raw.head(1).to_json(orient="split", index=False)
    body = f'{{"dataframe_split": {body}}}'
    with _serving(model_folder) as address:
        return {
            f"{clients} client{'s' if clients > 1 else ''}": _measure(address, body, clients, calls)
            for clients in (1, CLIENTS)
        }


def _measure(address: str, body: str, clients: int, calls: int) -> dict[str, float]:
    def one_client(_: int) -> list[float]:
        with requests.Session() as session:
            session.headers["Content-Type"] = "application/json"
            return [_seconds(session, address, body) for _ in range(calls // clients)]

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(one_client, range(clients)))  # the first requests warm the server up
        start = time.perf_counter()
        seconds = np.concatenate(list(pool.map(one_client, range(clients))))
        whole = time.perf_counter() - start
    p50, p99 = np.quantile(seconds, [0.5, 0.99]) * 1000
    return {"requests_per_second": len(seconds) / whole, "p50": p50, "p99": p99}


def _seconds(session: requests.Session, address: str, body: str) -> float:
    start = time.perf_counter()
    session.post(f"{address}/invocations", data=body).raise_for_status()
    return time.perf_counter() - start


@contextmanager
def _serving(model_folder: Path) -> Iterator[str]:
    from tasks.registry.serving import SERVER

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-P", str(SERVER), str(model_folder), str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            while not _answers(address):
                if process.poll() is not None:
                    raise SystemExit("the scoring server did not start")
                time.sleep(0.2)
            yield address
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/ping", timeout=5).ok
    except requests.ConnectionError:
        return False
