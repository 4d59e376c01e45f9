"""Files and folders while they are written. With customers' rows, only their owner can read them,
and they are removed if their process is killed.

The process that writes holds a lock on them, which the system releases when the process ends, in
whatever way. So an unlocked one is a leftover of a killed process, on whatever machine, and a
locked one is never removed.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from modelling.refusals import UsageError
from tasks.tracking.addresses import is_writable, local_folder

PARTIAL_SUFFIX = ".part"


def refuse_output(path: Path, named: str, kinds: tuple[str, ...] = ()) -> None:
    """Raise UsageError where no file could be written to ``path``, or one of none of the ``kinds``
    (``.csv``); ``named`` is the flag or argument that names it."""
    if path.is_dir():
        raise UsageError(f"{named} {path} is a folder: add the name of a file")
    if path.is_symlink() or (path.exists() and not path.is_file()):  # such as /dev/stdout
        raise UsageError(f"{named} {path} is a link or a device: name a file")
    if kinds and path.suffix.lower() not in kinds:
        raise UsageError(f"{named} {path}: name a {' or '.join(kinds)} file")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"{named} {path}: no such folder: {folder}")
    if not is_writable(folder):
        raise UsageError(f"{named} {path}: the folder {folder} can't be written")


def write_whole(path: Path, text: str) -> None:
    """Write a text file without customers' rows. Where that fails, as on a full disk, what was at
    ``path`` stays as it was."""
    part = _beside(path)
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def unfinished_file(path: Path) -> Iterator[Path]:
    """A new, empty file next to ``path``, which replaces it after the block, or is removed where
    the block fails.

    Its path is noted in the local folder, for ``remove_leftovers``. If it stays empty, there is no
    file at ``path`` after the block: an older one is removed, too.
    """
    remove_leftovers()
    for leftover in path.parent.glob(f".*{PARTIAL_SUFFIX}"):  # noted in another store
        if leftover.name.startswith(f".{path.name}."):
            _remove_abandoned(leftover)
    part = _beside(path)
    descriptor, note = _new_file(part), _note(part)
    try:
        yield part
        if os.stat(descriptor).st_size:
            os.replace(part, path)
        else:
            path.unlink(missing_ok=True)
    finally:
        part.unlink(missing_ok=True)
        note.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def unfinished_folder(folder: Path) -> Iterator[Path]:
    """The new, empty ``folder`` for the duration of the block; what a killed process left in it is
    removed first."""
    remove_leftovers()
    folder.parent.mkdir(parents=True, exist_ok=True)  # where other users may have theirs
    shutil.rmtree(folder, ignore_errors=True)
    descriptor = _new_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{uuid4().hex[:8]}{PARTIAL_SUFFIX}")


def _new_file(path: Path) -> int:
    """Create and lock ``path``; returns the descriptor to close."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        _lock(descriptor)
        if os.stat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # another process removed it as a leftover before it was locked


def _new_folder(path: Path) -> int:
    """``_new_file`` for a folder."""
    while True:
        path.mkdir(mode=0o700)
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        _lock(descriptor)
        if path.exists():
            return descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Lock a new file, which another process holds at most while it removes it. A file system
    without locks fails here, and also when leftovers are removed, so that nothing is removed
    there."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def remove_leftovers() -> list[str]:
    """Remove what killed processes were writing; returns one line for each."""
    lines = []
    for note in _notes().glob("*.txt"):
        try:
            part = Path(note.read_text(encoding="utf-8"))
        except FileNotFoundError:  # another process finished its file meanwhile
            continue
        if part.suffix == PARTIAL_SUFFIX and _remove_abandoned(part):
            lines.append(f"{part} removed: the process that wrote it was killed")
        if not part.exists():
            note.unlink(missing_ok=True)
    for folder in (local_folder() / "scratch").glob("*"):
        if _remove_abandoned(folder):
            lines.append(f"{folder} removed: the process that used it was killed")
    return lines


def _remove_abandoned(path: Path) -> bool:
    """Remove ``path`` if it exists and is not locked; returns whether it was removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _notes() -> Path:
    return local_folder() / "unfinished"


def _note(part: Path) -> Path:
    """Write the note with the path of ``part``; none where the folder can't be written."""
    note = _notes() / f"{hashlib.sha256(str(part.resolve()).encode()).hexdigest()[:16]}.txt"
    with suppress(OSError):
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(note, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(str(part.resolve()))
    return note
