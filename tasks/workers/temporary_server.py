"""The Prefect server that this program starts where none is configured: Prefect's own, on
127.0.0.1, while the program runs, with authentication (``server_authentication``).

It has a session of its own, so that Ctrl-C in a terminal goes to the flow only. The flow's process
holds the socket on which the server listens. A server that is killed is restarted; meanwhile
requests wait in the queue of the socket. The server ends when the flow's process ends, in whatever
way, because its standard input is then closed.
"""

import atexit
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException
from importlib import import_module
from pathlib import Path
from select import select

from modelling.refusals import UsageError
from tasks.workers.quick_imports import quick_imports
from tasks.workers.server_authentication import (
    authenticated_server_settings,
    new_auth_string,
    use_server,
)

SERVE = "import sys; from tasks.workers.temporary_server import serve; serve(int(sys.argv[1]))"
MAXIMUM_QUICK_EXITS = 4  # in a row, then the server is not restarted
STARTED_SECONDS = 60  # a server that ran so long had started properly
BOOT_SECONDS = 300  # servers of this machine start one after the other
_running: "list[TemporaryServer]" = []


class TemporaryServer:
    """A server that starts in the background; ``use`` waits for it.

    ``with_ui`` starts a complete one, with Prefect's pages and schedules.
    """

    def __init__(
        self, port: int = 0, auth_string: str | None = None, with_ui: bool = False
    ) -> None:
        self.listening = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port: int = self.listening.getsockname()[1]
        self.auth_string = auth_string or new_auth_string()
        self.with_ui = with_ui
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.stopped = False
        self.process = self._start()
        threading.Thread(target=self._restart, daemon=True).start()
        _running.append(self)

    def _start(self) -> "subprocess.Popen[bytes]":
        server_settings = {
            "PREFECT__SERVER_FINAL": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            **authenticated_server_settings(self.auth_string, self.port),
        }
        if not self.with_ui:
            server_settings |= {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"}
        return subprocess.Popen(
            [sys.executable, "-P", "-c", SERVE, str(self.listening.fileno())],
            pass_fds=[self.listening.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **_changed_settings(), **server_settings},
        )

    def _restart(self) -> None:
        quick_exits = 0
        while True:
            started = time.monotonic()
            self.process.wait()
            quick_exits = quick_exits + 1 if time.monotonic() - started < STARTED_SECONDS else 1
            if self.stopped or quick_exits == MAXIMUM_QUICK_EXITS:
                break
            self.process = self._start()
        self.listening.close()  # so that requests fail at once

    def wait(self, needed_later: Iterable[str] = ()) -> None:
        """Wait until the server answers; meanwhile import the modules that are ``needed_later``,
        as many as there is time for. Raises UsageError where it does not start."""
        try:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=BOOT_SECONDS)
            connection.request("GET", "/api/health")
            for module in needed_later:
                if select([connection.sock], [], [], 0)[0]:
                    break
                import_module(module)
            connection.getresponse().close()
        except (OSError, HTTPException):
            raise UsageError(
                "Prefect's temporary server does not start: see what 'prefect server start' prints"
            ) from None

    def use(self, needed_later: Iterable[str] = ()) -> None:
        """``wait``, and make the flows of this process use it. Raises
        UsageError where it does not start.

        Prefect could also be told that it has started this server itself, but for that a process
        imports all of the server.
        """
        self.wait(needed_later)
        use_server(self.url, self.auth_string)

    def stop(self) -> None:
        """Terminate the server, so that it can store what it has received; then kill it."""
        self.stopped = True
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _changed_settings() -> dict[str, str]:
    """Prefect's settings of this process. Before it has imported Prefect they are those that the
    server reads by itself: of the environment and of files."""
    if "prefect.settings" not in sys.modules:
        return {}
    from prefect.settings import get_current_settings

    return get_current_settings().to_environment_variables(exclude_unset=True)


def configured_server() -> str | None:
    """The address of the Prefect server that somebody has configured, not of a temporary one."""
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    return None if url in [server.url for server in _running if not server.with_ui] else url


def ensure_server() -> None:
    """Make this process use a server: the configured one, the one that it has, or a new one.

    Prefect itself would start one without authentication.
    """
    if not configured_server() and not _running:
        TemporaryServer().use()


@atexit.register
def stop_servers() -> None:
    """End the temporary server of this process, where there is one."""
    while _running:
        _running.pop().stop()


def stop_restarting_servers() -> None:
    """Do not restart the temporary servers when they end from now on."""
    for server in _running:
        server.stopped = True


def serve(descriptor: int) -> None:
    """The process of the server: Prefect's API on the socket ``descriptor``.

    Servers that start at the same time would migrate the same database, so they start one after the
    other.
    """
    threading.Thread(target=_exit_with_flow, daemon=True).start()
    with quick_imports():
        import uvicorn
        from prefect.server.api.server import create_app
    from filelock import FileLock
    from prefect.settings import PREFECT_HOME

    class OneAtATime(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            with FileLock(Path(PREFECT_HOME.value()) / "boot.lock", timeout=BOOT_SECONDS):
                await super().startup(sockets)

    config = uvicorn.Config(create_app, factory=True, log_level="error", lifespan="on")
    OneAtATime(config).run(sockets=[socket.socket(fileno=descriptor)])


def _exit_with_flow() -> None:
    os.read(0, 1)  # nobody writes: it returns when the flow's process has ended
    os._exit(0)
