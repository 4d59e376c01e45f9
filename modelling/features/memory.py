"""What the features of a table will need in memory, beside what is free: a process that takes more
is killed without a word, and the whole machine may halt before."""

import ctypes
import gc
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from modelling.features.shared_memory import can_share
from modelling.refusals import UsageError
from modelling.shown_text import quantity

CGROUPS, OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
# By the name of the controller, which version 2 leaves out: the folder, the files with the limit
# and with what is used, and how ``memory.stat`` calls files in memory that can be read again: those
# of a table that was read twice are active, and go nevertheless before a process is killed.
CGROUP_FILES = {
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    "": ("", "memory.max", "memory.current", ""),
}
FITTED_BYTES_PER_CELL = 65  # measured: eight float64 arrays of the training rows at one moment
LARGEST_IN_ORDER = 64 << 20  # of the rows of an epoch, ``training.compiled_training.CHUNK_BYTES``
WORTH_RETURNING = 64 << 20  # a look at all objects takes up to half a second in a large program


def refuse_too_many_cells(rows: int, columns: int, ratios: int = 0) -> None:
    """Raises UsageError where fitting so many columns of numbers, and ratios of them, takes more
    memory than is free."""
    needed = FITTED_BYTES_PER_CELL * rows * (columns + ratios)
    also, otherwise = "", ""
    if ratios:
        also, otherwise = (
            f" and {quantity(ratios, 'ratio')}",
            ", or --set preprocessing.ratios=false",
        )
    what = f"{columns:,} columns{also} of {rows:,} training rows"
    _refuse_more_than_free(needed, what, otherwise)


def refuse_too_many_features(rows: int, names: Sequence[str]) -> None:
    """Raises UsageError where so many features of all training and validation rows do not fit into
    what is free: once, for the process that trains reads the same memory, and there some of them in
    the order of an epoch. Where processes can't share memory, it has a copy."""
    of_rows = 4 * rows * len(names)
    needed = (1 if can_share() else 2) * of_rows + min(of_rows, LARGEST_IN_ORDER)
    bins = sum(" (bin " in name for name in names)
    fewer = f", or --set preprocessing.piecewise_bins=0 ({len(names) - bins:,} features)"
    _refuse_more_than_free(
        needed, f"{len(names):,} features of {rows:,} rows", fewer if bins else ""
    )


def _refuse_more_than_free(needed: int, what: str, otherwise: str) -> None:
    if needed > WORTH_RETURNING:
        return_freed_memory()
    if needed > (free := free_bytes()):
        raise UsageError(
            f"{what} need about {needed / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB are "
            f"free: leave out columns or train on fewer rows{otherwise}"
        )


def return_freed_memory() -> None:
    """Return to the system what this process has freed: Python keeps what refers to itself until it
    looks for it, and the allocators of Arrow and C keep large blocks for the next time."""
    gc.collect()
    if arrow := sys.modules.get("pyarrow"):
        arrow.default_memory_pool().release_unused()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # that of glibc
        trim(0)


def free_bytes() -> int:
    """The memory that this process may still take: of the machine, and of each of the cgroups that
    it is in, as in a container."""
    return min([psutil.virtual_memory().available, *_free_in_cgroups()])


def _free_in_cgroups() -> Iterator[int]:
    memberships = OWN_CGROUPS.read_text().splitlines() if OWN_CGROUPS.exists() else []
    for membership in memberships:
        _, controller, path = membership.split(":", 2)
        if controller not in CGROUP_FILES:
            continue
        root, *named = CGROUP_FILES[controller]
        folder = CGROUPS / root / path.strip("/")
        for level in (folder, *folder.parents):
            if level.is_relative_to(CGROUPS / root):
                yield from _free_in(level, *named)


def _free_in(folder: Path, limit: str, used: str, prefix: str) -> Iterator[int]:
    try:
        allowed, taken = (int((folder / file).read_text()) for file in (limit, used))
        stat = (folder / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):  # no such level here, or no limit ("max")
        return
    cached = (f"{prefix}inactive_file ", f"{prefix}active_file ")
    files = sum(int(line.split()[1]) for line in stat if line.startswith(cached))
    yield max(allowed - taken + files, 0)
