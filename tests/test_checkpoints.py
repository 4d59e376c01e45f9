"""A training that is killed goes on as if nothing had happened, bit by bit."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from conftest import REPOSITORY, last_json
from small_models import prepared

from modelling.declaration.overrides import override
from modelling.features.preprocessing import preprocess
from modelling.training.checkpoints import Checkpoints, TrainingState
from modelling.training.fitting import TrainingJob
from tasks.workers.training_workers import WorkerDiedError, borrowed_worker
from use_cases import find_use_case


def progress(epoch):
    return TrainingState({"weights_0": np.full(3, epoch)}, {"epochs_done": epoch, "metrics": {}})


def test_the_newest_of_two_is_found(tmp_path):
    checkpoints = Checkpoints(tmp_path / "new")
    assert checkpoints.newest() is None
    for epoch in (1, 2, 3):
        checkpoints.save(progress(epoch))
    assert checkpoints.newest().values["epochs_done"] == 3
    assert len(list(checkpoints.folder.iterdir())) == 2


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped"])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_serves(tmp_path, damage):
    checkpoints = Checkpoints(tmp_path)
    for epoch in (1, 2):
        checkpoints.save(progress(epoch))
    newest = sorted(tmp_path.iterdir())[-1]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    changed = {"truncated": content[:-20], "empty": b"", "flipped": content}[damage]
    newest.write_bytes(bytes(changed))
    assert checkpoints.newest().values["epochs_done"] == 1


def save_without_end(folder):
    """A process that saves one checkpoint after the other, and says which are saved."""
    arrays = {"weights_0": np.zeros(1 << 20)}
    read, write = os.pipe()
    child = os.fork()  # it computes nothing: TensorFlow's threads, which no fork takes along, rest
    if child:
        os.close(write)
        return child, os.fdopen(read)
    try:
        epoch = 0
        while True:
            epoch += 1
            arrays["weights_0"][:] = epoch
            Checkpoints(folder).save(TrainingState(arrays, {"epochs_done": epoch, "metrics": {}}))
            os.write(write, f"{epoch}\n".encode())
    finally:
        os._exit(1)  # whatever went wrong, it must not go on as the test


def test_a_kill_while_a_checkpoint_is_saved_loses_nothing_that_was(tmp_path):
    cut = 0
    for kill in range(30):
        folder = tmp_path / str(kill)
        child, lines = save_without_end(folder)
        said = [int(lines.readline()) for _ in range(3)]
        time.sleep(random.Random(kill).uniform(0, 0.03))
        patience = time.monotonic() + 10 * (kill % 2)  # every other kill meets a file in writing
        while time.monotonic() < patience and not any(folder.glob("*.partial-*")):
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        said += [int(line) for line in lines.read().split()]
        lines.close()
        cut += bool(list(folder.glob("*.partial-*")))
        found = Checkpoints(folder).newest()
        assert found.values["epochs_done"] in (said[-1], said[-1] + 1)
        assert (found.arrays["weights_0"] == found.values["epochs_done"]).all()
    assert cut, "no kill fell into the writing of a file"


SETTINGS = {
    "training.epochs": 200,
    "training.early_stopping_patience": 0,
    "training.members": 2,
    "training.schedule": "reduce_on_plateau",
    "network.batch_normalisation": True,
    "network.dropout": 0.2,
    "network.group_lasso": 1.5,
    "baselines": [],
}


@pytest.fixture(scope="module")
def job(tmp_path_factory, credit_file):
    """A training in which all has a state that a checkpoint must hold, as workers are sent it."""
    use_case = override(
        find_use_case("credit_scoring"), {**SETTINGS, "source.uri": str(credit_file)}
    )
    features = preprocess(prepared(use_case).parts, use_case)
    folder = tmp_path_factory.mktemp("job") / "checkpoints"
    return TrainingJob(
        use_case,
        features.train,
        features.validation,
        folder,
        None,
        columns=features.columns,
    )


def fitted(job, kill=None):
    """What comes of a job in a worker process; ``kill`` is called with it after each epoch."""
    with borrowed_worker() as worker:
        return worker.run(job, [partial(kill, worker.process)] if kill else [])


@pytest.fixture(scope="module")
def whole(job):
    """What comes of the job if it is left in peace."""
    return fitted(replace(job, checkpoint_folder=job.checkpoint_folder / "whole"))


KILLS = [0, *(pytest.param(seed, marks=pytest.mark.evidence) for seed in range(1, 20))]


@pytest.mark.services
@pytest.mark.parametrize("seed", KILLS)
def test_a_training_process_killed_in_any_moment_goes_on_to_the_same_bits(job, whole, seed):
    chance = random.Random(seed)
    last_epoch = chance.randrange(190)

    def kill(process, epoch, _metrics):
        if epoch == last_epoch:
            time.sleep(chance.uniform(0, 0.05))  # somewhere in one of the next epochs
            process.kill()

    job = replace(job, checkpoint_folder=job.checkpoint_folder / str(seed))
    with pytest.raises(WorkerDiedError):
        fitted(job, kill)
    left = Checkpoints(job.checkpoint_folder).newest()
    assert left.values["epochs_done"] > last_epoch
    first = left.values["metrics"]["loss"][0]
    left.values["metrics"]["loss"][0] = 12345.0  # by which one sees that it does not begin anew
    Checkpoints(job.checkpoint_folder).save(left)
    resumed = fitted(job)
    metrics = resumed.history.metrics
    assert metrics["loss"][0] == 12345.0
    metrics["loss"][0] = first
    assert metrics == whole.history.metrics
    assert resumed.weights_hash == whole.weights_hash


def command(data):
    line = [sys.executable, "-m", "flows.command_line", "train", "credit_scoring"]
    line += ["--data", str(data), "--json"]
    for name, value in SETTINGS.items():
        line += ["--set", f"{name}={json.dumps(value)}"]
    return line


def run_of(client, known):
    """The newest run that is not in ``known``."""
    experiment = client.get_experiment_by_name("credit_scoring")
    if experiment is None:
        return None
    runs = client.search_runs([experiment.experiment_id])
    return next((run for run in runs if run.info.run_id not in known), None)


def kill_at_random(client, data, seed):
    """Start a training, kill it -9 at a random moment between its first and last epoch; its run."""
    experiment = client.get_experiment_by_name("credit_scoring")
    known = {run.info.run_id for run in client.search_runs([experiment.experiment_id])}
    process = subprocess.Popen(
        command(data), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while (run := run_of(client, known)) is None or not client.get_metric_history(
        run.info.run_id, "loss"
    ):
        assert process.poll() is None, "the training ended before it could be killed"
        time.sleep(0.05)
    time.sleep(random.Random(seed).uniform(0, 2))
    process.send_signal(signal.SIGKILL)
    process.wait()
    return client.get_run(run.info.run_id)


@pytest.fixture(scope="module")
def uninterrupted(finflows, credit_file):
    """The same training without a kill: its result."""
    done = finflows(*command(credit_file)[3:])
    assert done.returncode == 0, done.stderr
    return last_json(done.stdout)


def check_resumed(client, finflows, killed, uninterrupted):
    run_id = killed.info.run_id
    done = finflows("resume", run_id, "--json")
    assert done.returncode == 0, done.stderr
    result = last_json(done.stdout)
    assert result["run_id"] == run_id
    assert "  starting    Prefect" in done.stderr  # it takes seconds
    assert result["metrics"] == uninterrupted["metrics"]
    run, whole = client.get_run(run_id), client.get_run(uninterrupted["run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.tags["weights_hash"] == whole.data.tags["weights_hash"]
    for name in ("loss", "val_loss"):
        history = client.get_metric_history(run_id, name)
        assert sorted(metric.step for metric in history) == list(range(200))
        expected = client.get_metric_history(uninterrupted["run_id"], name)
        values = {metric.step: metric.value for metric in history}
        assert values == {metric.step: metric.value for metric in expected}


@pytest.mark.services
@pytest.mark.parametrize("seed", KILLS[:2])
def test_a_killed_command_is_resumed_to_the_same_bits(
    seed, client, finflows, credit_file, uninterrupted
):
    killed = kill_at_random(client, credit_file, seed)
    check_resumed(client, finflows, killed, uninterrupted)


@pytest.mark.services
def test_what_can_not_be_resumed_says_why(finflows, uninterrupted):
    done = finflows("resume", uninterrupted["run_id"])
    assert done.returncode == 2
    assert "finished" in done.stderr
    done = finflows("resume", "0" * 32)
    assert done.returncode == 2
    assert "there is no run" in done.stderr
    assert os.path.sep not in done.stderr
