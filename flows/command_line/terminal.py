"""What a person sees in the terminal: stages, results, one clear line when something is wrong."""

import errno
import getpass
import json
import logging
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from traceback import format_exception
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from modelling.declaration import names
from modelling.refusals import DataRefused, MachineError, UsageError
from modelling.secrets import hide_secrets
from tasks.tracking.store import can_be_written, refuse_unusable_store, shown_at

if TYPE_CHECKING:
    from flows.search import SearchResult
    from flows.train import TrainingResult
    from tasks.tracking.leaderboard import LeaderboardEntry
    from tasks.upkeep.health import Check

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    # Prefect's console handler hangs on the root logger, so it speaks for all libraries.
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
}


LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def configure_environment(verbose: bool) -> None:
    """Settle the libraries before they are imported; what the user has set wins. Raises UsageError
    for an address that is none."""
    if url := os.environ.get("PREFECT_API_URL"):
        names.check_server_address(url, "PREFECT_API_URL")
    for name, value in {**SETTINGS, **({} if verbose else QUIET)}.items():
        os.environ.setdefault(name, value)
    # A proxy is for the world outside: the servers of this machine are reached without it.
    beside = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
    beside = ",".join(dict.fromkeys([*filter(None, beside.split(",")), *LOCAL_HOSTS]))
    os.environ |= {"no_proxy": beside, "NO_PROXY": beside}
    configure_user()
    for stream in (sys.stdout, sys.stderr):  # a title may hold what a terminal can't show
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def configure_user() -> None:
    """A name for a user id without one, as in a container; libraries ask for it. Raises UsageError
    where there is no home."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = f"uid-{os.getuid()}"
    try:
        Path.home()
    except RuntimeError:
        raise UsageError(
            "this user has no home: set HOME to a folder that can be written"
        ) from None


def show_stages(to_stderr: bool) -> None:
    """Print what the stages say as they pass."""
    handler = logging.StreamHandler(sys.stderr if to_stderr else sys.stdout)
    handler.setFormatter(logging.Formatter("  %(message)s"))
    log = logging.getLogger("finflows")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def refuse_unwritable_home() -> None:
    """Raises UsageError where Prefect can't keep what it needs."""
    named = os.environ.get("PREFECT_HOME")
    home = Path(named).expanduser() if named else Path.home() / ".prefect"
    with suppress(OSError):  # what Prefect keeps there, settings of runs too, is nobody else's
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not can_be_written(home):
        setting = "PREFECT_HOME" if named else "HOME"
        raise UsageError(
            f"{home} can't be written ({setting}): set PREFECT_HOME to a folder that can"
        )


def prepare(verbose: bool, as_json: bool) -> None:
    """All of the above and below, for a command that runs a flow. Raises UsageError at once, where
    it would have nowhere to write."""
    configure_environment(verbose)
    refuse_unwritable_home()
    refuse_unusable_store()
    if not verbose:
        hide_native_stderr()  # before anything holds on to the stream that goes
    show_stages(to_stderr=as_json)


def hide_native_stderr() -> None:
    """Leave file descriptor 2 to native libraries and nobody; ``sys.stderr`` stays visible.

    TensorFlow's first lines, and the servers that Prefect starts, write to the descriptor
    whatever their log level says.
    """
    sys.stderr.flush()
    encoding = sys.stderr.encoding
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding=encoding, errors="replace")
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)


def exit_code(error: Exception) -> int | None:
    """That of an error which one line explains; None for one that is a fault of the program."""
    codes = {UsageError: 2, DataRefused: 3, MachineError: 1}
    known = next((code for kind, code in codes.items() if isinstance(error, kind)), None)
    if known is None and _is_stranger(error):
        return 2
    return 1 if known is None and _fills_disk(error) else known


def _is_stranger(error: Exception) -> bool:
    """Whether Prefect's client, which not every command imports, was not let in by its server."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return type(error).__module__ == "prefect.exceptions" and status == 401


def _fills_disk(error: Exception) -> bool:
    return getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error)


def refuse(error: Exception) -> None:
    """One line on stderr; for refused data also a table of the broken rules, with counts only."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    said = "the disk is full: free some room" if _fills_disk(error) else str(error)
    if _is_stranger(error):
        said = "the Prefect server does not know this user: export PREFECT_API_AUTH_STRING=..."
    how_to_go_on = getattr(error, "__notes__", ())
    console.print("; ".join([f"finflows: {said}", *how_to_go_on]), markup=False)
    if isinstance(error, DataRefused) and error.broken:
        table = Table("column", "rule", "rows", "severity", box=None, padding=(0, 2))
        for one in error.broken:
            rows = "-" if one.rows is None else f"{one.rows:,}"
            table.add_row(one.column, one.rule, rows, one.severity)
        console.print(table, markup=False)


def show_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A fault of the program, as Python shows it, but for the secrets that it quotes."""
    print(hide_secrets("".join(format_exception(kind, error, trace))), file=sys.stderr, end="")


def show_result(result: "TrainingResult", overrides: Mapping[str, Any], as_json: bool) -> None:
    """The last lines of a training: how good it is, what the gate says, what to do next."""
    if as_json:
        print(json.dumps(result.model_dump()))
        return
    shown = [f"{name} {value:.4f}" for name, value in result.metrics.items()]
    for first in range(0, len(shown), 5):
        print(f"  {'' if first else 'test rows':11} {'  '.join(shown[first : first + 5])}")
    verdict = "passed" if result.gate["passed"] else "FAILED"
    said = f"{verdict}: {result.gate['reason']}" if result.gate["declared"] else "none declared"
    print(f"  {'gate':11} {said}")
    print(f"  {'run':11} {result.run_id}")
    print()
    if remedy := result.learning_curve["remedy"]:
        settings = {**overrides, **remedy}
        flags = [f"--set {shlex.quote(f'{k}={json.dumps(v)}')}" for k, v in settings.items()]
        print(f"Try next:     .venv/bin/finflows train {result.use_case} {' '.join(flags)}")
    print(f"Compare runs: {shown_at(result.paths['ui'])}")


def show_leaderboard(entries: "Sequence[LeaderboardEntry]") -> None:
    """The comparison as a table; where it is too wide for the terminal, its cells fold."""
    from tasks.comparison import NUMBERS, cells

    if not entries:
        print("no finished training matches: run one, or widen the filters")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in cells(entries[0]):
        table.add_column(name, justify="right" if name in NUMBERS else "left", overflow="fold")
    for one in entries:
        table.add_row(*cells(one).values())
    # What a pipe or a log keeps should not depend on the width of a window.
    Console(width=None if sys.stdout.isatty() else 200, highlight=False).print(table, markup=False)


def show_checks(checks: "Sequence[Check]", reaped: Sequence[str]) -> None:
    """One line for each check, and for each thing that was put right."""
    for one in checks:
        print(f"{'ok' if one.passed else 'FAILED':8}{one.name:12}{one.finding}")
    for line in reaped or ["nothing: no run has lost its process, no model or file lies astray"]:
        print(f"{'put right':20}{line}")


def show_search(result: "SearchResult", overrides: Mapping[str, Any], as_json: bool) -> None:
    """The last lines of a search: the best settings, and how good they are on the test rows."""
    if as_json:
        print(json.dumps(result.model_dump()))
        return
    show_result(result.trained, {**overrides, **result.settings}, as_json)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(result.trials.items()))
    print(f"Searched:     {counts}; best is trial {result.best_trial}, ", end="")
    print(f"val_loss {result.best_val_loss:.5g}")
    for name, value in result.settings.items():
        print(f"  {name}={json.dumps(value)}")
    print(f"All trials:   {shown_at(result.paths['ui'])}")
