"""Where MLflow keeps its records: the local SQLite store, or the server that is configured."""

import os
import re
import socket
import subprocess
import sys
import time
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING
from urllib.parse import urlparse
from urllib.request import getproxies, proxy_bypass

from filelock import BaseFileLock, FileLock

from modelling.declaration import names
from modelling.refusals import UsageError
from modelling.secrets import without_login
from tasks.workers.processes import end_processes, process_tree

if TYPE_CHECKING:  # the command line looks at the store's address before anything heavy is imported
    from mlflow import MlflowClient

ROOT = Path(__file__).resolve().parents[2]
DATABASE_LOCK = "database.lock"  # beside a SQLite file, while its tables are made
PAUSES_SECONDS = (5, 15, 60)  # a restart of a server, or a migration of its database


def tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI`` where it is set, else the SQLite store under ``mlruns/``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{ROOT / 'mlruns' / 'mlflow.db'}"


def ui_address() -> str:
    """Where a browser finds the store: its server, or what ``make ui`` opens."""
    uri = tracking_uri()
    is_server = uri.startswith(("http:", "https:"))
    return without_login(uri).rstrip("/") if is_server else "http://127.0.0.1:5000"


class UnreachableError(UsageError):
    """The store does not answer now; it may do so later."""


DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


def refuse_unusable_store() -> None:
    """Raises UsageError for an address that nothing here can work with, without asking anybody."""
    uri = tracking_uri()
    if uri.startswith(("http:", "https:")):
        names.check_server_address(uri, "MLFLOW_TRACKING_URI")
    scheme = uri.partition(":")[0].partition("+")[0]
    if is_file_store(uri):
        raise UsageError(
            f"MLFLOW_TRACKING_URI={uri} is a file store, which MLflow 3 no longer writes: run "
            "'mlflow migrate-filestore' once, then name the sqlite:/// address"
        )
    if scheme not in ("http", "https", *DATABASES):
        raise UsageError(
            f"MLFLOW_TRACKING_URI: {scheme or uri} is not supported: name an MLflow server "
            f"(http, https) or a database ({', '.join(DATABASES)}), or unset it for the local store"
        )
    if scheme == "sqlite" and not can_be_written(local_folder()):
        raise UsageError(
            f"{local_folder()} can't be written, where the tracking database is: set "
            "MLFLOW_TRACKING_URI to a store that can"
        )


def is_file_store(uri: str) -> bool:
    """Whether MLflow would take this address for a folder; ``databricks`` and such are none."""
    services = ("databricks", "databricks-uc", "uc")
    return re.match(r"(?!file:)[a-zA-Z][\w+.-]*:", uri) is None and uri not in services


def can_be_written(folder: Path) -> bool:
    """Whether files can be made in ``folder``, which is made where it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@cache
def connect() -> "MlflowClient":
    """A client of the store, which is created if it is new. Raises UsageError if out of reach."""
    refuse_unusable_store()
    import mlflow

    uri = tracking_uri()
    mlflow.set_tracking_uri(uri)
    # MLflow would print the address of each run of a server, password included.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    try:
        _refuse_deaf_server(uri)
        with nullcontext() if uri.startswith("http") else _one_at_a_time():
            # Making the client already creates the tables of a new database.
            registry = os.environ.get("MLFLOW_REGISTRY_URI", uri)
            client = mlflow.MlflowClient(uri, registry_uri=registry)
            client.search_experiments(max_results=1)
    except Exception as error:
        raise UnreachableError(_unreachable(uri, error)) from None
    return client


def _unreachable(uri: str, error: Exception) -> str:
    shown = without_login(uri)
    refusing = ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED")
    if getattr(error, "error_code", "") in refusing or re.search(r"code 40[13]\b", str(error)):
        return (
            f"the tracking server {shown} refuses this user: set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        )
    reason = str(error) if isinstance(error, ImportError) else type(error).__name__
    advice = "start it, or unset MLFLOW_TRACKING_URI to use the local store"
    if "MLFLOW_TRACKING_URI" not in os.environ:
        advice = "is it a database of MLflow, and of this version?"
    return f"the tracking server {shown} can't be reached ({reason}): {advice}"


def connect_patiently() -> "MlflowClient":
    """As ``connect``, for runs that nobody watches: tries again while the store is out of reach."""
    for pause in PAUSES_SECONDS:
        try:
            return connect()
        except UnreachableError:
            time.sleep(pause)
    return connect()


def _refuse_deaf_server(uri: str) -> None:
    """MLflow itself would try for minutes."""
    address = urlparse(uri)
    if address.scheme in getproxies() and not proxy_bypass(address.hostname or ""):
        return  # only the proxy can know
    ports = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
    port = address.port or ports.get(address.scheme.partition("+")[0])
    if address.hostname and port:
        socket.create_connection((address.hostname, port), timeout=5).close()


def _one_at_a_time() -> BaseFileLock:
    """Processes of this machine that start together on a new database fail in its migrations."""
    folder = local_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / DATABASE_LOCK, timeout=300)


def local_folder() -> Path:
    """Where this machine keeps what is not in the store: beside a SQLite file, else ``mlruns/``."""
    uri = tracking_uri()
    if uri.startswith("sqlite:///"):
        return Path(uri.removeprefix("sqlite:///")).resolve().parent
    return ROOT / "mlruns"


def scratch_folder(run_id: str) -> Path:
    """Where a run of this machine keeps files while it runs; it goes when the run is closed."""
    return local_folder() / "scratch" / names.check_run_id(run_id)


def checkpoint_folder(run_id: str) -> Path:
    """Where a run of this machine keeps its checkpoints; it goes when the run is finished."""
    return local_folder() / "checkpoints" / names.check_run_id(run_id)


def experiment_id(client: "MlflowClient", name: str) -> str:
    """The experiment called ``name``, created if it is new, with artifacts at an absolute place.
    Raises UsageError where it was deleted."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = None  # a server decides for itself
        if not tracking_uri().startswith(("http:", "https:")):
            location = (local_folder() / "artifacts").as_uri()
        try:
            return client.create_experiment(name, artifact_location=location)
        except MlflowException:  # another process was first
            experiment = client.get_experiment_by_name(name)
            assert experiment is not None
    if experiment.lifecycle_stage == "deleted":
        restore = f"mlflow experiments restore --experiment-id {experiment.experiment_id}"
        raise UsageError(f"the experiment {name} is deleted: restore it with '{restore}'")
    return experiment.experiment_id


def shown_at(path: str) -> str:
    """How somebody gets to see ``path``: on the server, or once ``make ui`` opens the store."""
    first = "" if tracking_uri().startswith(("http:", "https:")) else "make ui, then "
    return f"{first}{ui_address()}{path}"


def serve_ui(port: int) -> None:
    """MLflow's own UI over the store, on 127.0.0.1, until it is interrupted."""
    connect()
    if tracking_uri().startswith(("http:", "https:")):
        raise UsageError(f"the runs are on a server, which shows them: {shown_at('')}")
    command = [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port)]
    # A command line is everybody's to read; an environment is not.
    settings = {**os.environ, "MLFLOW_BACKEND_STORE_URI": tracking_uri()}
    # A session of its own: who interrupts this process has it end the UI, and all that it started.
    with subprocess.Popen(command, env=settings, start_new_session=True) as server:
        try:
            server.wait()
        finally:
            end_processes(process_tree(server.pid), timeout_seconds=2)
