"""Read the files of registered versions, unless they have changed since the registration.

They are not read in place, where somebody else may write at the same time, but copied to a folder
of this process, and compared with the hashes that are stored with the version.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from modelling.checkout import command
from modelling.refusals import UsageError
from tasks.registry.file_hashes import is_hashed, refuse_changed
from tasks.tracking.addresses import folder_of, moved_store
from tasks.tracking.pages import all_pages
from tasks.tracking.store import connect


def load_version(name: str, version: str) -> Any:
    """The registered version as MLflow loads it. Raises UsageError, before any of its code runs,
    where its files are missing, have changed or can't be read."""
    with verified_files(name, version) as folder, refuse_unreadable_files(name, version):
        return mlflow.pyfunc.load_model(str(folder))


@contextmanager
def verified_files(name: str, version: str) -> Iterator[Path]:
    """A temporary copy of a version's files that only its owner can read. Raises UsageError where
    they are missing or have changed."""
    with ExitStack() as stack:
        with refuse_unreadable_files(name, version):
            folder = stack.enter_context(downloaded_model(f"models:/{name}/{version}"))
            refuse_changed(folder, connect().get_model_version(name, version))
        yield folder


@contextmanager
def downloaded_model(address: str) -> Iterator[Path]:
    """A temporary copy of the model at ``address`` that only its owner can read. Raises
    FileNotFoundError where there is none: MLflow would silently copy nothing."""
    with TemporaryDirectory(prefix="finflows-model-") as folder:
        mlflow.artifacts.download_artifacts(address, dst_path=folder)
        if not Path(folder, "MLmodel").exists():
            raise FileNotFoundError(f"{address}: MLmodel")
        remove_compiled_code(Path(folder))
        yield Path(folder)


def remove_compiled_code(folder: Path) -> None:
    """Remove what Python wrote when somebody loaded the model in place, or what somebody put there:
    Python would run it in the place of the model's own code."""
    for compiled in [*folder.rglob("__pycache__")]:
        shutil.rmtree(compiled)


@contextmanager
def refuse_unreadable_files(name: str, version: str) -> Iterator[None]:
    """Where reading the files of a version fails in the block, raises UsageError, which says where
    they should be and what to do."""
    folder = folder_of(connect().get_model_version_download_uri(name, version))
    try:
        yield
    except Exception as error:
        if folder and is_gone(folder):
            raise UsageError(_files_missing(name, version, folder)) from None
        if isinstance(error, UsageError):
            raise
        reason = f"can't be read at {folder or 'its artifact store'} ({type(error).__name__})"
        raise UsageError(_with_advice(name, version, reason)) from None


def _files_missing(name: str, version: str, folder: Path) -> str:
    if where := moved_store(str(folder), 3):  # models/ID/artifacts
        return f"version {version} of {name}: {where}"
    return _with_advice(name, version, f"has no files any more at {folder}")


def _with_advice(name: str, version: str, reason: str) -> str:
    advice = f"train again ({command('train', name)}) or promote another version"
    return f"version {version} of {name} {reason}: {advice}"


def is_gone(folder: Path) -> bool:
    """Whether there is no model in ``folder``; False where it may not be read."""
    try:
        os.stat(folder / "MLmodel")
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


class VersionsInUse(NamedTuple):
    """How many versions are champion or challenger, how many of them have no hashes, and one line
    for each whose files are missing or have changed, or whose run is deleted."""

    versions: int
    unhashed: int
    unusable: list[str]


def versions_in_use(client: MlflowClient) -> VersionsInUse:
    """The champions and challengers that this project registered, and the state of their files."""
    unusable, count, unhashed = [], 0, 0
    for model in all_pages(client.search_registered_models):
        aliases = client.get_registered_model(model.name).aliases
        for version in sorted({str(version) for version in aliases.values()}, key=int):
            registered = client.get_model_version(model.name, version)
            if not is_of_project(client, registered):
                continue
            count, unhashed = count + 1, unhashed + (not is_hashed(registered))
            reason = reason_unusable(model.name, version) or _deleted_run(client, registered)
            if reason:
                unusable.append(reason)
    return VersionsInUse(count, unhashed, unusable)


def reason_unusable(name: str, version: str) -> str | None:
    """Why the files of a version can't be used, in one line; None where they can be."""
    try:
        with verified_files(name, version):
            return None
    except UsageError as error:
        return str(error)


def _deleted_run(client: MlflowClient, version: ModelVersion) -> str | None:
    """What is to be done about a run in MLflow's trash: its files are there, until it is purged."""
    try:
        run = client.get_run(str(version.run_id))
    except MlflowException:  # purged, or never there
        return None
    if run.info.lifecycle_stage != "deleted":
        return None
    return (
        f"the run of version {version.version} of {version.name} is deleted: 'mlflow gc' would "
        f"remove its dossier; restore it (mlflow runs restore --run-id {run.info.run_id}), or "
        "promote another version"
    )


def is_of_project(client: MlflowClient, version: ModelVersion) -> bool:
    """Whether this project registered the version: by its hashes, since its run may be gone, or, of
    earlier releases, by its run."""
    return is_hashed(version) or experiment_of_project_run(client, version.run_id) is not None


def experiment_of_project_run(client: MlflowClient, run_id: str | None) -> str | None:
    """The experiment of a run of this project; None for any other run."""
    try:
        run = client.get_run(run_id) if run_id else None
    except MlflowException:
        return None
    return run.info.experiment_id if run and "use_case" in run.data.tags else None
