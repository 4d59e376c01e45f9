"""Processes of this machine by more than their number, which is given anew: does one still live?"""

import os
import socket
from collections.abc import Iterator

import psutil

SERVER_OWNER = "FINFLOWS_SERVER_OWNER"  # in the environment of a temporary Prefect server


def process_tag(pid: int) -> str:
    """A process of this machine beyond reuse of its number: host, pid and when it started."""
    try:
        return f"{socket.gethostname()} {pid} {psutil.Process(pid).create_time():.0f}"
    except psutil.NoSuchProcess:
        return f"{socket.gethostname()} {pid} gone"


def died(tag: str) -> bool | None:
    """Whether the process of a ``process`` tag is gone; None for another machine's process."""
    host, _, rest = tag.partition(" ")
    if host != socket.gethostname():
        return None
    return tag != process_tag(int(rest.partition(" ")[0]))


def own_servers() -> None:
    """Let the temporary Prefect servers that this process starts say whose they are."""
    os.environ[SERVER_OWNER] = process_tag(os.getpid())


def abandoned_servers() -> Iterator[psutil.Process]:
    """Temporary Prefect servers whose owner was killed: nothing else ends them."""
    for process in psutil.process_iter():
        try:
            if "prefect.server.api.server:create_app" in process.cmdline():
                owner = process.environ().get(SERVER_OWNER, "")
                if owner and died(owner):
                    yield process
        except psutil.Error:  # it has ended, or is somebody else's
            continue
