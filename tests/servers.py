"""Real servers for the tests, on loopback, in folders of their own, ended with the test."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import entry_points
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import psutil
from filelock import FileLock
from mlflow import MlflowClient

from tasks.tracking.addresses import DATABASE_LOCK
from tasks.tracking.ui import UI_APP, ui_command

REPOSITORY = Path(__file__).resolve().parents[1]
PATIENCE = 600  # seconds until something that must happen is given up; nothing is timed by it


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def wait_for(condition: Callable[[], object], what: str, patience: float = PATIENCE):
    """What ``condition`` answers once that is true."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.5)
    raise AssertionError(f"waited {patience:.0f} s in vain for {what}")


def lives(pid: int) -> bool:
    """Whether a process does anything yet; one that nobody has asked how it ended does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def running(command: list[str], log: Path, **settings) -> Iterator[subprocess.Popen]:
    """A process that is asked to end, then made to, with what it says in the file ``log``."""
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, **settings)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def standing_in(
    status: int, page: str, asked: Callable[[], object] = lambda: None, **headers: str
) -> Iterator[str]:
    """A server that gives the same answer to whatever it is ``asked``, as a proxy does where the
    real one is away; its address."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(page))}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(page.encode())

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing: the tests' output is their own."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def prefect_server(folder: Path, **environment: str) -> Iterator[str]:
    """``prefect server start`` as a team runs it; the address of its API."""
    port = str(free_port())
    url = f"http://127.0.0.1:{port}/api"
    settings = {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_SERVER_API_PORT": port}
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", port]
    environment = {**os.environ, **settings, **environment}
    environment.pop("PREFECT_API_URL", None)
    with running(command, folder / "prefect-server.log", env=environment):
        wait_for(lambda: answers(f"{url}/health"), "the Prefect server")
        yield url


def team_environment(folder: Path, prefect_url: str, **more: str) -> dict[str, str]:
    """What a team's shell exports: server, store, and where code and declarations are."""
    return {
        **os.environ,
        "PREFECT_API_URL": prefect_url,
        "PREFECT_HOME": str(folder / "prefect"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlruns/mlflow.db",
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests" / "declared")]),
        **more,
    }


def store_client(tracking_uri: str) -> MlflowClient:
    """A client that waits, as the program does, while another process makes a new SQLite store."""
    folder = Path(tracking_uri.removeprefix("sqlite:///")).parent
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / DATABASE_LOCK):
        client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
        client.search_experiments(max_results=1)
    return client


@contextmanager
def declared_to_mlflow(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which MLflow finds what ``pyproject.toml`` declares to it, also where the
    project was installed before that."""
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    if UI_APP in {app.name for app in entry_points(group="mlflow.app")}:
        yield environment
        return
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    plugins = declared["project"]["entry-points"]["mlflow.app"]
    about = folder / "plugins" / "finance_flows_plugins-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: finance-flows-plugins\nVersion: 0\n"
    )
    lines = [f"{name} = {value}\n" for name, value in plugins.items()]
    (about / "entry_points.txt").write_text("[mlflow.app]\n" + "".join(lines))
    paths = [str(about.parent), str(REPOSITORY)]
    sys.path.insert(0, paths[0])
    try:
        yield {**environment, "PYTHONPATH": os.pathsep.join(paths)}
    finally:
        sys.path.remove(paths[0])


@contextmanager
def mlflow_ui(folder: Path, tracking_uri: str) -> Iterator[str]:
    """MLflow's UI over a store, as ``finflows ui`` runs it; its address."""
    port = free_port()
    with declared_to_mlflow(folder) as environment:
        command = [*ui_command(port), "--backend-store-uri", tracking_uri]
    with running(command, folder / "mlflow-ui.log", cwd=folder, env=environment):
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/health"), "the MLflow UI")
        yield f"http://127.0.0.1:{port}"


@contextmanager
def postgresql(log: Path, *databases: str) -> Iterator[str]:
    """A PostgreSQL server with these databases; its address without scheme and database."""
    programs = _postgresql_programs()
    # The server refuses to run as root: then it runs as the user that its package brought.
    user = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    port = str(free_port())
    address = ["-h", "127.0.0.1", "-p", port, "-U", "finflows"]

    def run(program: str, *arguments: str) -> bool:
        command = [str(programs / program), *arguments]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, **user)
        return done.returncode == 0

    with tempfile.TemporaryDirectory() as data:
        if user:
            shutil.chown(data, **user)
        assert run("initdb", "-D", data, "-A", "trust", "-U", "finflows", "-E", "UTF8")
        command = [str(programs / "postgres"), "-D", data, "-p", port, "-k", data]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        with running(command, log, cwd="/", **user):
            wait_for(lambda: run("pg_isready", *address), "PostgreSQL")
            for name in databases:
                assert run("createdb", *address, name)
            yield f"finflows@127.0.0.1:{port}"


def _postgresql_programs() -> Path:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return (versions[-1] if versions else Path(str(shutil.which("initdb"))).resolve()).parent
