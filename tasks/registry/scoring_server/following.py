"""Which model is to answer, as a file says that somebody else keeps at the present champion."""

import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

from .application import Application
from .served_model import ServedModel


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
    seen = 0
    while True:
        try:
            if (changed := file.stat().st_mtime_ns) != seen:
                seen = changed
                _look(application, read_followed(file))
        except Exception as error:  # it is tried again when the file is written again
            version = application.model.version
            print(
                f"finflows: the new champion was not loaded ({type(error).__name__}); "
                f"version {version} answers on",
                file=sys.stderr,
            )
        time.sleep(0.5)


def _look(application: Application, followed: Followed) -> None:
    application.metrics.champion_checked(followed.checked, followed.refused)
    if followed.model_folder != application.model.folder:
        successor = ServedModel(followed.model_folder)
        successor.answer_example()
        application.take(successor)
