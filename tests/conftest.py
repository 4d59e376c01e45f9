"""What all tests share: quiet libraries, a store of their own, one real Prefect server."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

# Before NumPy and scikit-learn read it, here and in all processes that tests start. Tests run side
# by side: threads that wait for each other's turn on the same cores burn up to ten times the work.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pandas as pd
import pytest
from servers import PATIENCE, REPOSITORY

from flows.command_line.terminal import configure_environment

configure_environment(verbose=False)
# A shell that starts the tests in the background, or under nohup, has them ignore signals, and all
# processes that they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A fresh MLflow store for the session; its folder."""
    folder = tmp_path_factory.mktemp("mlruns")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    yield folder
    del os.environ["MLFLOW_TRACKING_URI"]


@pytest.fixture(scope="session")
def prefect_server():
    """One real Prefect server for the session, for this process and its children."""
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=PATIENCE):
        os.environ["PREFECT_API_URL"] = PREFECT_API_URL.value()
        yield os.environ["PREFECT_API_URL"]
        del os.environ["PREFECT_API_URL"]


@pytest.fixture
def client(store):
    """An MLflow client of the session's store."""
    from tasks.tracking.store import connect

    return connect()


def trainings(client, use_case, wanted=""):
    """The runs of a use case, newest first, without the attempts and baselines nested in them."""
    experiment = client.get_experiment_by_name(use_case)
    runs = client.search_runs([experiment.experiment_id], wanted) if experiment else []
    return [run for run in runs if "mlflow.parentRunId" not in run.data.tags]


@pytest.fixture(scope="session")
def credit_file(tmp_path_factory):
    """6,000 real borrowers in a CSV file of the user's own, all columns as Kaggle names them."""
    from modelling.data.loading import read_table
    from use_cases import find_use_case

    table = read_table(find_use_case("credit_scoring").source)
    path = tmp_path_factory.mktemp("data") / "borrowers.csv"
    table.sample(6000, random_state=1).to_csv(path, index=False)
    return path


@pytest.fixture
def credit_table(credit_file):
    """The rows of ``credit_file``."""
    return pd.read_csv(credit_file)


@pytest.fixture
def checkout(tmp_path):
    """A copy of the checkout, set up with this environment; without runs and history."""
    left_out = shutil.ignore_patterns(".?*", "build", "mlruns", "tests", "__pycache__")
    folder = shutil.copytree(REPOSITORY, tmp_path / "checkout", ignore=left_out)
    environment = folder / ".venv"
    for new in (folder / "mlruns", environment):
        new.mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.name != ".ready":
            (environment / part.name).symlink_to(part)
    (environment / ".ready").touch()
    return folder


@pytest.fixture(scope="session")
def finflows(store, prefect_server):
    """Run the real command line in a process of its own, from a folder that is not the checkout."""

    def run(*arguments, **environment):
        paths = [str(REPOSITORY), str(REPOSITORY / "tests" / "declared")]
        settings = {"PYTHONPATH": os.pathsep.join(paths), **environment}
        return subprocess.run(
            [sys.executable, "-m", "flows.command_line", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=store,
            env={**os.environ, **settings},
            timeout=2 * PATIENCE,
        )

    return run


def last_json(stdout: str) -> dict:
    """The last line of a command's output."""
    return json.loads(stdout.strip().splitlines()[-1])
