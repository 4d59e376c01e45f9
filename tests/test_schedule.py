"""Schedules on a real server: runs come by themselves, bad data stops one run only, and a worker
that is killed leaves nothing that says it runs."""

import json
import signal
import subprocess
import sys

import psutil
import pytest
import yaml
from conftest import REPOSITORY, trainings
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from servers import (
    prefect_server,
    running,
    store_client,
    team_environment,
    wait_for,
)

pytestmark = pytest.mark.services
EVERY_MINUTE = [{"cron": "* * * * *", "timezone": "Europe/Berlin"}]
QUICK = {"training.epochs": 2}


def plan(path, *entries):
    """A prefect.yaml whose entries are those of ours, but for what is given."""
    first = next(
        entry
        for entry in yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())["deployments"]
        if entry["entrypoint"] == "flows/train.py:train"
    )
    path.write_text(yaml.safe_dump({"deployments": [{**first, **entry} for entry in entries]}))
    return path


def prefect(*arguments, environment):
    command = [sys.executable, "-m", "prefect", *map(str, arguments)]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    """A Prefect server with a work pool, a tracking store, and what a team's shell would export."""
    folder = tmp_path_factory.mktemp("team")
    with prefect_server(folder) as url:
        environment = team_environment(folder, url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY="30")
        prefect("work-pool", "create", "cpu", "--type", "process", environment=environment)
        yield folder, environment


def worker(folder, environment):
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "cpu"]
    return running(command, folder / "worker.log", env=environment, cwd=REPOSITORY)


def runs(environment, experiment, wanted=""):
    return trainings(store_client(environment["MLFLOW_TRACKING_URI"]), experiment, wanted)


def flow_runs(environment, deployment, state):
    """The flow runs of a deployment that are in a state of this name, and Prefect's artifacts."""
    with (
        temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}),
        get_client(sync_client=True) as client,
    ):
        known = {one.id: one.name for one in client.read_deployments()}
        found = [
            one
            for one in client.read_flow_runs(limit=200)
            if known.get(one.deployment_id) == deployment and one.state.name == state
        ]
        return found, client.read_artifacts()


def test_a_cron_tick_trains_by_itself_and_bad_data_stops_one_run_only(team, credit_file):
    folder, environment = team
    data = folder / "borrowers.csv"
    good = credit_file.read_text()
    data.write_text(good)
    parameters = {"use_case_name": "credit_scoring"}
    file = plan(
        folder / "prefect.yaml",
        {
            "name": "nightly-iris",
            "schedules": EVERY_MINUTE,
            "parameters": {"use_case_name": "iris", "overrides": QUICK},
            "tags": ["use-case:iris"],
        },
        {
            "name": "nightly-credit_scoring",
            "schedules": EVERY_MINUTE,
            "parameters": {**parameters, "overrides": {**QUICK, "source.uri": str(data)}},
        },
    )
    prefect("--no-prompt", "deploy", "--all", "--prefect-file", file, environment=environment)
    with worker(folder, environment):
        finished = "attributes.status = 'FINISHED'"
        run = wait_for(lambda: runs(environment, "iris", finished), "a training by cron")[-1]
        completed, artifacts = wait_for(
            lambda: (found := flow_runs(environment, "nightly-iris", "Completed"))[0] and found,
            "a flow run that completed",
        )
        flow_run = next(r for r in completed if str(r.id) == run.data.tags["prefect_flow_run"])
        assert run.data.tags["prefect_deployment"] == "train/nightly-iris"
        assert flow_run.auto_scheduled
        assert "use-case:iris" in flow_run.tags
        keys = {one.key for one in artifacts if one.flow_run_id == flow_run.id}
        names = ("report", "promotion", "mlflow-run", "learning-curve", "advantages", "dossier")
        assert keys == {f"iris-{name}" for name in names}

        client = store_client(environment["MLFLOW_TRACKING_URI"])
        wait_for(lambda: runs(environment, "credit_scoring", finished), "a training on good data")
        approval = ("--version", "1", "--reason", "approved by model risk")
        finflows("promote", "credit_scoring", *approval, environment=environment)
        data.write_text(good.replace("age", "agee", 1))
        failed = wait_for(
            lambda: flow_runs(environment, "nightly-credit_scoring", "Failed")[0],
            "a run that refused its data",
        )
        assert "age" in failed[0].state.message
        assert len(failed[0].state.message.splitlines()) == 1
        refused = runs(environment, "credit_scoring", "attributes.status = 'FAILED'")[0]
        assert "age" in refused.data.tags["failure"]
        files = {one.path for one in client.list_artifacts(refused.info.run_id)}
        assert "validation_report.md" in files
        trained = {one.info.run_id for one in runs(environment, "credit_scoring", finished)}
        registered = {one.run_id for one in client.search_model_versions("name = 'credit_scoring'")}
        assert registered == trained
        champion = client.get_model_version_by_alias("credit_scoring", "champion")
        assert int(champion.version) == 1

        data.write_text(good)
        wait_for(
            lambda: len(runs(environment, "credit_scoring", finished)) > len(trained),
            "the next run",
        )
    prefect("--no-prompt", "deployment", "delete", "--all", environment=environment)


def test_a_killed_worker_leaves_nothing_that_says_it_runs(team):
    """Worker and flow run are killed at once: the automation sees missing heartbeats, and the
    doctor closes the run in MLflow."""
    folder, environment = team
    overrides = {"training.epochs": 1_000_000, "training.early_stopping_patience": 0}
    entry = {
        "name": "endless-wine",
        "schedules": [],
        "parameters": {"use_case_name": "wine", "overrides": overrides},
    }
    file = plan(folder / "endless.yaml", entry)
    prefect("--no-prompt", "deploy", "--all", "--prefect-file", file, environment=environment)
    assert not doctor(environment)["reaped"]  # also has Prefect watch heartbeats
    with worker(folder, environment) as process:
        prefect("deployment", "run", "train/endless-wine", environment=environment)
        wait_for(
            lambda: any("loss" in one.data.metrics for one in runs(environment, "wine")),
            "the training",
        )
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(True)]
        for member in family:
            member.send_signal(signal.SIGKILL)
    (crashed,) = wait_for(
        lambda: flow_runs(environment, "endless-wine", "Crashed")[0], "the automation", 600
    )
    assert "heartbeats" in crashed.state.message
    (run,) = runs(environment, "wine")
    assert run.info.status == "RUNNING"
    assert len(doctor(environment)["reaped"]) == 1
    (run,) = runs(environment, "wine")
    assert run.info.status == "KILLED"
    assert "was killed" in run.data.tags["failure"]


def doctor(environment):
    return json.loads(finflows("doctor", "--json", environment=environment).splitlines()[-1])


def finflows(*arguments, environment):
    """What the command line answers where a team's shell has exported ``environment``."""
    command = [sys.executable, "-m", "flows.command_line", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
