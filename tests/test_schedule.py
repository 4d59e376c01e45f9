"""Schedules on a real server: runs come by themselves, bad data stops one run only, and a worker
that is killed leaves nothing that says it runs."""

import json
import subprocess
import sys

import pytest
import yaml
from conftest import REPOSITORY, trainings
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.settings import PREFECT_API_URL, temporary_settings
from servers import (
    prefect_server,
    running,
    store_client,
    team_environment,
    wait_for,
)

from tasks.workers.processes import process_tree

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
    often = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", "PREFECT_WORKER_QUERY_SECONDS": "2"}
    with prefect_server(folder) as url:
        environment = team_environment(folder, url, **often)
        prefect("work-pool", "create", "cpu", "--type", "process", environment=environment)
        yield folder, environment


def worker(folder, environment):
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "cpu"]
    return running(command, folder / "worker.log", env=environment, cwd=REPOSITORY)


def deploy(file, environment):
    prefect("--no-prompt", "deploy", "--all", "--prefect-file", file, environment=environment)


def run_now(deployment, environment):
    """Have a worker run a deployment, as a person does by a click."""
    with temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}):
        run_deployment(f"train/{deployment}", timeout=0, as_subflow=False)


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


@pytest.fixture(scope="module")
def killed(team):
    """The shell of a worker that was killed together with its flow run. It has a tracking store of
    its own: no other training closes its run. Prefect's shortest heartbeats are missed after a
    minute and a half, in which the other test runs."""
    folder, environment = team
    environment = {**environment, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/killed/mlflow.db"}
    overrides = {"training.epochs": 1_000_000, "training.early_stopping_patience": 0}
    parameters = {"use_case_name": "wine", "overrides": overrides}
    entry = {"name": "endless-wine", "schedules": [], "parameters": parameters}
    deploy(plan(folder / "endless.yaml", entry), environment)
    assert not doctor(environment)["reaped"]  # also has Prefect watch heartbeats
    with worker(folder, environment) as process:
        run_now("endless-wine", environment)
        wait_for(
            lambda: any("loss" in one.data.metrics for one in runs(environment, "wine")),
            "the training",
        )
        for member in process_tree(process.pid)[::-1]:
            member.kill()
    return environment


def test_a_cron_tick_trains_by_itself_and_bad_data_stops_one_run_only(team, killed, credit_file):
    folder, environment = team
    data = folder / "borrowers.csv"
    good = credit_file.read_text()
    data.write_text(good)
    overrides = {**QUICK, "source.uri": str(data)}
    iris = {
        "name": "nightly-iris",
        "schedules": EVERY_MINUTE,
        "parameters": {"use_case_name": "iris", "overrides": QUICK},
        "tags": ["use-case:iris"],
    }
    credit = {
        "name": "nightly-credit_scoring",
        "schedules": [],
        "parameters": {"use_case_name": "credit_scoring", "overrides": overrides},
    }
    deploy(plan(folder / "prefect.yaml", iris, credit), environment)
    with worker(folder, environment):
        run_now("nightly-credit_scoring", environment)
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
        run_now("nightly-credit_scoring", environment)
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
        run_now("nightly-credit_scoring", environment)
        wait_for(
            lambda: len(runs(environment, "credit_scoring", finished)) > len(trained),
            "the next run",
        )
        wait_for(lambda: len(runs(environment, "iris", finished)) > 1, "the next tick")


def test_a_killed_worker_leaves_nothing_that_says_it_runs(killed):
    """Worker and flow run are killed at once: the automation sees missing heartbeats, and the
    doctor closes the run in MLflow."""
    (crashed,) = wait_for(
        lambda: flow_runs(killed, "endless-wine", "Crashed")[0], "the automation", 600
    )
    assert "heartbeats" in crashed.state.message
    (run,) = runs(killed, "wine")
    assert run.info.status == "RUNNING"
    assert len(doctor(killed)["reaped"]) == 1
    (run,) = runs(killed, "wine")
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
