"""Trainings live in processes of their own: killed ones are replaced, grown ones recycled."""

import errno
import os
import sys
import threading
import time
from multiprocessing import Pipe

import numpy as np
import psutil
import pytest
from conftest import REPOSITORY
from mlflow.exceptions import MlflowException
from servers import running, wait_for
from small_models import loan_table, loans, prepared
from test_search_kills import training_processes

from flows.command_line.terminal import exit_code, show_error
from flows.train import train
from modelling.declaration import Training
from modelling.features.preprocessing import Examples, preprocess
from modelling.features.shared_memory import can_share, shared_empty
from modelling.training.fitting import TrainingJob
from tasks.workers import training_workers
from tasks.workers.training_workers import TrainingWorker, borrowed_worker

pytestmark = pytest.mark.usefixtures("store", "prefect_server")


@pytest.fixture
def small(credit_file):
    return {
        "source.uri": str(credit_file),
        "training.early_stopping_patience": 0,
        "training.members": 1,
        "baselines": [],
    }


def kill_worker_once_it_trains(checkpoints, ended, killed):
    """Kill -9 the worker of this process as soon as a new run has written a checkpoint."""
    known = set(checkpoints.glob("*"))
    while not ended.is_set() and not killed:
        for folder in set(checkpoints.glob("*")) - known:
            if not list(folder.glob("*.ckpt")):
                continue
            for one in psutil.Process().children():
                if "training_workers" in str(one.cmdline()):
                    one.kill()
            killed.append(folder.name)
        time.sleep(0.005)


@pytest.mark.services
def test_a_killed_worker_is_replaced_and_the_run_goes_on_to_the_same_bits(client, small, store):
    settings = {**small, "training.epochs": 300}
    whole = train("credit_scoring", settings)
    ended, killed = threading.Event(), []
    watched = (store / "checkpoints", ended, killed)
    killer = threading.Thread(target=kill_worker_once_it_trains, args=watched)
    killer.start()
    try:
        result = train("credit_scoring", settings)
    finally:
        ended.set()
        killer.join()
    assert killed == [result.run_id], "the training ended before it could be killed"
    assert result.metrics == whole.metrics
    hashes = {client.get_run(one.run_id).data.tags["weights_hash"] for one in (whole, result)}
    assert len(hashes) == 1
    steps = [metric.step for metric in client.get_metric_history(result.run_id, "val_loss")]
    assert sorted(steps) == list(range(300))


@pytest.mark.services
def test_a_retried_flow_goes_on_in_the_same_mlflow_run(client, small, credit_file, tmp_path):
    late = tmp_path / "late.csv"
    experiment = client.get_experiment_by_name("credit_scoring").experiment_id
    missing = "tags.failure LIKE '%no such file%late.csv'"

    def arrive_after_a_failure():
        wait_for(lambda: client.search_runs([experiment], missing), "a flow that fails")
        late.write_bytes(credit_file.read_bytes())

    arrival = threading.Thread(target=arrive_after_a_failure)
    arrival.start()
    retrying = train.with_options(retries=100, retry_delay_seconds=1)
    settings = {**small, "source.uri": str(late), "training.epochs": 2}
    result = retrying("credit_scoring", settings)
    arrival.join()
    run = client.get_run(result.run_id)
    assert run.info.status == "FINISHED"
    assert "failure" not in run.data.tags
    same = f"tags.prefect_flow_run = '{run.data.tags['prefect_flow_run']}'"
    assert len(client.search_runs([run.info.experiment_id], same)) == 1


def test_what_a_training_raises_reaches_the_flow():
    with pytest.raises(AttributeError), borrowed_worker() as worker:
        worker.run("no job", [])
    assert not worker.is_alive()


@pytest.mark.evidence
def test_thirty_trainings_in_a_row_keep_memory_flat(small, monkeypatch):
    """The sum over this process and its workers, after each training."""
    monkeypatch.setattr(training_workers, "MAXIMUM_GROWTH_BYTES", 150 << 20)
    sizes = []
    for seed in range(30):
        train("credit_scoring", {**small, "training.epochs": 2, "training.seed": seed})
        family = [psutil.Process(), *psutil.Process().children(recursive=True)]
        family = [one for one in family if one.is_running() and "prefect" not in one.name()]
        sizes.append(sum(one.memory_info().rss for one in family) >> 20)
    print("MiB after each training:", sizes)
    first, last = max(sizes[:10]), max(sizes[-10:])
    assert last < 1.1 * first


def test_a_worker_that_grew_is_replaced(monkeypatch):
    worker = TrainingWorker()
    assert not worker.has_grown()
    monkeypatch.setattr(training_workers, "MAXIMUM_GROWTH_BYTES", -1)
    assert worker.has_grown()
    worker.stop()
    assert not worker.is_alive()


@pytest.mark.services
def test_a_training_process_that_is_killed_each_time_is_one_line_and_a_run_to_resume(
    client, tmp_path, prefect_server
):
    command = [sys.executable, "-m", "flows.command_line", "train", "iris"]
    for setting in ("epochs=1000000", "early_stopping_patience=0"):
        command += ["--set", f"training.{setting}"]
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests" / "declared")])
    log = tmp_path / "train.log"
    with running(command, log, cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}) as process:
        while process.poll() is None:
            for one in training_processes(process.pid):
                one.kill()
            time.sleep(0.2)
    assert process.returncode == 1
    (line,) = [line for line in log.read_text().splitlines() if line.startswith("finflows: ")]
    assert "the training process died" in line
    assert "Traceback" not in log.read_text()
    (run,) = client.search_runs(
        [client.get_experiment_by_name("iris").experiment_id], max_results=1
    )
    assert f"finflows resume {run.info.run_id}" in line
    assert run.info.status == "FAILED"


def test_a_full_disk_is_one_line(capsys):
    """MLflow lists what it could not copy, of each file several lines."""
    listed = "The following failures occurred:\n##### File a.md #####\n[Errno 28] {}: 'a' -> 'b'"
    for error in (
        OSError(errno.ENOSPC, "No space left on device"),
        MlflowException(listed.format(os.strerror(errno.ENOSPC))),
    ):
        assert exit_code(error) == 1
        show_error(error)
        assert capsys.readouterr().err.splitlines() == [
            "finflows: the disk is full: free some space"
        ]
    assert exit_code(OSError(errno.EACCES, "no")) is None


def sent_and_received(job):
    here, there = Pipe()
    sender = threading.Thread(target=training_workers.send_job, args=(here, job))
    sender.start()
    received = training_workers.receive_job(there)
    sender.join()
    return received


def test_a_job_arrives_as_it_was_sent_in_arrays_that_can_be_changed(monkeypatch):
    """In pieces, the last of which is smaller; an array without rows has none. One in shared memory
    is sent whole or not at all, and what is written to it stays with the receiver."""
    monkeypatch.setattr(training_workers, "PIECE_BYTES", 1000)
    features = np.random.default_rng(0).normal(size=(700, 3)).astype(np.float32)
    shared = shared_empty((700, 3), np.float32)
    shared[:] = features
    sent = {"features": features, "turned": features.T, "none": features[:0], "name": "wine"}
    sent |= {"shared": shared, "shared_turned": shared.T, "some": shared[100:200]}
    received = sent_and_received(sent)
    assert received.pop("name") == sent.pop("name")
    for name, array in received.items():
        np.testing.assert_array_equal(array, sent[name])
        array += 1
    np.testing.assert_array_equal(shared, features)


@pytest.mark.skipif(not can_share(), reason="this system shares no memory")
def test_the_features_of_a_job_are_in_memory_once_and_nothing_is_left_of_them():
    features = preprocess(prepared(loans(), loan_table()).parts, loans()).train
    received = sent_and_received(features)
    features.features[0, 0] = 17.0  # so that one can see it: nobody does it
    assert received.features[0, 0] == 17.0
    descriptors = psutil.Process().num_fds()
    del features, received
    assert psutil.Process().num_fds() < descriptors


@pytest.mark.services
@pytest.mark.skipif(not can_share(), reason="this system shares no memory")
def test_a_training_process_needs_little_of_its_own_however_many_rows_there_are(tmp_path):
    """What it shares with this process is not its own; a chunk of rows in the order of the epoch
    is, and what the layers compute of 65,536 rows."""
    own_bytes, one_epoch = {}, loans(training=Training(epochs=1, members=1, batch_size=4096))
    for rows in (150_000, 1_500_000):
        features = shared_empty((rows, 100), np.float32)
        np.random.default_rng(0).random(out=features, dtype=np.float32)
        examples = Examples(features, (features[:, 0] > 0.5).astype(np.int64))
        job = TrainingJob(one_epoch, examples, examples, tmp_path / str(rows), None)
        worker = TrainingWorker()
        measured = []

        def measure(epoch, metrics, worker=worker, measured=measured):
            measured.append(psutil.Process(worker.process.pid).memory_full_info().uss)

        worker.run(job, [measure])
        worker.stop()
        own_bytes[rows] = max(measured)
    print("MiB:", {rows: size >> 20 for rows, size in own_bytes.items()})
    table_bytes = 4 * 1_350_000 * 100
    assert own_bytes[1_500_000] - own_bytes[150_000] < table_bytes / 4
