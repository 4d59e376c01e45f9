"""MLflow's own pages, opened on training runs: an app for ``mlflow server --app-name``, and
``finflows ui``, which runs it.

MLflow 3 keeps three things in the browser alone: whether its pages are about language models or
about training (it begins with the former), whether its assistant, a chat beside the runs that takes
a quarter of the window, has opened by itself, and whether somebody has closed its banner about
usage data. Neither a tag nor a setting of the server changes them, so the page itself sets them,
once: what a person chooses afterwards stays. The list of runs, which shows no metric until somebody
picks some, begins with those by which trainings are compared.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from fastapi import FastAPI
from mlflow.telemetry.utils import is_telemetry_disabled

from modelling.refusals import UsageError
from tasks.tracking.addresses import how_to_open, is_server, tracking_uri
from tasks.tracking.store import connect
from tasks.workers.processes import end_processes, process_tree

UI_APP = "finance-flows"  # what pyproject.toml calls ``app`` for MLflow
TRAINING_RUNS = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
}
# Of those that a use case lacks there is no column.
METRICS = ("roc_auc", "average_precision", "log_loss", "rmse", "qlike", "skill")
COLUMNS = (
    "attributes.`Models`",
    *(f"metrics.`test_{name}`" for name in METRICS),
    "metrics.`best_val_loss`",
    "tags.`learning_curve`",
    "tags.`gate`",
)
NO_USAGE_DATA = {
    "mlflow.settings.telemetry.enabled_v1": False,
    "mlflow.telemetry.info.alert.dismissed_v1": True,
}


def app() -> FastAPI:
    """MLflow's server, whose first page sets what a browser does not know yet."""
    from mlflow.server import app as pages
    from mlflow.server.fastapi_app import app as server

    first_page = (Path(str(pages.static_folder)) / "index.html").read_text(encoding="utf-8")
    with_settings = first_page.replace("<head>", f"<head><script>{_script()}</script>", 1)
    pages.view_functions["serve"] = lambda: with_settings
    return server


def _script() -> str:
    settings = TRAINING_RUNS | (NO_USAGE_DATA if is_telemetry_disabled() else {})
    # The columns of each experiment are kept under a key of its own.
    columns = json.dumps(json.dumps({"selectedColumns": COLUMNS}))
    return (
        f"for (const [key, value] of Object.entries({json.dumps(settings)}))"
        " if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(value));"
        " const kept = Storage.prototype.getItem;"
        " Storage.prototype.getItem = function (key) { return kept.call(this, key) ??"
        f" (/-ExperimentPage-.*-ReactComponentState$/.test(key) ? {columns} : null) }}"
    )


def ui_command(port: int) -> list[str]:
    """The command that runs MLflow's UI on 127.0.0.1: with ``app``, where the environment was set
    up since that was declared. One process answers one person."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1"]
    if UI_APP in {app.name for app in entry_points(group="mlflow.app")}:
        command += ["--app-name", UI_APP]
    return command


def serve_ui(port: int) -> None:
    """Run MLflow's own UI for the store on 127.0.0.1, until it is interrupted. Raises UsageError
    where it ends by itself, as where another program took the port meanwhile."""
    connect()
    if is_server(tracking_uri()):
        raise UsageError(f"the runs are on a server with a UI of its own: {how_to_open('')}")
    command = ui_command(port)
    # Everybody on the machine can read a command line, but not an environment.
    settings = {**os.environ, "MLFLOW_BACKEND_STORE_URI": tracking_uri()}
    # A session of its own: when this process is interrupted, it ends the UI and its processes.
    with subprocess.Popen(command, env=settings, start_new_session=True) as server:
        try:
            server.wait()
        finally:
            end_processes(process_tree(server.pid), timeout_seconds=2)
    raise UsageError(f"the MLflow UI ended by itself on port {port}: its lines above say why")
