"""MLflow's tracking store: the local SQLite database, or the configured server."""

import os
import re
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING
from urllib.parse import urlparse
from urllib.request import getproxies, proxy_bypass

from filelock import FileLock

from modelling.checkout import command, home_folder, make
from modelling.declaration import names
from modelling.refusals import UsageError
from modelling.secrets import without_login

if TYPE_CHECKING:  # the command line uses this module before the heavy imports
    from mlflow import MlflowClient

SQLITE = "sqlite:///"
DATABASE_LOCK = "database.lock"  # next to a SQLite file, while its tables are created
# MLflow's pages are about traces of language models, unless they are told otherwise. That of 3.17
# goes by the address, or by what the browser knows (``tasks.tracking.ui``); others go by the tag.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
MACHINE_LEARNING = "?workflowType=machine_learning"
RETRY_AFTER_SECONDS = (5, 15, 60)  # long enough to restart a server, or migrate its database


def tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI`` where it is set, otherwise the SQLite database in ``mlruns/``; a file
    with its whole path, so that it stays the same when the current folder changes."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or _local_uri()
    file = uri.removeprefix(SQLITE)
    return uri if file == uri else f"{SQLITE}{Path(file).absolute()}"


def _local_uri() -> str:
    return f"{SQLITE}{local_store() / 'mlflow.db'}"


def ui_address() -> str:
    """The address of the UI: the tracking server, or what ``finflows ui`` opens."""
    uri = tracking_uri()
    is_server = uri.startswith(("http:", "https:"))
    return without_login(uri).rstrip("/") if is_server else "http://127.0.0.1:5000"


class UnreachableError(UsageError):
    """The store does not answer; it may answer later."""


DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


def refuse_unusable_store() -> None:
    """Raises UsageError for a tracking address that can't be used, without connecting to it."""
    uri = tracking_uri()
    if uri.startswith(("http:", "https:")):
        names.check_server_address(uri, "MLFLOW_TRACKING_URI")
    scheme = uri.partition(":")[0].partition("+")[0]
    if is_file_store(uri):
        raise UsageError(
            f"MLFLOW_TRACKING_URI={uri} is a file store, which MLflow 3 no longer writes: run "
            "'mlflow migrate-filestore' once, then set the sqlite:/// address"
        )
    if scheme not in ("http", "https", *DATABASES):
        raise UsageError(
            f"MLFLOW_TRACKING_URI: {scheme or uri} is not supported: set an MLflow server "
            f"(http, https) or a database ({', '.join(DATABASES)}), or unset it for the local store"
        )
    if scheme == "sqlite" and not is_writable(local_folder()):
        raise UsageError(
            f"{local_folder()} can't be written, the folder of the tracking database: set "
            "MLFLOW_TRACKING_URI to another store"
        )
    database = Path(uri.removeprefix(SQLITE))
    for file in (database, database.with_name(DATABASE_LOCK)) if scheme == "sqlite" else ():
        if file.exists() and not os.access(file, os.W_OK):
            raise UsageError(_of_another_user(file))


def _of_another_user(file: Path) -> str:
    return (
        f"{file} can't be written by this user, a file of the tracking store that another made: "
        "have its owner allow it (chmod g+w), or set MLFLOW_TRACKING_URI to another store"
    )


def is_file_store(uri: str) -> bool:
    """Whether MLflow reads this address as a folder, which ``databricks`` and the like are not."""
    services = ("databricks", "databricks-uc", "uc")
    return re.match(r"(?!file:)[a-zA-Z][\w+.-]*:", uri) is None and uri not in services


def is_writable(folder: Path) -> bool:
    """Whether files can be created in ``folder``, which is created if it does not exist."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def connect() -> "MlflowClient":
    """A client of the store that is configured now: in a notebook it may be another one than
    before. A new store is created. Raises UsageError if it can't be reached."""
    uri = tracking_uri()
    client = _client(uri, os.environ.get("MLFLOW_REGISTRY_URI", uri))
    import mlflow

    mlflow.set_tracking_uri(uri)  # for what MLflow does without a client
    return client


@cache
def _client(uri: str, registry: str) -> "MlflowClient":
    refuse_unusable_store()
    import mlflow

    # MLflow would print the address of each run on a server, with the password.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    try:
        _refuse_unreachable_server(uri)
        # Two processes that create the tables together both fail.
        with nullcontext() if uri.startswith("http") else store_lock(DATABASE_LOCK, 300):
            if uri.startswith(SQLITE):
                _gather_statistics(Path(uri.removeprefix(SQLITE)))
            # Creating the client creates the tables of a new database.
            client = mlflow.MlflowClient(uri, registry_uri=registry)
            client.search_experiments(max_results=1)
    except Exception as error:
        _refuse_other_tables(uri, error)
        raise UnreachableError(_unreachable(uri, error)) from None
    return client


def _gather_statistics(database: Path) -> None:
    """Have SQLite look at a few rows of each table (0.04 s for 40,000 runs). Without, it sorts runs
    by a metric in a time that is quadratic in their number, on MLflow's pages as well."""
    if not database.exists():
        return
    # Where another process writes, or this one may not, the statistics are those of before.
    with suppress(sqlite3.Error), closing(sqlite3.connect(database, timeout=1)) as connection:
        connection.execute("PRAGMA analysis_limit = 400")
        connection.execute("ANALYZE")


def _refuse_other_tables(uri: str, error: Exception) -> None:
    """Raise UsageError where MLflow says that another version of it made the tables: it goes on
    with older ones when somebody says so, since it changes them."""
    if "mlflow db upgrade" in str(error):
        shown = without_login(uri)
        raise UsageError(
            f"the tables in {shown} were made by another version of MLflow: if it was an earlier "
            f"one, copy the database and run '{Path(sys.executable).parent}/mlflow db upgrade "
            f"{shown}'; else install the later one here"
        )


def _unreachable(uri: str, error: Exception) -> str:
    shown = without_login(uri)
    refusing = ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED")
    if getattr(error, "error_code", "") in refusing or re.search(r"code 40[13]\b", str(error)):
        return (
            f"the tracking server {shown} refuses this user: set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        )
    reason = str(error) if isinstance(error, ImportError) else type(error).__name__
    if uri.startswith(SQLITE):
        return (
            f"{uri.removeprefix(SQLITE)}, the tracking database, can't be used ({reason}): another "
            "program may hold it, or it is no whole database of MLflow. Put a copy back, or set "
            "MLFLOW_TRACKING_URI to another store"
        )
    advice = "start it, or unset MLFLOW_TRACKING_URI to use the local store"
    return f"the tracking server {shown} can't be reached ({reason}): {advice}"


def connect_with_retries() -> "MlflowClient":
    """``connect`` for scheduled runs: retries while the store can't be reached."""
    for pause in RETRY_AFTER_SECONDS:
        try:
            return connect()
        except UnreachableError:
            time.sleep(pause)
    return connect()


def _refuse_unreachable_server(uri: str) -> None:
    """Fail at once where no server answers: MLflow itself would retry for minutes."""
    address = urlparse(uri)
    if address.scheme in getproxies() and not proxy_bypass(address.hostname or ""):
        return  # only the proxy can connect
    ports = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
    port = address.port or ports.get(address.scheme.partition("+")[0])
    if address.hostname and port:
        socket.create_connection((address.hostname, port), timeout=5).close()


@contextmanager
def store_lock(file: str, seconds: float) -> Iterator[None]:
    """Only one process of this machine at a time has the lock ``file`` of the store; it is released
    when its process is killed. Raises UsageError where another user made a file that this one can't
    write, ``filelock.Timeout`` after ``seconds``."""
    path = local_folder() / file
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=seconds)
    try:
        lock.acquire()
    except PermissionError:
        raise UsageError(_of_another_user(path)) from None
    try:
        yield
    finally:
        lock.release()


def local_folder() -> Path:
    """The folder for files that are not in the store: that of the SQLite file, else ``mlruns/``."""
    uri = tracking_uri()
    if uri.startswith(SQLITE):
        return Path(uri.removeprefix(SQLITE)).resolve().parent
    return local_store()


def local_store() -> Path:
    """The folder of the database that is used where no other store is configured."""
    return home_folder() / "mlruns"


def scratch_folder(run_id: str) -> Path:
    """The folder for the temporary files of a run; removed when the run is closed."""
    return local_folder() / "scratch" / names.check_run_id(run_id)


def checkpoint_folder(run_id: str) -> Path:
    """The folder for the checkpoints of a run; removed when the run is finished."""
    return local_folder() / "checkpoints" / names.check_run_id(run_id)


def experiment_id(client: "MlflowClient", name: str, description: str = "") -> str:
    """The id of the experiment called ``name``; a new one is created, with an absolute path for its
    artifacts. Where it has no description, it gets this one. Raises UsageError where it was
    deleted."""
    from mlflow.exceptions import MlflowException

    tags = {**EXPERIMENT_TAGS, **({"mlflow.note.content": description} if description else {})}
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = None  # a server decides for itself
        if not tracking_uri().startswith(("http:", "https:")):
            location = (local_folder() / "artifacts").as_uri()
        try:
            return client.create_experiment(name, artifact_location=location, tags=tags)
        except MlflowException:  # another process was first
            experiment = client.get_experiment_by_name(name)
            assert experiment is not None
    if experiment.lifecycle_stage == "deleted":
        restore = f"mlflow experiments restore --experiment-id {experiment.experiment_id}"
        raise UsageError(f"the experiment {name} is deleted: restore it with '{restore}'")
    for tag in tags.keys() - experiment.tags.keys():  # made by an earlier version; never a person's
        client.set_experiment_tag(experiment.experiment_id, tag, tags[tag])
    return experiment.experiment_id


def run_path(experiment: str, run_id: str) -> str:
    """The path of a run in MLflow's UI, after the address of the UI."""
    return f"/#/experiments/{experiment}/runs/{run_id}{MACHINE_LEARNING}"


def how_to_open(path: str) -> str:
    """How to open ``path`` in the UI: on the server, or after it is started."""
    start = f"{make('ui', command('ui'))}, then "
    first = "" if tracking_uri().startswith(("http:", "https:")) else start
    return f"{first}{ui_address()}{path}"
