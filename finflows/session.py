"""What the program needs of the Python that calls it. Signals and streams stay whose they are."""

import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from modelling.refusals import UsageError


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
    from flows.command_line.terminal import refuse_unwritable_home
    from tasks.tracking.store import refuse_unusable_store

    configure()
    refuse_unwritable_home()
    refuse_unusable_store()
    _refuse_other_prefect()
    _start()


@cache
def _start() -> dict[str, str | None]:
    """Prefect's settings with which it was started."""
    from flows.command_line.warm_up import warm_up

    warm_up()
    gc.unfreeze()  # the objects of whoever calls may be freed again
    return _prefect_settings()


def _refuse_other_prefect() -> None:
    """Prefect reads its settings once, when it is imported: a change would be ignored silently."""
    if "prefect.settings" not in sys.modules:
        return
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME

    in_use = {"PREFECT_API_URL": PREFECT_API_URL.value(), "PREFECT_HOME": str(PREFECT_HOME.value())}
    started = _start() if _start.cache_info().currsize else {}
    for name, value in _prefect_settings().items():
        if value != started.get(name, value) or (value and value != in_use[name]):
            raise UsageError(
                f"{name} was changed, but Prefect reads it only once: restart Python (in a "
                "notebook, its kernel) for it to take effect, or set it back"
            )


def _prefect_settings() -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in ("PREFECT_API_URL", "PREFECT_HOME")}


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
