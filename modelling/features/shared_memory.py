"""Arrays that other processes of this machine can read without a copy of their own."""

import math
import mmap
import os
import weakref
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike


class SharedMemory(mmap.mmap):
    """Memory that a process shares with all to which it sends the ``descriptor``.

    It is in no folder: nothing is left of it when the last of them has ended, however that was.
    """

    descriptor: int


@cache
def can_share() -> bool:
    """Whether the system has such memory, as Linux has where it is not forbidden."""
    try:
        os.close(os.memfd_create("finflows"))
    except (AttributeError, OSError):
        return False
    return True


def shared_empty(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """An array in memory that can be shared, or an ordinary one where there is none."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not (size and can_share()):
        return np.empty(shape, dtype)
    descriptor = os.memfd_create("finflows")
    os.ftruncate(descriptor, size)
    memory = SharedMemory(descriptor, size)
    memory.descriptor = descriptor
    weakref.finalize(memory, os.close, descriptor)
    return np.frombuffer(memory, dtype).reshape(shape)


def memory_of(content: memoryview) -> SharedMemory | None:
    """The shared memory that holds ``content`` and nothing else; None where there is none."""
    owner: Any = content
    while isinstance(owner, np.ndarray | memoryview):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    is_whole = isinstance(owner, SharedMemory) and len(owner) == content.nbytes
    return owner if is_whole else None


def map_shared(descriptor: int, size: int) -> mmap.mmap:
    """What another process shares, which writes to it no more; closes the ``descriptor``. What is
    written to it here stays here."""
    try:
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY)
    finally:
        os.close(descriptor)
