"""The Prefect server of a flow where none is configured: Prefect's own, for as long as the flow."""

import os
from collections.abc import Iterator

import psutil
from filelock import FileLock

from tasks.processes import died, process_tag

OWNER = "FINFLOWS_SERVER_OWNER"  # tells in a server's environment whose it is


def boot_server() -> None:
    """Start the server that the next flow of this process uses.

    Processes that start together boot one after the other: each server looks for a free port at
    random, and all bring the same database up to date. One that answers too late is not left
    behind; the flow then starts another.
    """
    # Late: --help imports this module too.
    from prefect.server.api.server import SubprocessASGIServer
    from prefect.settings import PREFECT_HOME

    os.environ[OWNER] = process_tag(os.getpid())
    home = PREFECT_HOME.value()
    home.mkdir(parents=True, exist_ok=True)
    server = SubprocessASGIServer()
    try:
        with FileLock(home / "boot.lock", timeout=300):
            server.start(90)
    except Exception:
        if server.server_process is not None:
            server.server_process.kill()


def abandoned_servers() -> Iterator[psutil.Process]:
    """Servers on this machine whose process was killed: nothing else would end them."""
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:  # it has ended, or is somebody else's
            continue
        # Prefect marks its temporary servers; a server that was started to stay is none.
        if "PREFECT__SERVER_EPHEMERAL" in environment and died(environment.get(OWNER, "")):
            yield process
