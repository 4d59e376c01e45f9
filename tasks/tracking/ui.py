"""MLflow's own pages, opened on training runs: an app for ``mlflow server --app-name``.

MLflow 3 keeps two things in the browser alone: whether its pages are about language models or about
training (it begins with the former), and whether somebody has closed its banner about usage data.
Neither a tag nor a setting of the server changes them, so the page itself sets them, once: what a
person chooses afterwards stays.
"""

import json
from pathlib import Path

from fastapi import FastAPI
from mlflow.telemetry.utils import is_telemetry_disabled

MODEL_TRAINING = {"mlflow.workflowType_v1": "machine_learning"}
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
    settings = MODEL_TRAINING | (NO_USAGE_DATA if is_telemetry_disabled() else {})
    return (
        f"for (const [key, value] of Object.entries({json.dumps(settings)}))"
        " if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(value))"
    )
