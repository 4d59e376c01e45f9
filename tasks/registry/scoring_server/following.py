"""Which model is to answer, as a file says that somebody else keeps at the present champion."""

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .application import Application
from .served_model import ServedModel

QUIET_SECONDS = 120  # a champion that is tried on a busy machine takes one of them


class Followed(NamedTuple):
    """The folder of the model that is to answer; when (seconds since 1970) the champion was last
    looked up, and when which versions could not take over."""

    model_folder: Path
    checked: float
    refused: dict[str, float]


def read_followed(file: Path) -> Followed:
    facts = json.loads(file.read_text())
    return Followed(Path(facts["model_folder"]), facts["checked"], facts["refused"])


def follow(application: Application, file: Path) -> None:
    """In a thread of its own: exchange the model of ``application`` whenever ``file`` names another
    one. What is being answered meanwhile is answered by the model that it came to."""
    seen, prevented, heard, said = 0, "", time.monotonic(), False
    while True:
        with suppress(OSError):  # it is away when the server ends, or when nobody writes it
            if (changed := file.stat().st_mtime_ns) != seen:
                seen, prevented = changed, look(application, file, prevented)
                heard = time.monotonic()
        said = say_if_quiet(application, time.monotonic() - heard, said)
        time.sleep(0.5)


def say_if_quiet(application: Application, seconds: float, said: bool) -> bool:
    """Say, unless it was ``said``, that the process which asks who is champion has not been heard
    for so many ``seconds``: it may have been killed, and another champion would not take over."""
    quiet = seconds > QUIET_SECONDS
    if quiet and not said:
        print(
            f"finflows: who is champion was not looked up for {QUIET_SECONDS} s; version "
            f"{application.model.version} answers on: if the registry answers, the process that "
            "follows is gone, so start finflows serve again",
            file=sys.stderr,
            flush=True,
        )
    return quiet


def look(application: Application, file: Path, prevented: str = "") -> str:
    """Exchange the model if ``file`` names another one. Returns what prevents that, which is said
    unless it ``prevented`` the last try: each time that the file is written there is another."""
    try:
        _take(application, read_followed(file))
    except Exception as error:
        why = type(error).__name__
        if why != prevented:
            print(
                f"finflows: the new champion was not loaded ({why}); "
                f"version {application.model.version} answers on",
                file=sys.stderr,
            )
        return why
    return ""


def _take(application: Application, followed: Followed) -> None:
    application.metrics.champion_checked(followed.checked, followed.refused)
    if followed.model_folder != application.model.folder:
        successor = ServedModel(followed.model_folder)
        successor.answer_example()
        application.take(successor)
