"""The files of registered versions: as they were registered, or one clear line says what is wrong.

They are never read where they lie, where somebody else may write at the same moment, but copied to
a folder of this process, and there compared with the hashes that stand with the version.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlparse
from urllib.request import url2pathname

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from modelling.refusals import UsageError
from tasks.registry.file_hashes import is_hashed, refuse_changed
from tasks.tracking.pages import all_pages
from tasks.tracking.store import connect


def load_version(name: str, version: str) -> Any:
    """The registered version as MLflow loads it. Raises UsageError where its files are gone, are
    not what was registered, or can't be read; then nothing of them has run."""
    with files_of(name, version) as folder, read_or_refused(name, version):
        return mlflow.pyfunc.load_model(str(folder))


@contextmanager
def files_of(name: str, version: str) -> Iterator[Path]:
    """A copy of a version's files for the time of the block, its owner's alone. Raises UsageError
    where they are gone or not what was registered."""
    with ExitStack() as stack:
        with read_or_refused(name, version):
            folder = stack.enter_context(fetched(f"models:/{name}/{version}"))
            refuse_changed(folder, connect().get_model_version(name, version))
        yield folder


@contextmanager
def fetched(address: str) -> Iterator[Path]:
    """A copy of the model at ``address`` for the time of the block, its owner's alone. Raises
    FileNotFoundError where none is there: MLflow copies nothing then, and does not mind."""
    with TemporaryDirectory(prefix="finflows-model-") as folder:
        mlflow.artifacts.download_artifacts(address, dst_path=folder)
        if not Path(folder, "MLmodel").exists():
            raise FileNotFoundError(f"{address}: MLmodel")
        # What Python made of the code, where somebody loaded it in its place, or says that it made.
        for compiled in [*Path(folder).rglob("__pycache__")]:
            shutil.rmtree(compiled)
        yield Path(folder)


@contextmanager
def read_or_refused(name: str, version: str) -> Iterator[None]:
    """Where reading the files of a version fails, one line says which, where, and what to do."""
    folder = folder_of(connect().get_model_version_download_uri(name, version))
    try:
        yield
    except Exception as error:
        if folder and is_gone(folder):
            raise UsageError(_lost(name, version, folder)) from None
        if isinstance(error, UsageError):
            raise
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
    """How many versions are champion or challenger, how many of them have no hashes, and one line
    for each whose files are gone or not what was registered."""

    versions: int
    unhashed: int
    unusable: list[str]


def versions_in_use(client: MlflowClient) -> InUse:
    """The champions and challengers that this project registered, and the state of their files."""
    unusable, count, unhashed = [], 0, 0
    for model in all_pages(client.search_registered_models):
        aliases = client.get_registered_model(model.name).aliases
        for version in sorted({str(one) for one in aliases.values()}, key=int):
            registered = client.get_model_version(model.name, version)
            if experiment_of_ours(client, registered.run_id) is None:
                continue
            count, unhashed = count + 1, unhashed + (not is_hashed(registered))
            if reason := why_unusable(model.name, version):
                unusable.append(reason)
    return InUse(count, unhashed, unusable)


def why_unusable(name: str, version: str) -> str | None:
    """Why the files of a version can't be used, in one line; None where they can."""
    try:
        with files_of(name, version):
            return None
    except UsageError as error:
        return str(error)


def experiment_of_ours(client: MlflowClient, run_id: str | None) -> str | None:
    """The experiment of a run that this project made, None for any other run."""
    try:
        run = client.get_run(run_id) if run_id else None
    except MlflowException:
        return None
    return run.info.experiment_id if run and "use_case" in run.data.tags else None
