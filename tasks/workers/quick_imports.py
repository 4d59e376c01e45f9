"""Import large libraries without garbage collection."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Switch garbage collection off in the block: imported modules stay in memory anyway, and
    collecting takes a third of the time of an import, and again time at the exit."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
