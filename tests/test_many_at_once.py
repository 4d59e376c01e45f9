"""Trainings that share a database: none is lost, be it new, or locked for a while."""

import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter

import pytest
from conftest import REPOSITORY, last_json, trainings
from mlflow import MlflowClient
from servers import postgresql, prefect_server, running, store_client, wait_for

pytestmark = pytest.mark.services


def train_at_once(folder, count, **environment):
    """What ``finflows train wine`` says, from ``count`` processes that are started together."""
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests" / "declared")])
    settings = {**os.environ, "PYTHONPATH": paths, "TF_NUM_INTRAOP_THREADS": "1", **environment}
    command = [sys.executable, "-m", "flows.command_line", "train", "wine", "--json"]
    processes = []
    for seed in range(count):
        settings_of_one = ["--set", "training.epochs=3", "--set", f"training.seed={seed}"]
        settings_of_one += ["--set", "baselines=[]"]
        with (folder / f"{seed}.out").open("w") as out, (folder / f"{seed}.err").open("w") as err:
            processes.append(
                subprocess.Popen(
                    [*command, *settings_of_one], cwd=folder, env=settings, stdout=out, stderr=err
                )
            )
    codes = [process.wait() for process in processes]
    said = [(folder / f"{seed}.err").read_text() for seed in range(count)]
    assert codes == [0] * count, "\n".join(said)
    return [last_json((folder / f"{seed}.out").read_text()) for seed in range(count)]


def assert_none_lost(tracking_uri, results):
    """All runs are there, finished, with all epochs, each with a version of its own."""
    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
    runs = trainings(client, "wine")
    assert {run.info.run_id for run in runs} == {one["run_id"] for one in results}
    assert Counter(run.info.status for run in runs) == {"FINISHED": len(results)}
    for run in runs:
        assert len(client.get_metric_history(run.info.run_id, "val_loss")) == 3
    versions = {int(one["model"]["version"]) for one in results}
    assert versions == set(range(1, len(results) + 1))
    assert {one.run_id for one in client.search_model_versions("name = 'wine'")} == {
        run.info.run_id for run in runs
    }


def test_three_on_a_new_folder_with_sqlite(tmp_path):
    """Nothing exists yet: no tracking database, no Prefect home."""
    tracking = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    environment = {"MLFLOW_TRACKING_URI": tracking, "PREFECT_HOME": str(tmp_path / "prefect")}
    results = train_at_once(tmp_path, 3, **environment)
    assert_none_lost(tracking, results)


@pytest.mark.parametrize("count", [3, pytest.param(8, marks=pytest.mark.evidence)])
def test_many_with_postgresql_behind_mlflow_and_prefect(count, tmp_path):
    with postgresql(tmp_path / "postgresql.log", "mlflow", "prefect") as address:
        database = f"postgresql+asyncpg://{address}/prefect"
        tracking = f"postgresql://{address}/mlflow"
        with prefect_server(tmp_path, PREFECT_API_DATABASE_CONNECTION_URL=database) as url:
            environment = {"MLFLOW_TRACKING_URI": tracking, "PREFECT_API_URL": url}
            results = train_at_once(tmp_path, count, **environment)
        assert_none_lost(tracking, results)


def test_a_database_that_is_locked_for_longer_than_mlflow_waits_costs_no_epoch(tmp_path):
    """MLflow waits 20 seconds for a lock; then the training is tried again from its checkpoints."""
    file, epochs = tmp_path / "mlruns" / "mlflow.db", 400
    tracking = f"sqlite:///{file}"
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests" / "declared")])
    environment = {**os.environ, "PYTHONPATH": paths, "MLFLOW_TRACKING_URI": tracking}
    command = [sys.executable, "-m", "flows.command_line", "train", "wine"]
    for setting in (f"epochs={epochs}", "early_stopping_patience=0"):
        command += ["--set", f"training.{setting}"]

    def losses(client):
        return [
            metric.step
            for run in trainings(client, "wine")
            for metric in client.get_metric_history(run.info.run_id, "val_loss")
        ]

    log = tmp_path / "train.log"
    with running(command, log, env=environment, cwd=tmp_path) as process:
        client = store_client(tracking)
        wait_for(lambda: losses(client), "an epoch")
        with sqlite3.connect(file, timeout=60) as other:
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(30)
            other.rollback()
        assert process.wait(timeout=300) == 0, log.read_text()
    assert losses(client) == list(range(epochs))
