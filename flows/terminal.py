"""What a person sees in the terminal: stages, results, one clear line when something is wrong."""

import json
import logging
import os
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from modelling.refusals import DataRefused

if TYPE_CHECKING:
    from flows.train import TrainingResult

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
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def settle(verbose: bool) -> None:
    """Settle the libraries before they are imported; what the user has set wins."""
    for name, value in {**SETTINGS, **({} if verbose else QUIET)}.items():
        os.environ.setdefault(name, value)


def show_stages(to_stderr: bool) -> None:
    """Print what the stages say as they pass."""
    handler = logging.StreamHandler(sys.stderr if to_stderr else sys.stdout)
    handler.setFormatter(logging.Formatter("  %(message)s"))
    log = logging.getLogger("finflows")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def hide_native_stderr() -> None:
    """Leave file descriptor 2 to native libraries and nobody; ``sys.stderr`` stays visible.

    TensorFlow's first lines, and the servers that Prefect starts, write to the descriptor
    whatever their log level says.
    """
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)


def refuse(error: Exception) -> None:
    """One line on stderr; for refused data also a table of the broken rules, with counts only."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"finflows: {error}", markup=False)
    if isinstance(error, DataRefused) and error.broken:
        table = Table("column", "rule", "rows", "severity", box=None, padding=(0, 2))
        for one in error.broken:
            rows = "-" if one.rows is None else f"{one.rows:,}"
            table.add_row(one.column, one.rule, rows, one.severity)
        console.print(table, markup=False)


def show_result(result: "TrainingResult", overrides: Mapping[str, Any], as_json: bool) -> None:
    """The last lines of a training: how good it is, what the gate says, what to do next."""
    if as_json:
        print(json.dumps(result.model_dump()))
        return
    shown = [f"{name} {value:.4f}" for name, value in result.metrics.items()]
    for first in range(0, len(shown), 5):
        print(f"  {'' if first else 'test rows':11} {'  '.join(shown[first : first + 5])}")
    verdict = "passed" if result.gate["passed"] else "FAILED"
    print(f"  {'gate':11} {verdict}: {result.gate['reason']}")
    print(f"  {'run':11} {result.run_id}")
    print()
    if remedy := result.learning_curve["remedy"]:
        settings = {**overrides, **remedy}
        flags = [f"--set {shlex.quote(f'{k}={json.dumps(v)}')}" for k, v in settings.items()]
        print(f"Try next:     .venv/bin/finflows train {result.use_case} {' '.join(flags)}")
    print(f"Compare runs: make ui, then http://127.0.0.1:5000{result.paths['ui']}")
