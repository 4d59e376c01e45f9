"""The Prefect server that this program starts where none is configured: Prefect's own, on
127.0.0.1, for as long as the program, and closed to everybody else (``server_authentication``).

It has a session of its own: Ctrl-C in a terminal goes to the flow, not to the server under it. The
flow's process holds the socket that the server listens on. A server that is killed is replaced, and
meanwhile requests wait in the socket's queue: nothing is lost but time. It ends with the flow's
process, however that ends, because its standard input is closed then.
"""

import atexit
import os
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from modelling.refusals import UsageError
from tasks.workers.server_authentication import closed_server, random_string, sign_in

SERVE = "import sys; from tasks.workers.temporary_server import serve; serve(int(sys.argv[1]))"
QUICK_DEATHS = 4  # one after the other, until it is no bad luck any more
SETTLED_SECONDS = 60  # who has lived so long did start
BOOT_SECONDS = 300  # others of this machine may be first, each for as long as it takes to boot
_running: "list[TemporaryServer]" = []


class TemporaryServer:
    """A server that boots while this process does other things; then ``take`` it into use.

    ``with_pages`` it is a whole one, with Prefect's pages and schedules.
    """

    def __init__(self, port: int = 0, string: str | None = None, with_pages: bool = False) -> None:
        self.listening = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port: int = self.listening.getsockname()[1]
        self.string = string or random_string()
        self.with_pages = with_pages
        self.stopped = False
        self.process = self._start()
        threading.Thread(target=self._replace, daemon=True).start()
        _running.append(self)

    def _start(self) -> "subprocess.Popen[bytes]":
        from prefect.settings import get_current_settings

        described = {
            "PREFECT__SERVER_FINAL": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            **closed_server(self.string, self.port),
        }
        if not self.with_pages:
            described |= {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"}
        settings = get_current_settings().to_environment_variables(exclude_unset=True)
        return subprocess.Popen(
            [sys.executable, "-P", "-c", SERVE, str(self.listening.fileno())],
            pass_fds=[self.listening.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **settings, **described},
        )

    def _replace(self) -> None:
        deaths = 0
        while True:
            began = time.monotonic()
            self.process.wait()
            deaths = deaths + 1 if time.monotonic() - began < SETTLED_SECONDS else 1
            if self.stopped or deaths == QUICK_DEATHS:
                break
            self.process = self._start()
        self.listening.close()  # whoever asks is refused at once

    def wait(self) -> None:
        """Until it answers; then this process knows its string. Raises UsageError where it can't
        be started."""
        try:
            asked = HTTPConnection("127.0.0.1", self.port, timeout=BOOT_SECONDS)
            asked.request("GET", "/api/health")
            asked.getresponse().close()
        except (OSError, HTTPException):
            raise UsageError(
                "Prefect's temporary server does not start: look at 'prefect server start'"
            ) from None
        sign_in(self.string)

    def take(self) -> None:
        """Have the flows of this process use it, once it answers. Raises as ``wait`` does."""
        from prefect.server.api.server import SubprocessASGIServer

        self.wait()
        # Where Prefect itself would keep the server that it started.
        prefects = SubprocessASGIServer()
        prefects.port, prefects.server_process, prefects.running = self.port, self.process, True

    def stop(self) -> None:
        """End it; what it has been told is written first."""
        self.stopped = True
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def ensure_server() -> None:
    """Have this process use a server: the one that is configured, or that it has, or a new one.

    Left to itself, Prefect would start one that trusts everybody.
    """
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value() and not _running:
        TemporaryServer().take()


@atexit.register
def stop_servers() -> None:
    """End the temporary server of this process, where there is one."""
    while _running:
        _running.pop().stop()


def release_servers() -> None:
    """Whoever ends the temporary server from now on means it: it is not replaced."""
    for server in _running:
        server.stopped = True


def serve(descriptor: int) -> None:
    """The server's side: Prefect's API on the socket ``descriptor``.

    Servers that start together bring the same database up to date, so they boot one after the
    other.
    """
    threading.Thread(target=_end_with_the_flow, daemon=True).start()
    import uvicorn
    from filelock import FileLock
    from prefect.settings import PREFECT_HOME

    class OneAtATime(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            with FileLock(Path(PREFECT_HOME.value()) / "boot.lock", timeout=BOOT_SECONDS):
                await super().startup(sockets)

    application = "prefect.server.api.server:create_app"
    config = uvicorn.Config(application, factory=True, log_level="error", lifespan="on")
    OneAtATime(config).run(sockets=[socket.socket(fileno=descriptor)])


def _end_with_the_flow() -> None:
    os.read(0, 1)  # nobody writes: it answers when the flow's process is gone
    os._exit(0)
