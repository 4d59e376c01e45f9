"""The terminal of a command: quiet libraries, its stages, and one line for an error."""

import errno
import getpass
import logging
import os
import sys
import warnings
from contextlib import suppress
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from traceback import format_exception
from types import TracebackType
from urllib.request import getproxies

from rich.console import Console
from rich.table import Table

from flows.command_line.stages import StageLines
from modelling.declaration import names
from modelling.refusals import DataRefused, MachineError, UsageError
from modelling.secrets import hide_secrets
from modelling.shown_text import one_line
from tasks.tracking.addresses import is_writable, refuse_unusable_store

QUIET_SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    # Prefect's console handler is on the root logger, so it prints the logs of all libraries.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
SETTINGS = {
    "DO_NOT_TRACK": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "finflows",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Jobs of language models, for which MLflow's server starts eight more processes.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "ORT_DISABLE_TELEMETRY": "1",
}
PREFECT_MEGABYTES = 8  # the database of its temporary server, and its log
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def configure_environment(verbose: bool) -> None:
    """Configure the libraries before they are imported; settings of the user take precedence.
    Raises UsageError for an invalid address."""
    if url := os.environ.get("PREFECT_API_URL"):
        names.check_server_address(url, "PREFECT_API_URL")
    for name, value in {**SETTINGS, **({} if verbose else QUIET_SETTINGS)}.items():
        os.environ.setdefault(name, value)
    if not verbose:  # it prints a traceback of each error, with what was to be written
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
        # Commands that need it say so by themselves.
        warnings.filterwarnings("ignore", "Failed to create the Prefect home directory")
    # The servers of this machine are reached without a proxy.
    no_proxy = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
    no_proxy = ",".join(dict.fromkeys([*filter(None, no_proxy.split(",")), *LOCAL_HOSTS]))
    os.environ |= {"no_proxy": no_proxy, "NO_PROXY": no_proxy}
    configure_user()


def configure_user() -> None:
    """Set a name for a user id without one, as in a container, since libraries need one. Raises
    UsageError where the user has no home folder."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = f"uid-{os.getuid()}"
    try:
        Path.home()
    except RuntimeError:
        raise UsageError(
            "this user has no home folder: set HOME to a folder that can be written"
        ) from None


def show_any_text() -> None:
    """Let a terminal that can't show some characters, as of a title, show others instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def show_stages(to_stderr: bool) -> None:
    """Print the log lines of the stages."""
    log = logging.getLogger("finflows")
    log.addHandler(StageLines(to_stderr))
    log.setLevel(logging.INFO)
    log.propagate = False


def prefect_home() -> Path:
    """The folder of Prefect, without an import of it."""
    return Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()


def refuse_unusable_prefect() -> None:
    """Raises UsageError where Prefect can't write to its folder, or lacks what a SOCKS proxy in the
    environment needs, which it opens even for the servers of this machine."""
    socks = [kind for kind, address in getproxies().items() if address.startswith("socks")]
    if socks and find_spec("socksio") is None:
        raise UsageError(
            f"{socks[0]}_proxy is a SOCKS proxy, for which a package is missing: pip install "
            f"socksio, or unset {socks[0]}_proxy and {socks[0].upper()}_PROXY"
        )
    home = prefect_home()
    with suppress(OSError):  # its owner's only: settings of runs are stored there, too
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_writable(home):
        setting = "PREFECT_HOME" if os.environ.get("PREFECT_HOME") else "HOME"
        raise UsageError(f"{home} can't be written ({setting}): set PREFECT_HOME to another folder")
    if not is_writable(home, PREFECT_MEGABYTES):
        raise UsageError(
            f"{home} can't hold the {PREFECT_MEGABYTES} MB that Prefect writes (a full disk, a "
            "quota or ulimit -f): free some space, or set PREFECT_HOME to another folder"
        )


def prepare(verbose: bool, as_json: bool) -> None:
    """Prepare a command that runs a flow: settings, logs, and a check of the folders and the store.
    Raises UsageError where they can't be used."""
    prepare_without_prefect(verbose, as_json)
    refuse_unusable_prefect()


def prepare_without_prefect(verbose: bool, as_json: bool) -> None:
    """``prepare`` for a command that may do without Prefect, and then leaves its folder alone."""
    configure_environment(verbose)
    refuse_unusable_store()
    if not verbose:
        hide_native_stderr()  # before anything keeps a reference to the old stream
    show_stages(to_stderr=as_json)


def hide_native_stderr() -> None:
    """Hide what is written to file descriptor 2; ``sys.stderr`` stays visible.

    TensorFlow's first lines, and the servers that Prefect starts, write to the descriptor whatever
    the log level is.
    """
    sys.stderr.flush()
    encoding = sys.stderr.encoding
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding=encoding, errors="replace")
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)


def exit_code(error: Exception) -> int | None:
    """The exit code for an error that one line explains; None for a fault of the program."""
    codes = {UsageError: 2, DataRefused: 3, MachineError: 1}
    known = next((code for kind, code in codes.items() if isinstance(error, kind)), None)
    if known is None and _said_of_server(error):
        return 2
    return 1 if known is None and _is_disk_full(error) else known


def _said_of_server(error: Exception) -> str | None:
    """What to do where a configured Prefect server refused the login, or did not answer at the
    start of a flow, or a tracking server lets its user read only; without an import of either."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if type(error).__module__ == "prefect.exceptions" and status == 401:
        return "the Prefect server does not know this user: export PREFECT_API_AUTH_STRING=..."
    if type(error) is RuntimeError and str(error).startswith("Failed to reach API at "):
        return "no Prefect server answers at PREFECT_API_URL: start it, or unset PREFECT_API_URL"
    if type(error).__module__ == "mlflow.exceptions" and "error code 403" in str(error):
        return (
            "the tracking server does not let this user do that (403): ask who administers it for "
            "the permission, or set MLFLOW_TRACKING_USERNAME to another user"
        )
    return None


def _is_disk_full(error: Exception) -> bool:
    """By its number, or as SQLite, or what a library that lists several errors, says it."""
    said = str(error)
    full = ("disk is full", os.strerror(errno.ENOSPC))
    return getattr(error, "errno", None) == errno.ENOSPC or any(words in said for words in full)


def show_error(error: Exception) -> None:
    """Print one line on stderr; for refused data also a table of the broken rules, with counts."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    message = "the disk is full: free some space" if _is_disk_full(error) else str(error)
    message = _said_of_server(error) or message
    notes = getattr(error, "__notes__", ())
    console.print("; ".join([f"finflows: {message}", *notes]), markup=False)
    if isinstance(error, DataRefused) and error.broken:
        table = Table("column", "rule", "rows", "severity", box=None, padding=(0, 2))
        for broken in error.broken:
            rows = "-" if broken.rows is None else f"{broken.rows:,}"
            table.add_row(*map(one_line, (broken.column, broken.rule, rows, broken.severity)))
        console.print(table, markup=False)


def show_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print the traceback of a fault of the program, without secrets."""
    print(hide_secrets("".join(format_exception(kind, error, trace))), file=sys.stderr, end="")
