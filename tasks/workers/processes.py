"""Identify processes of this machine, although their numbers are reused, and end them."""

import re
import socket
from contextlib import suppress
from pathlib import Path

import psutil

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
ENDED = ("Z", "X")  # states of proc(5): ended, but listed until the parent asks how
CLOCK_STEP_SECONDS = 60  # tolerance for start times by the clock; numbers are not reused so soon


def process_tag(pid: int) -> str:
    """Identifies a process for good: host, number (which is reused) and start time."""
    return f"{socket.gethostname()} {pid} {_start_time(pid) or 'gone'}"


def has_died(tag: str) -> bool | None:
    """Whether the process of a ``process`` tag has ended, also where its parent has not asked how;
    None for a process of another machine, and for a tag of another form."""
    parsed = re.fullmatch(rf"{re.escape(socket.gethostname())} ([0-9]+) (\S+)", tag)
    if parsed is None:
        return None
    pid, start = int(parsed[1]), parsed[2]
    if start.isdigit():  # by the clock: in older tags, and where there is no /proc
        began = _start_by_clock(pid)
        return began is None or abs(began - int(start)) > CLOCK_STEP_SECONDS
    return start != _start_time(pid)


def _start_time(pid: int) -> str | None:
    """The start of a process, None where there is none that runs. On Linux: the id of the boot and
    the kernel's ticks since then, which do not change when the clock is set."""
    if not BOOT_ID.exists():
        began = _start_by_clock(pid)
        return None if began is None else f"{began:.0f}"
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): the name, in brackets, is field 2 and may hold blanks; the start is field 22.
    state, *fields = after_name.split()
    return None if state in ENDED else f"{BOOT_ID.read_text().strip()}:{fields[22 - 4]}"


def _start_by_clock(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def process_tree(pid: int) -> list[psutil.Process]:
    """A process and all its descendants; the process itself is the last."""
    try:
        root = psutil.Process(pid)
        return [*root.children(recursive=True), root]
    except psutil.NoSuchProcess:
        return []


def end_processes(processes: list[psutil.Process], timeout_seconds: float) -> None:
    """Terminate processes, and kill those that still run after ``timeout_seconds``, with what they
    have started in the meantime.

    List them before the first one ends: after that their parents are no longer known.
    """
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, still_running = psutil.wait_procs(processes, timeout=timeout_seconds)
    for process in still_running:
        _kill_tree(process)
    psutil.wait_procs(still_running, timeout=1)


def _kill_tree(process: psutil.Process) -> None:
    """Kill a process and its present descendants: a supervisor replaces workers until it is dead,
    so it is suspended first. A worker that it started last would live on without it."""
    with suppress(psutil.NoSuchProcess):
        process.suspend()
        children = process.children()
        process.kill()
        for child in children:
            _kill_tree(child)
