"""The files of registered versions: read, or said to be gone in one clear line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlparse
from urllib.request import url2pathname

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from modelling.refusals import UsageError
from tasks.tracking.store import connect


def load_version(name: str, version: str) -> Any:
    """The registered version as MLflow loads it. Raises UsageError where its files are gone or
    can't be read."""
    with read_or_refused(name, version):
        return mlflow.pyfunc.load_model(f"models:/{name}/{version}")


@contextmanager
def read_or_refused(name: str, version: str) -> Iterator[None]:
    """Where reading the files of a version fails, one line says which, where, and what to do."""
    folder = folder_of(connect().get_model_version_download_uri(name, version))
    try:
        yield
    except Exception as error:
        if folder and is_gone(folder):
            raise UsageError(_lost(name, version, folder)) from None
        reason = f"can't be read at {folder or 'its artifact store'} ({type(error).__name__})"
        raise UsageError(_what_to_do(name, version, reason)) from None


def _lost(name: str, version: str, folder: Path) -> str:
    return _what_to_do(name, version, f"has no files any more at {folder}")


def _what_to_do(name: str, version: str, reason: str) -> str:
    todo = f"train again (finflows train {name}) or promote another version"
    return f"version {version} of {name} {reason}: {todo}"


def folder_of(location: str) -> Path | None:
    """The folder on this machine, None for an address elsewhere (which may hold a password)."""
    address = urlparse(location)
    if address.scheme not in ("", "file"):
        return None
    return Path(url2pathname(address.path if address.scheme else location))  # as MLflow reads it


def is_gone(folder: Path) -> bool:
    """Whether no model lies in ``folder``; one that may not be looked at is not gone."""
    try:
        os.stat(folder / "MLmodel")
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


class InUse(NamedTuple):
    """How many versions are champion or challenger, and of those without files, one line each."""

    versions: int
    lost: list[str]


def versions_in_use(client: MlflowClient) -> InUse:
    """The champions and challengers that this project registered, and whether they have files."""
    lost, count = [], 0
    for model in client.search_registered_models(max_results=1000):
        aliases = client.get_registered_model(model.name).aliases
        for version in sorted({str(one) for one in aliases.values()}, key=int):
            run_id = client.get_model_version(model.name, version).run_id
            if experiment_of_ours(client, run_id) is None:
                continue
            count += 1
            folder = folder_of(client.get_model_version_download_uri(model.name, version))
            if folder and is_gone(folder):
                lost.append(_lost(model.name, version, folder))
    return InUse(count, lost)


def experiment_of_ours(client: MlflowClient, run_id: str | None) -> str | None:
    """The experiment of a run that this project made, None for any other run."""
    try:
        run = client.get_run(run_id) if run_id else None
    except MlflowException:
        return None
    return run.info.experiment_id if run and "use_case" in run.data.tags else None
