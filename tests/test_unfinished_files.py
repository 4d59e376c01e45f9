"""What a killed process left of customers' rows goes; what a living one writes stays."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import REPOSITORY

from modelling.refusals import UsageError
from modelling.training.checkpoints import Checkpoints, TrainingState
from tasks.tracking.unfinished_files import (
    refuse_output,
    remove_leftovers,
    unfinished_file,
    unfinished_folder,
    write_whole,
)

WRITING = """
import sys
from pathlib import Path
from tasks.tracking.unfinished_files import unfinished_file, unfinished_folder

with unfinished_file(Path(sys.argv[1])) as part, unfinished_folder(Path(sys.argv[2])) as folder:
    part.write_text("a customer's answers")
    (folder / "rows").write_text("customers")
    print(part, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def own_store(tmp_path, monkeypatch):
    """A store of this test's own; its folder."""
    folder = tmp_path / "store"
    folder.mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    return folder


def start_writing(output, folder):
    """A process in the middle of writing, and the file that it writes."""
    output.parent.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", WRITING, str(output), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    return process, output.with_name(os.path.basename(process.stdout.readline().strip()))


def test_the_doctor_removes_what_a_kill_left_wherever_it_is_and_nothing_else(own_store, tmp_path):
    """Of two processes that write one file, one is killed."""
    output = tmp_path / "far away" / "answers.csv"
    killed, left = start_writing(output, own_store / "scratch" / "one")
    living, written = start_writing(output, own_store / "scratch" / "two")
    assert left.exists()
    assert written.exists(), "who comes second takes nothing from the first"
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    lines = remove_leftovers()
    assert lines == [
        f"{left} removed: the process that wrote it was killed",
        f"{own_store / 'scratch' / 'one'} removed: the process that used it was killed",
    ]
    assert not left.exists()
    assert written.exists()
    assert (own_store / "scratch" / "two" / "rows").exists()
    assert remove_leftovers() == []
    living.communicate("")
    assert output.read_text() == "a customer's answers"
    assert not list(own_store.rglob("*.txt"))
    assert [path.name for path in output.parent.iterdir()] == ["answers.csv"]


def test_the_next_one_removes_it_too_also_with_another_store(own_store, tmp_path, monkeypatch):
    output = tmp_path / "answers.csv"
    killed, left = start_writing(output, own_store / "scratch" / "one")
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with unfinished_file(output) as part:
        assert not left.exists()
        assert part.stat().st_mode & 0o777 == 0o600


def test_whoever_writes_anything_next_removes_what_was_left_elsewhere(own_store, tmp_path):
    killed, left = start_writing(tmp_path / "far away" / "answers.csv", own_store / "scratch" / "1")
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    with unfinished_file(tmp_path / "others.csv"):
        assert not left.exists()
        assert not (own_store / "scratch" / "1").exists()


def test_folders_and_checkpoints_are_their_owners_whatever_the_umask(own_store):
    before = os.umask(0)
    try:
        with unfinished_folder(own_store / "scratch" / "run") as folder:
            modes = [folder.stat().st_mode]
            assert folder.parent.stat().st_mode & 0o777 == 0o777, "others may have folders there"
        checkpoints = own_store / "checkpoints" / "run"
        arrays = {"weights_0": np.zeros(3)}
        Checkpoints(checkpoints).save(TrainingState(arrays, {"epochs_done": 1, "metrics": {}}))
        files = [path.stat().st_mode & 0o777 for path in checkpoints.iterdir()]
        modes.append(checkpoints.stat().st_mode)
    finally:
        os.umask(before)
    assert [mode & 0o777 for mode in modes] == [0o700] * 2
    assert files == [0o600]


def test_a_link_that_somebody_put_there_is_not_followed(own_store, tmp_path):
    precious = tmp_path / "precious.part"
    precious.write_text("not ours")
    (own_store / "scratch").mkdir()
    (own_store / "scratch" / "link").symlink_to(precious)
    assert remove_leftovers() == []
    assert precious.exists()


def test_many_write_at_once_and_none_takes_the_file_of_another_for_a_leftover(own_store, tmp_path):
    """Each looks for leftovers first, while others begin and end."""

    def write(number):
        scratch = own_store / "scratch" / str(number)
        with unfinished_file(tmp_path / f"{number}.csv") as part, unfinished_folder(scratch):
            part.write_text("answers")
            (scratch / "rows").write_text("customers")
            remove_leftovers()
            rows = (scratch / "rows").read_text()
        return rows, (tmp_path / f"{number}.csv").read_text()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, range(300))) == {("customers", "answers")}
    assert not [*(own_store / "scratch").iterdir(), *(own_store / "unfinished").iterdir()]


def test_links_and_devices_are_not_replaced_by_a_file(tmp_path):
    """Whoever is root, as in a container, would have no /dev/stdout any more."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "newest.csv").symlink_to(tmp_path / "monday.csv")
    for name in ("pipe", "newest.csv"):
        with pytest.raises(UsageError, match=rf"OUTPUT .*{name} is a link or a device"):
            refuse_output(tmp_path / name, "OUTPUT")


def test_a_file_is_what_its_name_says(tmp_path):
    refuse_output(tmp_path / "dossier.HTML", "--output", (".html", ".md"))
    with pytest.raises(UsageError, match=r"--output .*dossier.pdf: name a .html or .md file"):
        refuse_output(tmp_path / "dossier.pdf", "--output", (".html", ".md"))


def test_a_text_file_is_written_whole_or_stays_as_it_was(tmp_path):
    file = tmp_path / "page.html"
    write_whole(file, "ä")
    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "written before the failure \ud800")
    assert [(path, path.read_bytes()) for path in tmp_path.iterdir()] == [(file, "ä".encode())]
