"""Files and folders of customers' rows while they are written: their owner's alone, and gone with
the process that wrote them.

Whoever writes holds a lock on them, which the system lets go when the process ends, however it
ends. So what nobody holds is a leftover of one that was killed, on whatever machine, and what is
held is never removed.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from tasks.tracking.store import local_folder

PART = ".part"


@contextmanager
def unfinished_file(path: Path) -> Iterator[Path]:
    """A new and empty file beside ``path`` that takes its place when all is written, or that goes.

    Where it lies is noted beside the store, for ``remove_leftovers``. One that stays empty is no
    file: then an older one at ``path`` goes, too.
    """
    remove_leftovers()
    for left in path.parent.glob(f".*{PART}"):  # of another store's
        if left.name.startswith(f".{path.name}."):
            _remove_abandoned(left)
    part = path.with_name(f".{path.name}.{os.getpid()}-{uuid4().hex[:8]}{PART}")
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
    """The new and empty ``folder`` for the time being; what a killed process left there goes."""
    remove_leftovers()
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _hold(descriptor)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _new_file(path: Path) -> int:
    """Make ``path``, and hold it from then on; the descriptor to close."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        _hold(descriptor)
        if os.stat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # somebody took it for a leftover before it was held


def _hold(descriptor: int) -> None:
    """Where a disk knows no locks nobody can hold a file: then nobody removes one either."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_leftovers() -> list[str]:
    """Remove what killed processes were writing, wherever it lies; one line for each."""
    lines = []
    for note in _notes().glob("*.txt"):
        part = Path(note.read_text(encoding="utf-8"))
        if part.suffix == PART and _remove_abandoned(part):
            lines.append(f"{part} removed: whoever wrote it was killed")
        if not part.exists():
            note.unlink(missing_ok=True)
    for folder in (local_folder() / "scratch").glob("*"):
        if _remove_abandoned(folder):
            lines.append(f"{folder} removed: whoever used it was killed")
    return lines


def _remove_abandoned(path: Path) -> bool:
    """Remove ``path`` where it is there and nobody holds it; whether that was so."""
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
    """Where it is written that ``part`` is; a store that can't be written has none."""
    note = _notes() / f"{hashlib.sha256(str(part.resolve()).encode()).hexdigest()[:16]}.txt"
    with suppress(OSError):
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(note, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(str(part.resolve()))
    return note
