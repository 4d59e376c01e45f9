"""Requirements from the project's lock, with their own dependencies and with hashes.

With hashes, pip installs only the files that the lock names, whatever the package index offers.
"""

import logging
import re
from collections.abc import Sequence
from typing import NamedTuple

from modelling.checkout import CODE

log = logging.getLogger("finflows")
LOCK = CODE / "requirements.lock"
ENTRY = re.compile(r"^[a-z0-9].*\n(?:[ ]+.*\n)*", re.MULTILINE)
PINNED = re.compile(r"[^ ;]+==[^ ;]+")
NEEDED_BY = re.compile(r"^ +# +(?:via )?([a-z0-9][a-z0-9.-]*)", re.MULTILINE)


class _LockEntry(NamedTuple):
    """One entry of the lock: ``name==version``, the whole line for pip, and who needs it."""

    pinned: str
    line: str
    needed_by: frozenset[str]

    @property
    def name(self) -> str:
        return self.pinned.partition("==")[0]


def locked_requirements(requirements: Sequence[str]) -> list[str]:
    """One line for each of ``requirements`` (``name==version``) and of their dependencies.

    Empty, with a warning, where a version is not in the lock, as after a manual upgrade.
    """
    entries = _entries()
    if unknown := sorted({*requirements} - {entry.pinned for entry in entries}):
        log.warning("%-11s not pinned by hash: %s is not in the lock", "packages", unknown[0])
        return []
    needed = {requirement.partition("==")[0] for requirement in requirements}
    while dependencies := {entry.name for entry in entries if entry.needed_by & needed} - needed:
        needed |= dependencies
    return [entry.line for entry in entries if entry.name in needed]


def _entries() -> list[_LockEntry]:
    """The entries of the lock; none where this is not a checkout."""
    text = LOCK.read_text() if LOCK.exists() else ""
    return [_entry(found) for found in ENTRY.findall(text)]


def _entry(text: str) -> _LockEntry:
    lines = [line.strip(" \\") for line in text.splitlines() if not line.lstrip().startswith("#")]
    pinned = PINNED.match(text)
    needed_by = frozenset(NEEDED_BY.findall(text))
    return _LockEntry(pinned[0] if pinned else "", " ".join(lines), needed_by)
