"""Trials as flow runs of a Prefect work pool: same search as on this machine, killed or not."""

import json
import subprocess
import sys
import threading
import time

import pytest
from conftest import last_json
from servers import prefect_server, running, store_client, team_environment, wait_for
from test_search import ONE_FOLD, tried
from test_search_kills import training_processes

pytestmark = pytest.mark.services
TRIALS = 3
SPACE = {"training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}
# Long enough to be killed in the middle; one fold, since each is a flow run.
SETTINGS = {"training.epochs": 300, "training.early_stopping_patience": 0, "search": SPACE}
SETTINGS |= ONE_FOLD


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    """A Prefect server with a pool, as a team's shell would export it."""
    folder = tmp_path_factory.mktemp("team")
    with prefect_server(folder) as url:
        environment = team_environment(folder, url, PREFECT_WORKER_QUERY_SECONDS="2")
        create_pool("gpu", environment)
        yield folder, environment


def prefect(*arguments):
    return [sys.executable, "-m", "prefect", *arguments]


def create_pool(name, environment):
    command = prefect("work-pool", "create", name, "--type", "process")
    subprocess.run(command, env=environment, check=True)


def search(environment, *arguments, settings=None):
    """``finflows search iris`` in a process of its own."""
    command = [sys.executable, "-m", "flows.command_line", "search", "iris", "--json"]
    command += ["--trials", str(TRIALS), *arguments]
    for name, value in (settings or SETTINGS).items():
        command += ["--set", f"{name}={json.dumps(value)}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)


def kill_flow_runs(worker, kills, killed):
    """Kill -9 a flow run of the pool, training process and all, so often."""
    while len(killed) < kills:
        time.sleep(0.3)
        if training := training_processes(worker.pid):
            flow_run = training[0].parent()
            time.sleep(0.5)  # into its epochs
            for one in (flow_run, training[0]):
                one.kill()
            killed.append(flow_run.pid)
            time.sleep(2)


def test_a_pool_that_can_not_train_is_refused_in_one_line(team):
    _, environment = team
    refused = search(environment, "--pool", "idle")
    assert refused.returncode == 2
    assert "does not exist: create it with 'prefect work-pool create idle" in refused.stderr
    create_pool("idle", environment)
    refused = search(environment, "--pool", "idle")
    assert refused.returncode == 2
    assert "no worker is online: start one with 'prefect worker start" in refused.stderr


@pytest.mark.parametrize("kills", [1, pytest.param(2, marks=pytest.mark.evidence)])
def test_trials_on_a_pool_are_those_of_this_machine_also_when_killed(kills, team):
    folder, environment = team
    here = search(environment, "--workers", "2")
    assert here.returncode == 0, here.stderr
    command = prefect("worker", "start", "--pool", "gpu", "--limit", "2")
    killed = []
    with running(command, folder / "worker.log", env=environment, cwd=folder) as worker:
        wait_for(lambda: "started!" in (folder / "worker.log").read_text(), "the worker")
        victims = (worker, kills, killed)
        killer = threading.Thread(target=kill_flow_runs, args=victims, daemon=True)
        killer.start()
        there = search(environment, "--workers", "2", "--pool", "gpu")
    assert there.returncode == 0, there.stderr
    assert len(killed) == kills
    client = store_client(environment["MLFLOW_TRACKING_URI"])
    ours, theirs = (last_json(one.stdout) for one in (here, there))
    assert tried(client, theirs["run_id"]) == tried(client, ours["run_id"])
    assert theirs["settings"] == ours["settings"]
    assert not list((folder / "mlruns").rglob("*.pickle")), "no rows are left behind"
