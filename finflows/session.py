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


def start() -> None:
    """Start what a training needs, once: a Prefect server where none is configured, a worker.

    Raises UsageError where the store or Prefect's folder can't be used, or where Prefect is to be
    another one than before. Another store is used from the next call on.
    """
    from flows.command_line.terminal import refuse_unusable_prefect
    from flows.command_line.warm_up import refuse_other_prefect
    from tasks.tracking.addresses import refuse_unusable_store

    configure()
    refuse_unusable_prefect()
    refuse_unusable_store()
    refuse_other_prefect(_start() if _start.cache_info().currsize else {})
    _start()


@cache
def _start() -> dict[str, str | None]:
    """Prefect's settings with which it was started."""
    from flows.command_line.warm_up import prefect_settings, warm_up

    warm_up()
    gc.unfreeze()  # the objects of whoever calls may be freed again
    return prefect_settings()


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
