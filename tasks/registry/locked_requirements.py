"""Requirements as the project's lock has them, with all that they need themselves, and hashes.

From such a file pip installs only what the lock knows, byte by byte, whoever runs the index.
"""

import logging
import re
from collections.abc import Sequence
from typing import NamedTuple

from tasks.tracking.store import ROOT

log = logging.getLogger("finflows")
LOCK = ROOT / "requirements.lock"
ENTRY = re.compile(r"^[a-z0-9].*\n(?:[ ]+.*\n)*", re.MULTILINE)
PINNED = re.compile(r"[^ ;]+==[^ ;]+")
NEEDED_BY = re.compile(r"^ +# +(?:via )?([a-z0-9][a-z0-9.-]*)", re.MULTILINE)


class _Locked(NamedTuple):
    """One entry of the lock: ``name==version``, the whole line for pip, and who needs it."""

    pinned: str
    line: str
    needed_by: frozenset[str]

    @property
    def name(self) -> str:
        return self.pinned.partition("==")[0]


def locked(requirements: Sequence[str]) -> list[str]:
    """One line for each of ``requirements`` (``name==version``) and of what they need.

    None at all where the lock does not hold these versions, as where somebody upgraded by hand;
    that is said.
    """
    entries = _entries()
    if unknown := sorted({*requirements} - {one.pinned for one in entries}):
        log.warning("%-11s not pinned by hash: %s is not in the lock", "packages", unknown[0])
        return []
    wanted = {one.partition("==")[0] for one in requirements}
    while more := {one.name for one in entries if one.needed_by & wanted} - wanted:
        wanted |= more
    return [one.line for one in entries if one.name in wanted]


def _entries() -> list[_Locked]:
    """The lock; empty where this is not a checkout."""
    text = LOCK.read_text() if LOCK.exists() else ""
    return [_entry(found) for found in ENTRY.findall(text)]


def _entry(text: str) -> _Locked:
    lines = [one.strip(" \\") for one in text.splitlines() if not one.lstrip().startswith("#")]
    pinned = PINNED.match(text)
    needed_by = frozenset(NEEDED_BY.findall(text))
    return _Locked(pinned[0] if pinned else "", " ".join(lines), needed_by)
