"""SHA-256 of every file of a registered version, stored in the database as a tag of the version.

Those who can write a model's files can't write the database: a changed, added or removed file is
reported before any code of the model runs.
"""

import hashlib
import json
import logging
from functools import cache
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from modelling.checkout import command
from modelling.refusals import UsageError
from tasks.tracking.descriptions import DOSSIER_FILE

log = logging.getLogger("finflows")
HASHES_TAG = "files_sha256"
METADATA_FILE = "registered_model_meta"  # MLflow writes it at each download, with name and version


def hashes_of(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below ``folder``, by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {file.relative_to(folder).as_posix(): _sha256(file) for file in files}


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def hash_tag(folder: Path) -> dict[str, str]:
    """The tag of a version with the hashes of its files in ``folder``."""
    return {HASHES_TAG: json.dumps(_hashes_of_registered(folder))}


def _hashes_of_registered(folder: Path) -> dict[str, str]:
    return {file: sha for file, sha in hashes_of(folder).items() if file != METADATA_FILE}


def files_sha256(version: ModelVersion) -> str:
    """SHA-256 of the list of the version's files with their hashes; empty where it has none."""
    return sha256_of(version.tags[HASHES_TAG]) if is_hashed(version) else ""


def subject_of(client: MlflowClient, version: ModelVersion) -> dict[str, str]:
    """What exactly is decided about: SHA-256 of the list of its files, and of its dossier; each is
    empty where the version has none."""
    files = files_sha256(version)
    try:
        names = {file.path for file in client.list_artifacts(version.run_id or "")}
    except MlflowException:  # a version without a run, or whose run was removed for good
        names = set()
    if DOSSIER_FILE not in names:
        return {"files": files, "dossier": ""}
    dossier = mlflow.artifacts.load_text(f"runs:/{version.run_id}/{DOSSIER_FILE}")
    return {"files": files, "dossier": sha256_of(dossier)}


def sha256_of(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_hashed(version: ModelVersion) -> bool:
    """Whether ``version`` has hashes of its files; those of earlier releases have none."""
    return HASHES_TAG in version.tags


def refuse_changed(folder: Path, version: ModelVersion) -> None:
    """Raises UsageError with the name of the file where ``folder`` differs from what was
    registered."""
    if not is_hashed(version):
        _warn_of_missing_hashes(version.name, str(version.version), version.source)
        return
    registered = json.loads(version.tags[HASHES_TAG])
    if difference := _first_difference(registered, _hashes_of_registered(folder)):
        file, how = difference
        raise UsageError(
            f"the file {file} of {version.name} version {version.version} is not what was "
            f"registered, it {how}: no code of the model was run. Find out who did that, then "
            f"train again ({command('train', version.name)}) or promote another version"
        )


def refuse_difference(copy: Path, original: Path) -> None:
    """Raises UsageError with the name of the file where two folders differ."""
    if difference := _first_difference(hashes_of(original), hashes_of(copy)):
        file, how = difference
        raise UsageError(
            f"the file {file} in {copy} is not what was copied, it {how}: find out who did that, "
            "and remove the folder"
        )


def _first_difference(expected: dict[str, str], found: dict[str, str]) -> tuple[str, str] | None:
    """The first file that is not as expected, and what is wrong with it; line breaks in the name of
    an unexpected file are escaped."""
    for file in sorted({*expected, *found}):
        if file not in expected:
            return (file if file.isprintable() else ascii(file)), "was added"
        if file not in found:
            return file, "is missing"
        if expected[file] != found[file]:
            return file, "has changed"
    return None


@cache
def _warn_of_missing_hashes(name: str, version: str, _source: str) -> None:
    """Once per process and version: a command may load a version more than once. Another store has
    another source."""
    log.warning(
        "%s version %s was registered without hashes of its files, so it can't be checked whether "
        "they have changed. Newly trained versions have hashes",
        name,
        version,
    )
