"""What the program needs of the Python that calls it. Signals and streams stay whose they are."""

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@cache
def configure() -> None:
    """Configure the libraries before they are imported, once."""
    from flows.command_line.terminal import configure_environment

    configure_environment(verbose=False)


@cache
def start() -> None:
    """Start what a training needs, once: a Prefect server where none is configured, a worker.

    Raises UsageError where the store or Prefect's folder can't be used.
    """
    from flows.command_line.terminal import refuse_unwritable_home
    from flows.command_line.warm_up import warm_up
    from tasks.tracking.store import refuse_unusable_store

    configure()
    refuse_unwritable_home()
    refuse_unusable_store()
    warm_up()
    gc.unfreeze()  # the objects of whoever calls may be freed again


@contextmanager
def stage_lines(quiet: bool) -> Iterator[None]:
    """The lines of the stages in the block, as on a terminal."""
    from flows.command_line.stages import StageLines

    log = logging.getLogger("finflows")
    before = log.level, log.propagate
    handler = logging.NullHandler() if quiet else StageLines(to_stderr=False)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before[0])
        log.propagate = before[1]
