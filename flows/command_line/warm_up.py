"""Start what a training needs in parallel: other processes start while this one imports."""

import os
import sys
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from flows.command_line.stages import end_stage
from flows.command_line.terminal import prefect_home
from modelling.refusals import UsageError
from tasks.progress import elapsed_line
from tasks.tracking.store import connect
from tasks.workers.quick_imports import quick_imports
from tasks.workers.server_authentication import API_URL
from tasks.workers.temporary_server import TemporaryServer

# By stages after the first, which import them where there was no time for it.
NEEDED_LATER = ("scipy.stats", "great_expectations", "sklearn.preprocessing")


def warm_up(flow: str = "flows.train") -> None:
    """Import what a flow needs while a temporary Prefect server starts, if none is configured; then
    start a worker that imports TensorFlow, if the flow trains.

    The flow would start both by itself, but one after the other. The worker is needed last, and
    started earlier it would compete for the cores.
    """
    trains = flow == "flows.train"
    with quick_imports():
        server = _start_server()
        import_module(flow)
        if trains:
            with suppress(UsageError):  # the flow says so
                connect()
        if server:
            server.use(NEEDED_LATER if trains else ())
    if trains:
        from tasks.workers.training_workers import start_worker

        start_worker()


def _start_server() -> TemporaryServer | None:
    """A temporary server where none is configured, before Prefect is imported if possible: each
    takes seconds."""
    if "prefect.settings" in sys.modules or may_have_prefect_server():
        from prefect.settings import PREFECT_API_URL

        if PREFECT_API_URL.value():
            return None
    return TemporaryServer()


def may_have_prefect_server() -> bool:
    """Whether a Prefect server may be configured, as far as can be told without Prefect: importing
    it takes as long as scoring a million rows. An empty address means none, whatever files say."""
    named = [value for name, value in os.environ.items() if name.upper() == API_URL]
    if named:
        return any(named)
    profiles = Path(os.environ.get("PREFECT_PROFILES_PATH", prefect_home() / "profiles.toml"))
    if any(API_URL in _text(file).upper() for file in (profiles, Path(".env"))):
        return True
    shared = _settings(Path("pyproject.toml")).get("tool", {})
    return "api" in _settings(Path("prefect.toml")) or "api" in shared.get("prefect", {})


def _settings(file: Path) -> dict[str, Any]:
    with suppress(tomllib.TOMLDecodeError):  # nor does Prefect read it then
        return tomllib.loads(_text(file))
    return {}


def _text(file: Path) -> str:
    readable = file.is_file() and os.access(file, os.R_OK)
    return file.read_text(errors="replace") if readable else ""


def start_flow(flow: str, as_json: bool) -> None:
    """``warm_up`` as the first stage that a person sees, with its seconds."""
    typer.echo(f"  {'starting':11} Prefect, MLflow and Great Expectations", err=as_json)
    with elapsed_line(""):  # below the line that says what
        warm_up(flow)
    end_stage("starting")


def refuse_other_prefect(started: Mapping[str, str | None]) -> None:
    """Raise UsageError where Prefect is to be another one than when it was ``started``, or imported
    by somebody: it reads its settings only then, and would ignore a change silently."""
    if "prefect.settings" not in sys.modules:
        return
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME

    in_use = {"PREFECT_API_URL": PREFECT_API_URL.value(), "PREFECT_HOME": str(PREFECT_HOME.value())}
    for name, value in prefect_settings().items():
        ignored = value and _as_read(name, value) != _as_read(name, in_use[name] or "")
        if ignored or value != started.get(name, value):
            raise UsageError(
                f"{name} was changed, but Prefect reads it only once: restart Python (in a "
                "notebook, its kernel) for it to take effect, or set it back"
            )


def _as_read(name: str, value: str) -> str:
    """A setting as Prefect reads it: a folder as Path, without ``./``, a second ``/`` or ``~``."""
    return str(Path(value).expanduser()) if name == "PREFECT_HOME" else value.rstrip("/")


def prefect_settings() -> dict[str, str | None]:
    """Which Prefect the environment names."""
    return {name: os.environ.get(name) for name in ("PREFECT_API_URL", "PREFECT_HOME")}
