"""SHA-256 of every file of a registered version, in the database, with the version.

Who can write a model's files can't write what stands there: a changed byte, a file more or a file
less is said before anything of the model runs.
"""

import hashlib
import json
import logging
from functools import cache
from pathlib import Path

from mlflow.entities.model_registry import ModelVersion

from modelling.refusals import UsageError

log = logging.getLogger("finflows")
TAG = "files_sha256"
FETCHED_AS = "registered_model_meta"  # by which name and version: MLflow writes it at each fetch


def hashes_of(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below ``folder``, by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {file.relative_to(folder).as_posix(): _sha256(file) for file in files}


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def hash_tag(folder: Path) -> dict[str, str]:
    """The tag that a version gets for its files, which lie in ``folder``."""
    return {TAG: json.dumps(_registered_in(folder))}


def _registered_in(folder: Path) -> dict[str, str]:
    return {file: one for file, one in hashes_of(folder).items() if file != FETCHED_AS}


def is_hashed(version: ModelVersion) -> bool:
    """Whether it is known what the files of ``version`` were; not so of older registrations."""
    return TAG in version.tags


def refuse_changed(folder: Path, version: ModelVersion) -> None:
    """Raises UsageError, which names the file, unless ``folder`` holds what was registered."""
    if not is_hashed(version):
        _warn_of_unknown(version.name, str(version.version))
        return
    registered = json.loads(version.tags[TAG])
    if different := _first_difference(registered, _registered_in(folder)):
        file, how = different
        raise UsageError(
            f"the file {file} of {version.name} version {version.version} is not what was "
            f"registered, it {how}: nothing of the model was run. Find out who did that, then "
            f"train again (finflows train {version.name}) or promote another version"
        )


def refuse_difference(copy: Path, original: Path) -> None:
    """Raises UsageError, which names the file, unless two folders hold the same."""
    if different := _first_difference(hashes_of(original), hashes_of(copy)):
        file, how = different
        raise UsageError(
            f"the file {file} in {copy} is not what was copied there, it {how}: find out who did "
            "that, and remove the folder"
        )


def _first_difference(wanted: dict[str, str], found: dict[str, str]) -> tuple[str, str] | None:
    """A file that is not as wanted, and what is wrong with it. Whoever named one that is not wanted
    may have put line breaks into the name."""
    for file in sorted({*wanted, *found}):
        if file not in wanted:
            return (file if file.isprintable() else ascii(file)), "came later"
        if file not in found:
            return file, "is gone"
        if wanted[file] != found[file]:
            return file, "has changed"
    return None


@cache
def _warn_of_unknown(name: str, version: str) -> None:
    """Once for each version: a command may load it more often."""
    log.warning(
        "%s version %s was registered without hashes of its files: whether they are still what was "
        "registered can't be checked. A version that is trained now has them",
        name,
        version,
    )
