"""Which process a run belongs to is known by boot and ticks, whatever the clock says; and no
process outlives the end of those that it belongs to."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tasks.workers.processes import BOOT_ID, end_processes, has_died, process_tag, process_tree

SUPERVISOR = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: None)
while True:
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]])
    print(worker.pid, flush=True)
    worker.wait()
"""
ME = f"{socket.gethostname()} {os.getpid()}"
linux = pytest.mark.skipif(not BOOT_ID.exists(), reason="only Linux tells boot and ticks")


@pytest.fixture
def stepped_clock(tmp_path, monkeypatch):
    """What psutil reads once the clock was set two seconds ahead: the kernel's boot time moves."""
    (tmp_path / str(os.getpid())).symlink_to(f"/proc/{os.getpid()}")
    lines = Path("/proc/stat").read_text().splitlines()
    moved = [f"btime {int(x.split()[1]) + 2}" if x.startswith("btime") else x for x in lines]
    (tmp_path / "stat").write_text("\n".join(moved))
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))


@linux
def test_a_process_is_told_by_its_boot_and_its_ticks():
    ticks = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    assert process_tag(os.getpid()) == f"{ME} {BOOT_ID.read_text().strip()}:{ticks}"


@linux
def test_a_step_of_the_clock_kills_nobody(request):
    tag, began = process_tag(os.getpid()), psutil.Process().create_time()
    request.getfixturevalue("stepped_clock")
    assert psutil.Process().create_time() == pytest.approx(began + 2), "the step is there"
    assert process_tag(os.getpid()) == tag
    assert has_died(tag) is False


def test_records_from_before_are_understood():
    began = psutil.Process().create_time()
    assert has_died(f"{ME} {began:.0f}") is False
    assert has_died(f"{ME} {began + 2:.0f}") is False, "the clock was set since"
    assert has_died(f"{ME} {began - 3600:.0f}") is True, "its number was given anew"


def test_a_process_that_ended_died_and_its_successor_is_another():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        tag = process_tag(process.pid)
        assert has_died(tag) is False
    assert has_died(tag) is True
    assert has_died(f"{ME} another-boot:1") is True
    assert has_died(process_tag(process.pid)) is True, "it was gone before it was recorded"


def test_a_process_that_nobody_has_asked_how_it_ended_died():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        tag = process_tag(process.pid)
        began = psutil.Process(process.pid).create_time()
        process.kill()
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert has_died(tag) is True
        assert has_died(f"{socket.gethostname()} {process.pid} {began:.0f}") is True


@pytest.mark.parametrize("tag", ["elsewhere 1 2", "", "one two", "ME", "ME 1 2"])
def test_of_others_nothing_is_known(tag):
    assert has_died(tag.replace("ME", ME)) is None


def test_a_supervisor_that_replaces_its_workers_to_the_last_leaves_none(tmp_path):
    """As a web server does, which has no ear for a signal while it asks whether they answer."""
    mark = str(tmp_path)
    command = [sys.executable, "-c", SUPERVISOR, mark]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        first = int(supervisor.stdout.readline())
        end_processes(process_tree(supervisor.pid), timeout_seconds=1)
        second = int(supervisor.stdout.readline())
    assert first != second, "it was replaced"
    for pid in (first, second):
        if psutil.pid_exists(pid):
            psutil.Process(pid).wait(timeout=10)
