"""Ctrl-C and SIGTERM at any moment: an exit code, one line, a closed run, no process left behind;
and a temporary Prefect server that dies costs a flow nothing."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psutil
import pyarrow as pa
import pytest
from conftest import REPOSITORY, trainings
from servers import PATIENCE, answers, free_port, lives, store_client, wait_for
from small_models import run_of, small_model
from test_closed_servers import assert_closed

from flows.command_line.model_commands import last_line_of_scoring
from tasks.scoring.answer_files import whole_or_nothing
from tasks.tracking import runs
from tasks.workers.fresh_process import start_fresh_process

BUSY = """
import sys, time
from flows.command_line import interruption

interruption.watch()
try:
    try:
        print("waits", flush=True)
        time.sleep(600)
    finally:
        time.sleep(float(sys.argv[1]))  # what it has to close
except BaseException:
    interruption.exit_if_interrupted()
"""


class Started:
    """A command as a terminal starts it: in a group of its own, Ctrl-C not ignored."""

    def __init__(self, command: list[str], folder: Path):
        self.mark, self.said = uuid4().hex, folder / "said"
        self.tracking = f"sqlite:///{folder}/mlflow.db"
        paths = [str(REPOSITORY), str(REPOSITORY / "tests" / "declared")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "TEST_MARK": self.mark}
        environment |= {"PREFECT_HOME": str(folder), "MLFLOW_TRACKING_URI": self.tracking}
        environment.pop("PREFECT_API_URL", None)
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**environment, "PYTHONUNBUFFERED": "1"},
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def says(self, words: str) -> bool:
        assert self.process.poll() is None, self.said.read_text()
        return words in self.said.read_text()

    def family(self) -> list[psutil.Process]:
        """All processes that it started and that live, whoever their parents are by now."""
        return [one for one in psutil.process_iter() if self._is_ours(one) and lives(one.pid)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("TEST_MARK") == self.mark
        except psutil.Error:
            return False

    def interrupted(self, number: signal.Signals, group: bool = False) -> str:
        """Its last line, once it has ended and left nothing behind."""
        (os.killpg if group else os.kill)(self.process.pid, number)
        assert self.process.wait(timeout=PATIENCE) == 128 + number, self.said.read_text()
        # One that was killed ends when the machine comes to it.
        wait_for(lambda: not self.family(), "the last of its processes to end", patience=30)
        said = self.said.read_text()
        assert "Traceback" not in said
        assert "Error" not in said
        assert said.count("finflows: ") == 1
        return said.rstrip().splitlines()[-1]


@contextmanager
def started(folder, *arguments):
    command = [sys.executable, "-m", "flows.command_line", *map(str, arguments)]
    running = Started(command, folder)
    try:
        yield running
    finally:
        for process in running.family():
            process.kill()


@pytest.mark.parametrize("seconds_to_close", [0, 600])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_what_closes_by_itself_and_what_does_not(number, seconds_to_close, tmp_path):
    running = Started([sys.executable, "-c", BUSY, str(seconds_to_close)], tmp_path)
    wait_for(lambda: running.says("waits"), "it to wait")
    assert "run the command again" in running.interrupted(number)


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    """As under nohup, or in the background of a shell."""
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)" + BUSY
    running = Started([sys.executable, "-c", code, "0"], tmp_path)
    wait_for(lambda: running.says("waits"), "it to wait")
    running.process.send_signal(signal.SIGHUP)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=PATIENCE) == 128 + signal.SIGTERM


FOR_EVER = ["--set", "training.epochs=100000", "--set", "training.early_stopping_patience=0"]


def test_who_interrupts_a_scoring_is_told_whether_the_answers_were_written(tmp_path):
    output = tmp_path / "answers.csv"
    for answer in (0.25, 0.75):  # the second time in the place of an older file
        last_line = last_line_of_scoring(output)
        with whole_or_nothing(output) as file:
            file.write(pa.table({"answer": [answer]}))
            assert last_line() == "no answers were written"
        assert last_line().startswith(f"all answers are in {output}")


@pytest.mark.services
@pytest.mark.parametrize(
    ("number", "moment", "group"),
    [
        (signal.SIGINT, "title", False),
        pytest.param(signal.SIGTERM, "title", True, marks=pytest.mark.evidence),
        (signal.SIGINT, "epoch", True),
        (signal.SIGTERM, "epoch", False),
        pytest.param(signal.SIGTERM, "epoch", True, marks=pytest.mark.evidence),
    ],
)
def test_an_interrupted_training(number, moment, group, tmp_path):
    with started(tmp_path, "train", "wine", *FOR_EVER) as running:
        wait_for(lambda: running.says("wine:"), "its title")
        if moment == "title":
            assert "run the command again" in running.interrupted(number, group)
            return
        client = store_client(running.tracking)

        def has_epochs():
            assert running.process.poll() is None, running.said.read_text()
            run = next(iter(trainings(client, "wine")), None)
            return run and client.get_metric_history(run.info.run_id, "loss")

        wait_for(has_epochs, "an epoch")
        (run,) = trainings(client, "wine")
        line = running.interrupted(number, group)
    assert line.endswith(f"finflows resume {run.info.run_id}")
    ended = client.get_run(run.info.run_id)
    assert ended.info.status == "KILLED"
    assert ended.data.tags["failure"].startswith(f"interrupted by {number.name}")
    assert client.search_model_versions("name = 'wine'") == []


@pytest.mark.services
@pytest.mark.usefixtures("store")
def test_who_is_interrupted_after_the_registration_is_told_of_the_version(tmp_path, monkeypatch):
    """There is nothing to resume: the run is complete, but nobody compared its model."""
    monkeypatch.setattr(runs, "_open_runs", {})
    start_fresh_process()
    small = small_model(tmp_path / "model", name="registered")
    with suppress(KeyboardInterrupt), run_of(small.trained.use_case) as run:
        small.register(run)
        raise KeyboardInterrupt
    said = runs.close_interrupted("interrupted by SIGINT")
    assert said.startswith("version 1 of registered is registered, but not compared: ")
    assert said.endswith("promote registered --version 1 --reason ...")
    run.client.set_model_version_tag("registered", "1", "promotion", "kept")
    assert "is registered: " in runs.close_interrupted("interrupted by SIGINT")


@pytest.mark.services
def test_an_interrupted_search_tries_no_trial_again(tmp_path):
    asked = ["search", "wine", "--trials", "6", "--workers", "2", *FOR_EVER]
    with started(tmp_path, *asked) as running:
        wait_for(lambda: running.says("validated"), "the table")
        client = store_client(running.tracking)
        (run,) = trainings(client, "wine")
        trials = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
        wait_for(lambda: client.search_runs([run.info.experiment_id], trials), "a trial")
        line = running.interrupted(signal.SIGTERM, group=True)
    assert line.endswith(f"finflows resume {run.info.run_id}")
    all_of_it = client.search_runs([run.info.experiment_id])
    assert {one.info.status for one in all_of_it} == {"KILLED"}


@pytest.mark.services
@pytest.mark.parametrize("group", [False, True])
def test_the_ui_leaves_neither_processes_nor_its_port(group, tmp_path):
    port = free_port()
    with started(tmp_path, "ui", "--port", port) as running:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/health"), "the UI")
        pages = ("flows.command_line ui", "mlflow server", "uvicorn")
        commands = [" ".join(one.cmdline()) for one in running.family()]
        others = [one for one in commands if not any(page in one for page in pages)]
        assert others == [], "nothing is started that no page needs"
        running.interrupted(signal.SIGTERM, group)
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


@pytest.mark.services
def test_a_schedule_that_is_interrupted_leaves_no_server(tmp_path):
    port = free_port()
    with started(tmp_path, "schedule", "--port", port) as running:
        wait_for(lambda: running.says("are being served"), "it to serve")
        running.interrupted(signal.SIGINT, group=True)
    assert not answers(f"http://127.0.0.1:{port}/api/health")


def port_of(server):
    """The port that its flow's process listens on for it."""
    return next(one for one in server.net_connections("tcp") if one.status == "LISTEN").laddr.port


@pytest.mark.services
def test_a_temporary_server_that_dies_again_and_again_is_replaced_and_costs_nothing(tmp_path):
    """While it boots, while the training runs, and before the model is registered. The one that
    takes its place is closed too."""

    def servers():
        return [one for one in running.family() if "temporary_server" in " ".join(one.cmdline())]

    with started(tmp_path, "train", "wine", "--set", "training.epochs=5") as running:
        for moment in ("wine:", "validated", "judged"):
            wait_for(lambda said=moment: running.says(said) and servers(), moment)
            if moment == "validated":
                assert_closed(f"http://127.0.0.1:{port_of(servers()[0])}/api")
            for server in servers():
                server.kill()
        assert running.process.wait(timeout=PATIENCE) == 0, running.said.read_text()
        wait_for(lambda: not running.family(), "the end of its server")
    client = store_client(running.tracking)
    (run,) = trainings(client, "wine")
    assert run.info.status == "FINISHED"
    (version,) = client.search_model_versions("name = 'wine'")
    assert version.run_id == run.info.run_id
    with sqlite3.connect(tmp_path / "prefect.db") as database:
        states = database.execute("SELECT state_type FROM flow_run").fetchall()
    assert states == [("COMPLETED",)]
