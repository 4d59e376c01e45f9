"""The doctor ends what nobody runs any more, and finds common problems."""

import os
import subprocess
import sys
import time
from importlib import import_module

import pytest
from conftest import REPOSITORY, last_json
from prefect import Flow
from prefect.client.orchestration import get_client
from servers import lives, wait_for

from flows.upkeep import run_upkeep
from tasks.upkeep import health
from tasks.upkeep.flow_runs import reap
from tasks.workers import heartbeats
from tasks.workers.heartbeats import AUTOMATION, WATCHED_FLOWS, watch_heartbeats
from tasks.workers.processes import process_tag

pytestmark = pytest.mark.usefixtures("store", "prefect_server")

KILLED_IN_THE_MIDDLE = """
import os, signal
from prefect import flow
from tasks.tracking.runs import tracked_run
from use_cases import find_use_case

@flow
def train_and_be_killed():
    with tracked_run(find_use_case("wine"), {}) as run:
        print(run.run_id, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

train_and_be_killed()
"""

KILLED_WITH_A_SERVER = """
import os, psutil, signal, sys
from flows.command_line.warm_up import warm_up
from tasks.workers.temporary_server import configured_server

warm_up("flows.upkeep")
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL

assert PREFECT_API_URL.value(), "flows would start a server without authentication"
assert configured_server() is None
assert not PREFECT_UI_URL.value(), "it has no pages"
assert not os.environ.get("PREFECT_API_URL"), "what this process starts does not know it"
assert "prefect.server.api.server" not in sys.modules, "it takes long to import"
(server,) = psutil.Process().children()
print(server.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_training_is_closed_in_mlflow_and_in_prefect(client):
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests" / "declared")])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_MIDDLE],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -9, killed.stderr
    run_id = killed.stdout.split()[-1]
    run = client.get_run(run_id)
    assert run.info.status == "RUNNING"
    flow_run_id = run.data.tags["prefect_flow_run"]
    assert sum(run_id in line or flow_run_id in line for line in reap()) == 2
    run = client.get_run(run_id)
    assert run.info.status == "KILLED"
    assert f"finflows resume {run_id}" in run.data.tags["failure"]
    with get_client(sync_client=True) as prefect:
        flow_run = prefect.read_flow_run(flow_run_id)
    assert flow_run.state.is_crashed()
    assert not [line for line in reap() if run_id in line or flow_run_id in line]


@pytest.mark.services
def test_the_temporary_server_of_a_killed_flow_ends_with_it(tmp_path):
    """Where no Prefect server is configured (an empty address is none), a flow has its own."""
    settings = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PREFECT_HOME": str(tmp_path)}
    settings["PREFECT_API_URL"] = ""
    command = [sys.executable, "-c", KILLED_WITH_A_SERVER]
    killed = subprocess.run(command, env=settings, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    wait_for(lambda: not lives(int(killed.stdout)), "the server to end")


def test_a_run_elsewhere_is_closed_once_prefect_says_that_it_ended(client, prefect_server):
    """Its host is another one, so that only Prefect can know."""
    from prefect import flow

    @flow(name="elsewhere")
    def elsewhere():
        from prefect.runtime import flow_run

        return flow_run.id

    ended = elsewhere()
    experiment = client.create_experiment(f"elsewhere {time.time()}")
    tags = {"process": "another-host 1 0", "prefect_flow_run": ended}
    run_id = client.create_run(experiment, tags=tags).info.run_id
    waiting = client.create_run(experiment, tags={"process": "another-host 2 0"}).info.run_id
    reap()
    assert client.get_run(run_id).info.status == "KILLED"
    assert "Completed" in client.get_run(run_id).data.tags["failure"]
    assert client.get_run(waiting).info.status == "RUNNING"


def test_heartbeats_are_watched_once():
    watch_heartbeats()
    assert not watch_heartbeats()
    with get_client(sync_client=True) as prefect:
        (automation,) = prefect.read_automations_by_name(AUTOMATION)
    assert automation.enabled
    assert automation.actions[0].type == "change-flow-run-state"


def test_a_healthy_box_passes_all_checks():
    checks, _ = run_upkeep()
    of_the_machine = {
        "gpu",
        "disk",
    }  # a stranger's disk may be full
    assert [one for one in checks if not one.passed and one.name not in of_the_machine] == []
    names = ["versions", "file store", "tracking", "models", "history"]
    names += ["prefect", "gpu", "clock", "disk"]
    assert [one.name for one in checks] == names


def test_packages_that_break_each_other_are_named(tmp_path):
    declared = tmp_path / "pyproject.toml"
    declared.write_text('[project]\ndependencies = ["sqlalchemy<2", "no-such-package", "pandas"]\n')
    check = health.check_versions(declared)
    assert not check.passed
    assert "sqlalchemy 2." in check.finding
    assert "no-such-package is missing" in check.finding
    assert "pandas" not in check.finding


def test_an_old_store_of_files_is_found(tmp_path, monkeypatch):
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "meta.yaml").write_text("name: Default\n")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    check = health.check_file_store()
    assert not check.passed
    assert "mlflow migrate-filestore" in check.finding


def test_gpus_that_tensorflow_does_not_see_are_found(tmp_path, monkeypatch):
    """A driver that lists one GPU; this machine's TensorFlow sees none of that name."""
    driver = tmp_path / "nvidia-smi"
    driver.write_text('#!/bin/sh\necho "GPU 0: Some GPU (UUID: GPU-1)"\n')
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    check = health.check_gpu()
    assert not check.passed
    assert "CUDA_VISIBLE_DEVICES" in check.finding


def test_a_clock_that_is_behind_the_newest_run_is_found(client):
    experiment = client.create_experiment(f"tomorrow {time.time()}")
    tomorrow = int((time.time() + 86_400) * 1000)
    ours = {"process": process_tag(os.getpid())}  # a clock of another team's is not looked at
    run_id = client.create_run(experiment, start_time=tomorrow, tags=ours).info.run_id
    check = health.check_clock()
    client.delete_run(run_id)
    assert not check.passed
    assert health.check_clock().passed


def test_a_full_disk_is_found():
    check = health.check_disk(at_least_gib=1e9)
    assert not check.passed
    assert "GiB free" in check.finding


def test_the_command_fails_where_a_check_fails(finflows):
    done = finflows("doctor", "--json", MLFLOW_TRACKING_URI="http://127.0.0.1:1")
    assert done.returncode == 1, done.stderr
    checks = {one["name"]: one for one in last_json(done.stdout)["checks"]}
    assert not checks["tracking"]["passed"]
    assert "can't be reached" in checks["tracking"]["finding"]
    assert checks["versions"]["passed"]
    assert "Traceback" not in done.stderr


def test_every_flow_is_watched_but_the_one_that_waits_for_a_person():
    modules = [import_module(f"flows.{file.stem}") for file in REPOSITORY.glob("flows/*.py")]
    objects = [each for module in modules for each in vars(module).values()]
    flows = {each.name for each in objects if isinstance(each, Flow)}
    assert flows - {*WATCHED_FLOWS} == {"approve"}


def test_a_flow_that_is_new_is_watched_too(monkeypatch):
    with monkeypatch.context() as earlier_release:
        earlier_release.setattr(heartbeats, "WATCHED_FLOWS", ("train",))
        watch_heartbeats()
    assert watch_heartbeats()
    assert not watch_heartbeats()
