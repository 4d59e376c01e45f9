"""Processes of this machine by more than their number, which is given anew: does one still live?"""

import socket

import psutil


def process_tag(pid: int) -> str:
    """A process of this machine beyond reuse of its number: host, pid and when it started."""
    try:
        return f"{socket.gethostname()} {pid} {psutil.Process(pid).create_time():.0f}"
    except psutil.NoSuchProcess:
        return f"{socket.gethostname()} {pid} gone"


def died(tag: str) -> bool | None:
    """Whether the process of a ``process`` tag is gone; None for another machine's process."""
    host, _, rest = tag.partition(" ")
    if host != socket.gethostname():
        return None
    return tag != process_tag(int(rest.partition(" ")[0]))
