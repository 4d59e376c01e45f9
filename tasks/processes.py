"""Processes of this machine by more than their number, which is given anew: does one still live?"""

import re
import socket
from collections.abc import Callable
from contextlib import suppress

import psutil


def process_tag(pid: int) -> str:
    """A process of this machine beyond reuse of its number: host, pid and when it started."""
    try:
        return f"{socket.gethostname()} {pid} {psutil.Process(pid).create_time():.0f}"
    except psutil.NoSuchProcess:
        return f"{socket.gethostname()} {pid} gone"


def died(tag: str) -> bool | None:
    """Whether the process of a ``process`` tag is gone; None for another machine's process, and
    for a tag that is not ours."""
    own = re.fullmatch(rf"{re.escape(socket.gethostname())} (\d+) (\d+|gone)", tag)
    return tag != process_tag(int(own[1])) if own else None


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
