"""The lines of the stages as they end, and how long each took."""

import logging
import sys
import time
from collections import defaultdict

from modelling.shown_text import one_line

STARTED = time.perf_counter()
STAGE = "%-11s"  # how the message of a stage begins: its name, aligned


class StageLines(logging.StreamHandler):  # type: ignore[type-arg]
    """Prints each message of the log, and counts the seconds up to it as those of its stage."""

    def __init__(self, to_stderr: bool) -> None:
        super().__init__(sys.stderr if to_stderr else sys.stdout)

    def format(self, record: logging.LogRecord) -> str:
        return f"  {one_line(record.getMessage())}"

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        if isinstance(record.args, tuple) and record.args and str(record.msg).startswith(STAGE):
            _clock.end(str(record.args[0]))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Where nobody reads any more, as behind ``| head``, the work goes on without a word."""
        if not isinstance(sys.exception(), BrokenPipeError):
            super().handleError(record)


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.ended = STARTED

    def end(self, stage: str) -> None:
        now = time.perf_counter()
        name = stage.partition(" ")[0]  # all trials of a search are one stage
        if name:  # a line without a name belongs to the one above
            self.seconds[name] += now - self.ended
            self.ended = now


_clock = _Clock()


def end_stage(stage: str) -> None:
    """What has taken time since the stage before was ``stage``."""
    _clock.end(stage)


def seconds_by_stage() -> str:
    """``29.4 in all: starting 6.1, data 1.2, ...``, without what took no time to speak of."""
    took = [f"{name} {seconds:.1f}" for name, seconds in _clock.seconds.items() if seconds >= 0.05]
    return f"{time.perf_counter() - STARTED:.1f} in all: {', '.join(took)}"
