"""Ctrl-C, SIGTERM and a closed terminal: end within seconds, whatever this process is doing.

The main thread gets a grace period to close what it has open. After that a second thread closes the
runs and ends the processes, since the main thread may be blocked in a library.
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

from modelling.checkout import command

GRACE_SECONDS = 2.5
SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
_received: list[int] = []
_raised: list[int] = []
_exit_lock = threading.Lock()
_last_line: list[str | Callable[[], str]] = [
    "nothing was started or registered: run the command again"
]


class Interrupted(BaseException):
    """This process must end. Not an Exception, so that no handler of errors catches it."""

    def __init__(self, number: int):
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.signal = number


def watch() -> None:
    """Raise Interrupted in the main thread at the first signal, and make sure that it ends."""
    if signal.getsignal(signal.SIGTERM) == _interrupt:
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # Python's own handler runs in the main thread only, after the current call has returned.
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # ignored by nohup, or by a shell's &
            signal.signal(number, _interrupt)
    threading.Thread(target=_exit_after_grace_period, args=(reading,), daemon=True).start()


def set_last_line(text: str | Callable[[], str]) -> None:
    """Set the last line of an interrupted command that has no run to resume; a function is asked
    for it at the end, where it depends on how far the command came."""
    _last_line[:] = [text]


def exit_if_interrupted() -> None:
    """End the process if a signal was received: the present error is then a consequence of it."""
    if _received:
        _exit()


def ignore_signals() -> None:
    """Ignore signals from now on: only the exit itself is left, in which nothing may be raised."""
    for number in SIGNALS:
        if signal.getsignal(number) == _interrupt:
            signal.signal(number, lambda *_: None)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _received.append(number)
    if not _raised:  # a second Ctrl-C does not interrupt the closing
        _raised.append(number)
        raise Interrupted(number)


def _exit_after_grace_period(reading: int) -> None:
    while (number := os.read(reading, 1)[0]) not in SIGNALS:
        pass
    _received.append(number)
    time.sleep(GRACE_SECONDS)
    _exit()


def _exit() -> NoReturn:
    """Close the runs, end the processes that this one started, print one line, and exit."""
    _exit_lock.acquire()  # never released: a second thread waits for the end
    number = signal.Signals(_received[0])
    # A process that has not imported this module has no run.
    runs = sys.modules.get("tasks.tracking.runs")
    run_id = runs.interrupted_run() if runs else None
    last = _last_line[0]
    kept = [last if isinstance(last, str) else last()]
    if runs and run_id:
        kept.append(f"run {run_id} is kept: {command('resume', run_id)}")
        reason = f"interrupted by {number.name}"
        _run_with_timeout(1.5, lambda: kept.append(runs.close_interrupted(reason) or kept[-1]))
    _run_with_timeout(3, _end_processes)
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        print(f"finflows: {SIGNALS[number]}; {kept[-1]}", file=sys.stderr, flush=True)
    os._exit(128 + number)


def _run_with_timeout(seconds: float, action: Callable[[], None]) -> None:
    def act() -> None:
        with suppress(Exception):  # this process ends in any case
            action()

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(seconds)


def _end_processes() -> None:
    from tasks.workers.processes import end_processes, process_tree
    from tasks.workers.temporary_server import stop_restarting_servers

    stop_restarting_servers()
    end_processes(process_tree(os.getpid())[:-1], timeout_seconds=1)
