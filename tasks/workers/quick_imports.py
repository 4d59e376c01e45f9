"""Import large libraries without looking for garbage in them."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """What is imported stays. Python's garbage collector would walk through all of it again and
    again, which takes a third of the time of an import, and once more at the exit."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
