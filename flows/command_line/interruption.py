"""Ctrl-C, SIGTERM and a closed terminal: end within seconds, whatever this process is doing.

What is under way gets a moment to close what it has open, in the order in which it opened it. What
has not ended by then is closed and ended from outside: the moment is watched by a thread, which a
main thread deep in a library can't hold up.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

MOMENT_SECONDS = 2.5
SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
_received: list[int] = []
_raised: list[int] = []
_leaving = threading.Lock()
_kept = ["nothing was begun or registered: start it again"]


class Interrupted(BaseException):
    """This process is asked to end. No Exception: nobody may take it for one that can be mended."""

    def __init__(self, number: int):
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.signal = number


def watch() -> None:
    """Raise Interrupted in the main thread at the first signal, and see to it that it ends."""
    if signal.getsignal(signal.SIGTERM) == _interrupt:
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # Python itself would tell only the main thread, once that comes back from what it calls.
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup and a shell's & ask for
            signal.signal(number, _interrupt)
    threading.Thread(target=_insist, args=(reading,), daemon=True).start()


def tell_what_is_kept(text: str) -> None:
    """What the last line says, where this process has no run of its own to be resumed."""
    _kept[:] = [text]


def exit_if_interrupted() -> None:
    """End here, where a signal was received: whatever error this is, it comes from ending."""
    if _received:
        _leave()


def let_finish() -> None:
    """All is done but for the exit itself, in which nothing may be raised any more."""
    for number in SIGNALS:
        if signal.getsignal(number) == _interrupt:
            signal.signal(number, lambda *_: None)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _received.append(number)
    if not _raised:  # an impatient second Ctrl-C does not cut what is being closed
        _raised.append(number)
        raise Interrupted(number)


def _insist(reading: int) -> None:
    while (number := os.read(reading, 1)[0]) not in SIGNALS:
        pass
    _received.append(number)
    time.sleep(MOMENT_SECONDS)
    _leave()


def _leave() -> NoReturn:
    """Close what is open, end what this process started, say one line, and go."""
    _leaving.acquire()  # never released: who comes second waits for the end
    number = signal.Signals(_received[0])
    # What never came to tracking runs has not loaded it either.
    runs = sys.modules.get("tasks.tracking.runs")
    run_id = runs.interrupted_run() if runs else None
    if runs and run_id:
        _at_most(1.5, lambda: runs.close_interrupted(f"interrupted by {number.name}"))
    _at_most(3, _end_processes)
    kept = f"run {run_id} is kept: finflows resume {run_id}" if run_id else _kept[0]
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        print(f"finflows: {SIGNALS[number]}; {kept}", file=sys.stderr, flush=True)
    os._exit(128 + number)


def _at_most(seconds: float, action: Callable[[], None]) -> None:
    def act() -> None:
        with suppress(Exception):  # this process ends, whatever becomes of it
            action()

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(seconds)


def _end_processes() -> None:
    from tasks.workers.processes import end_processes, process_tree
    from tasks.workers.temporary_server import stop_restarting_servers

    stop_restarting_servers()
    end_processes(process_tree(os.getpid())[:-1], timeout_seconds=1)
