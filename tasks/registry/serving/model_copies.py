"""The models that servers of this machine read: one copy for each registration, until no server
uses it any more.

A server registers as a user of its copy. Users that have ended, however, no longer count.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

from mlflow.entities.model_registry import ModelVersion

from tasks.registry.file_hashes import refuse_difference
from tasks.registry.model_files import remove_compiled_code, verified_files
from tasks.tracking.addresses import local_folder, tracking_uri
from tasks.workers.processes import has_died, process_tag


def serving_folder() -> Path:
    """The folder for all that servers of this machine need."""
    return local_folder() / "serving"


def copy_model(registered: ModelVersion, user: int) -> Path:
    """The copy of a version for the process ``user``; the caller holds the lock of the folder.

    Raises UsageError where its files or their copy have changed.
    """
    folder = _models() / registration_key(registered)
    with verified_files(registered.name, str(registered.version)) as fetched:
        if not folder.exists():
            # Copied under another name, so that a killed process leaves no incomplete model.
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(fetched, partial)
            os.replace(partial, folder)
        remove_compiled_code(folder)
        refuse_difference(folder, fetched)
    users = _users()
    users.mkdir(exist_ok=True)
    (users / f"{folder.name} {process_tag(user)}").touch()
    return folder


def registration_key(registered: ModelVersion) -> str:
    """A key for this registration only: a version that is deleted and registered again has the same
    number, as may one of another store."""
    facts: list[object] = [tracking_uri(), registered.name, str(registered.version)]
    facts += [registered.creation_timestamp, registered.source]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def release_model(folder: Path, user: int) -> None:
    """The process ``user`` reads this copy no longer."""
    (_users() / f"{folder.name} {process_tag(user)}").unlink(missing_ok=True)


def remove_unused_models() -> None:
    """Remove the copies that no living server uses; the caller holds the lock of the folder."""
    used = set()
    for user in _users().glob("* *"):
        name, _, process = user.name.partition(" ")
        if has_died(process):
            user.unlink(missing_ok=True)
        else:
            used.add(name)
    for copy in _models().glob("*"):
        if copy.name not in used:
            shutil.rmtree(copy, ignore_errors=True)


def _models() -> Path:
    return serving_folder() / "models"


def _users() -> Path:
    return serving_folder() / "users"
