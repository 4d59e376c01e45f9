"""The Prefect server of a flow where none is configured: Prefect's own, for as long as the flow.

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
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from modelling.refusals import UsageError

SERVE = "import sys; from tasks.temporary_server import serve; serve(int(sys.argv[1]))"
STARTS = 4  # the first, and as many replacements as bad luck may need
BOOT_SECONDS = 300  # others of this machine may be first, each for as long as it takes to boot
_running: "list[TemporaryServer]" = []


class TemporaryServer:
    """A server that boots while this process does other things; then ``take`` it into use."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self.listening.getsockname()[1]
        self.stopped = False
        self.process = self._start()
        threading.Thread(target=self._replace, daemon=True).start()
        _running.append(self)

    def _start(self) -> "subprocess.Popen[bytes]":
        from prefect.settings import get_current_settings

        described = {
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
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
        for _ in range(STARTS - 1):
            self.process.wait()
            if self.stopped:
                return
            self.process = self._start()
        self.process.wait()
        self.listening.close()  # whoever asks is refused at once

    def take(self) -> None:
        """Have the flows of this process use it, once it answers. Raises UsageError where it
        can't be started."""
        from prefect.server.api.server import SubprocessASGIServer

        try:
            asked = HTTPConnection("127.0.0.1", self.port, timeout=BOOT_SECONDS)
            asked.request("GET", "/api/health")
            asked.getresponse().close()
        except (OSError, HTTPException):
            raise UsageError(
                "Prefect's temporary server does not start: look at 'prefect server start'"
            ) from None
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
