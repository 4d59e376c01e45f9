"""What the environment says: which model, the limits, and the token (no command line shows it)."""

import os
import re
import signal
import sys
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread

from uvicorn.config import STARTUP_FAILURE

from .application import Application, Limits
from .following import follow, read_followed
from .served_model import ServedModel

MODEL_FOLDER, FOLLOWED = "FINFLOWS_SERVE_MODEL", "FINFLOWS_SERVE_FOLLOWED"
TOKEN, FILES = "FINFLOWS_SERVE_TOKEN", "FINFLOWS_SERVE_FILES_SHA256"


def application() -> Application:
    """The application of one process of the server. One of several ends when their parent does,
    even where that was killed."""
    Thread(target=_end_with_parent, daemon=True).start()
    file = os.environ.get(FOLLOWED)
    folder = read_followed(Path(file)).model_folder if file else Path(os.environ[MODEL_FOLDER])
    files = "" if file else os.environ.get(FILES, "")
    answering = Application(_loaded(folder), limits(), token(), files)
    if file:
        Thread(target=follow, args=(answering, Path(file)), daemon=True).start()
    return answering


def _loaded(folder: Path) -> ServedModel:
    """The model in ``folder``. Ends this process with one line where it can't be loaded."""
    try:
        return ServedModel(folder)
    except Exception as error:  # its text may hold whatever the files do
        said = f"the model in {folder} can't be loaded ({type(error).__name__})"
        print(f"finflows: {said}", file=sys.stderr)
        sys.exit(STARTUP_FAILURE)


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def limits() -> Limits:
    """Raises ValueError where a limit is no whole number."""
    return Limits(
        megabytes=_whole_number("FINFLOWS_SERVE_MEGABYTES", Limits().megabytes),
        rows=_whole_number("FINFLOWS_SERVE_ROWS", Limits().rows),
    )


def token() -> str | None:
    """The token that requests need, or None. Raises ValueError where it could be guessed."""
    written = os.environ.get(TOKEN)
    if written is not None and not re.fullmatch(r"[\x21-\x7e]{16,}", written):
        raise ValueError(f"{TOKEN} must have at least 16 letters, digits or signs, without blanks")
    return written


def _whole_number(setting: str, default: int) -> int:
    written = os.environ.get(setting, str(default))
    if not re.fullmatch("[1-9][0-9]{0,8}", written):
        raise ValueError(f"{setting} must be a whole number above 0")
    return int(written)
