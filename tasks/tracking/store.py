"""Connect to MLflow's tracking store: the local SQLite database, or the configured server."""

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
from typing import TYPE_CHECKING
from urllib.parse import urlparse
from urllib.request import getproxies, proxy_bypass

from filelock import FileLock

from modelling.refusals import UsageError
from modelling.secrets import without_login
from tasks.tracking.addresses import (
    ARTIFACTS,
    DATABASE_LOCK,
    SQLITE,
    file_of_another_user,
    is_server,
    local_folder,
    moved_store,
    refuse_unusable_store,
    tracking_uri,
)

if TYPE_CHECKING:  # the command line uses this module before the heavy imports
    from mlflow import MlflowClient

# MLflow's pages are about traces of language models, unless this tag or the address of the page
# (``MACHINE_LEARNING``) tells them otherwise.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
RETRY_AFTER_SECONDS = (5, 15, 60)  # long enough to restart a server, or migrate its database


class UnreachableError(UsageError):
    """The store does not answer; it may answer later."""


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
        with nullcontext() if is_server(uri) else store_lock(DATABASE_LOCK, 300):
            if uri.startswith(SQLITE):
                gather_statistics(Path(uri.removeprefix(SQLITE)))
            # Creating the client creates the tables of a new database.
            client = mlflow.MlflowClient(uri, registry_uri=registry)
            client.search_experiments(max_results=1)
    except Exception as error:
        _refuse_other_tables(uri, error)
        raise UnreachableError(_unreachable(uri, error)) from None
    return client


def gather_statistics(database: Path) -> None:
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
        raise UsageError(file_of_another_user(path)) from None
    try:
        yield
    finally:
        lock.release()


def experiment_id(client: "MlflowClient", name: str, description: str = "") -> str:
    """The id of the experiment called ``name``; a new one is created, with an absolute path for its
    artifacts. Where it has no description, it gets this one. Raises UsageError where it was
    deleted, or the folder of the store was moved."""
    from mlflow.exceptions import MlflowException

    tags = {**EXPERIMENT_TAGS, **({"mlflow.note.content": description} if description else {})}
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = None  # a server decides for itself
        if not is_server(tracking_uri()):
            location = (local_folder() / ARTIFACTS).as_uri()
        try:
            return client.create_experiment(name, artifact_location=location, tags=tags)
        except MlflowException:
            experiment = client.get_experiment_by_name(name)
            if experiment is None:  # not that another process was first: a full disk, say
                raise
    if experiment.lifecycle_stage == "deleted":
        restore = f"mlflow experiments restore --experiment-id {experiment.experiment_id}"
        raise UsageError(f"the experiment {name} is deleted: restore it with '{restore}'")
    if where := moved_store(experiment.artifact_location):
        raise UsageError(where)
    for tag in tags.keys() - experiment.tags.keys():  # made by an earlier version; never a person's
        client.set_experiment_tag(experiment.experiment_id, tag, tags[tag])
    return experiment.experiment_id
