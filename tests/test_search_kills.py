"""Workers and searches that are killed -9: a search ends with the trials of an unkilled one."""

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psutil
import pytest
from conftest import REPOSITORY, last_json
from test_search import trials_of, tried

from flows.search import search
from tasks.workers.dask_cluster import DaskCluster
from tasks.workers.executors import LocalProcesses, open_executor, visible_gpus
from tasks.workers.training_workers import TrainingWorker, borrowed_worker

pytestmark = pytest.mark.usefixtures("store", "prefect_server")
TRIALS = 4
SETTINGS = {
    "baselines": [],
    "split.validation": 0.4,  # two folds
    "training.epochs": 75,
    "training.early_stopping_patience": 0,
    "search": {
        "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "network.hidden_units": {"values": [[8], [16, 8]]},
    },
}


@pytest.fixture
def settings(credit_file):
    return {**SETTINGS, "source.uri": str(credit_file)}


@pytest.fixture(scope="module")
def unkilled(store, prefect_server, credit_file):
    """The search of all tests here, left in peace."""
    overrides = {**SETTINGS, "source.uri": str(credit_file)}
    return search("credit_scoring", trials=TRIALS, workers=2, overrides=overrides)


def training_processes(ancestor=None):
    """The processes of this machine that train for this one, or for ``ancestor``: their command
    says so."""
    family = psutil.Process(ancestor).children(recursive=True)
    return [one for one in family if "training_workers" in " ".join(_command(one))]


def _command(process):
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def dask_workers():
    """Of a local Dask cluster, the processes that its nannies keep alive."""
    parents = {one.ppid() for one in training_processes()} - {os.getpid()}
    return [psutil.Process(pid) for pid in parents if psutil.pid_exists(pid)]


@contextmanager
def killing_at_random(victims, kills):
    """Meanwhile, kill -9 one of ``victims()`` at random moments, so often; who was killed."""
    chance, stop, killed = random.Random(1), threading.Event(), []

    def kill():
        while not stop.is_set() and len(killed) < kills:
            stop.wait(chance.uniform(0.5, 4))
            if there := victims():
                victim = chance.choice(there)
                victim.kill()
                killed.append(victim.pid)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:  # whatever happened, nothing of the next test is killed
        stop.set()
        killer.join()


@pytest.mark.services
@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.evidence)])
@pytest.mark.parametrize(("dask", "victims"), [(None, training_processes), ("local", dask_workers)])
def test_kills_change_nothing(dask, victims, kills, unkilled, settings, client):
    with killing_at_random(victims, kills) as killed:
        result = search("credit_scoring", TRIALS, 2, dask=dask, overrides=settings)
    assert len(killed) == kills, "the search ended before it could be killed so often"
    assert tried(client, result.run_id) == tried(client, unkilled.run_id)
    assert result.settings == unkilled.settings
    assert result.trained.metrics == unkilled.trained.metrics
    runs = [client.get_run(result.run_id), *trials_of(client, result.run_id).values()]
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs[1:]:
        steps = [one.step for one in client.get_metric_history(run.info.run_id, "val_loss")]
        assert sorted(steps) == list(range(len(steps)))


@pytest.mark.services
def test_a_search_that_was_killed_goes_on_where_it_was(unkilled, settings, client, finflows):
    command = [sys.executable, "-m", "flows.command_line", "search", "credit_scoring"]
    command += ["--trials", str(TRIALS), "--workers", "2"]
    command += [part for name, value in settings.items() for part in ("--set", _said(name, value))]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    before = ended_trials(client)
    while len(ended_trials(client) - before) < 2:
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = ended_trials(client) - before
    run_id = client.get_run(next(iter(kept))[0]).data.tags["mlflow.parentRunId"]
    done = finflows("resume", run_id, "--json")
    assert done.returncode == 0, done.stderr
    result = last_json(done.stdout)
    assert result["run_id"] == run_id
    assert kept <= ended_trials(client), "what was done before the kill was not done again"
    assert tried(client, run_id) == tried(client, unkilled.run_id)
    assert result["settings"] == unkilled.settings
    statuses = {run.info.status for run in trials_of(client, run_id).values()}
    assert statuses == {client.get_run(run_id).info.status} == {"FINISHED"}


def _said(name, value):
    import json

    return f"{name}={json.dumps(value) if not isinstance(value, str) else value}"


def ended_trials(client):
    """(run id, end) of all finished trials in the store."""
    experiment = client.get_experiment_by_name("credit_scoring").experiment_id
    wanted = "attributes.status = 'FINISHED' and tags.trial != ''"
    runs = client.search_runs([experiment], wanted)
    return {(run.info.run_id, run.info.end_time) for run in runs}


@pytest.mark.services
def test_each_worker_of_this_machine_sees_its_own_gpus_and_share_of_cores(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,7")
    assert visible_gpus() == ["3", "5", "7"]
    seen = [one["CUDA_VISIBLE_DEVICES"] for one in LocalProcesses(2).environments]
    assert seen == ["3,7", "5"]
    worker = TrainingWorker(LocalProcesses(2).environments[1])
    environment = environment_of(worker)
    worker.stop()
    assert environment["CUDA_VISIBLE_DEVICES"] == "5"
    assert int(environment["OMP_NUM_THREADS"]) == max(os.cpu_count() // 2, 1)


def environment_of(worker):
    """Empty for the moment in which Linux replaces the program of a process that just started."""
    process = psutil.Process(worker.process.pid)
    while not (environment := process.environ()):
        time.sleep(0.01)
    return environment


def seen_by_a_training():
    with borrowed_worker() as worker:
        return environment_of(worker)["CUDA_VISIBLE_DEVICES"]


@pytest.mark.services
def test_a_trial_on_a_cluster_asks_for_one_gpu_and_sees_the_one_of_its_worker():
    from distributed import Client, Nanny, SpecCluster
    from distributed.scheduler import Scheduler

    def worker(resources, gpus):
        environment = {"CUDA_VISIBLE_DEVICES": gpus}
        options = {"nthreads": 1, "resources": resources, "env": environment}
        return {"cls": Nanny, "options": options}

    workers = {"a": worker({"GPU": 1}, "4"), "b": worker({}, "")}
    scheduler = {"cls": Scheduler, "options": {"dashboard": False, "host": "127.0.0.1"}}
    with SpecCluster(workers=workers, scheduler=scheduler) as cluster, Client(cluster) as client:
        client.wait_for_workers(2)
        place = DaskCluster.of(client)
        assert (place.resources, place.slots) == ({"GPU": 1}, 1)
        futures = [
            client.submit(seen_by_a_training, pure=False, resources=place.resources)
            for _ in range(3)
        ]
        assert [one.result() for one in futures] == ["4", "4", "4"]


@pytest.mark.parametrize(
    ("address", "said"),
    [("tcp://127.0.0.1:9", "no Dask scheduler answers"), ("here", "tls://HOST")],
)
def test_a_cluster_that_is_not_there_is_refused(address, said, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("finflows"), "propagate", True)
    with pytest.raises(ValueError, match=said), open_executor(1, address):
        pass
    warned = "is open to anybody on its network: use tls://" in caplog.text
    assert warned == address.startswith("tcp")


def test_a_cluster_without_workers_is_refused_and_not_waited_for():
    from distributed import Client, LocalCluster

    local = {"n_workers": 0, "dashboard_address": None, "host": "127.0.0.1"}
    with (
        LocalCluster(**local) as cluster,
        Client(cluster) as client,
        pytest.raises(ValueError, match="has no worker"),
    ):
        DaskCluster.of(client)
