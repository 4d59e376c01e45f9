"""Processes of this machine by more than their number, which is given anew: does one still live?"""

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
CLOCK_STEP_SECONDS = 60  # by how much an old record may be off: numbers are not given anew so soon


def process_tag(pid: int) -> str:
    """A process of this machine beyond reuse of its number: host, pid and when it started."""
    return f"{socket.gethostname()} {pid} {_start(pid) or 'gone'}"


def died(tag: str) -> bool | None:
    """Whether the process of a ``process`` tag is gone; None for another machine's process, and
    for a tag that is not ours."""
    own = re.fullmatch(rf"{re.escape(socket.gethostname())} ([0-9]+) (\S+)", tag)
    if own is None:
        return None
    pid, start = int(own[1]), own[2]
    if start.isdigit():  # by the clock, as it was recorded before and is where there is no /proc
        began = _clock_start(pid)
        return began is None or abs(began - int(start)) > CLOCK_STEP_SECONDS
    return start != _start(pid)


def _start(pid: int) -> str | None:
    """When a process started, None where there is none. On Linux these are the boot and the
    kernel's ticks since then: a clock that is set does not change them."""
    if not BOOT_ID.exists():
        began = _clock_start(pid)
        return None if began is None else f"{began:.0f}"
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): the start is field 22; the name, in brackets, is field 2 and may hold blanks.
    return f"{BOOT_ID.read_text().strip()}:{after_name.split()[22 - 3]}"


def _clock_start(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def family(pid: int) -> list[psutil.Process]:
    """All processes that a process started, those that they started, and itself as the last."""
    try:
        head = psutil.Process(pid)
        return [*head.children(recursive=True), head]
    except psutil.NoSuchProcess:
        return []


def end(processes: list[psutil.Process], patience: float) -> None:
    """End processes: they are asked to, and after ``patience`` seconds made to.

    List them before the first ends: nobody knows any more whose children the others were.
    """
    for process in processes:
        _signal(process.terminate)
    _, stubborn = psutil.wait_procs(processes, timeout=patience)
    for process in stubborn:
        _signal(process.kill)
    psutil.wait_procs(stubborn, timeout=1)


def _signal(send: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        send()
