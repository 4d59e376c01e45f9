"""The first set-up says where it is: with a Python that only pretends to install."""

import os
import pty
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import REPOSITORY

PRETENDING = """#!/bin/sh
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    *requirements.lock*) exit ${PIP_FAILS:-0} ;;
esac
"""
STEPS = [f"{number} of 4: " for number in (1, 2, 3, 4)]


@pytest.fixture
def shell(tmp_path):
    python = tmp_path / "python"
    python.write_text(PRETENDING)
    python.chmod(0o755)
    return {"PYTHON": str(python), "PATH": os.environ["PATH"]}


def set_up(shell, folder, stdout):
    command = ["sh", REPOSITORY / "setup.sh", folder / "venv"]
    return subprocess.run(
        command, env=shell, cwd=folder, stdout=stdout, stderr=subprocess.PIPE, timeout=60
    )


def test_without_a_terminal_each_step_is_one_plain_line(shell, tmp_path):
    done = set_up(shell, tmp_path, subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\r" not in done.stdout
    lines = done.stdout.decode().splitlines()
    assert "a few minutes, 4 GB" in lines[0]
    assert [line.strip()[:8] for line in lines[1:]] == STEPS


def test_on_a_terminal_each_step_counts_its_seconds(shell, tmp_path):
    ours, theirs = pty.openpty()
    done = set_up(shell, tmp_path, theirs)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0
    for step in STEPS:
        assert step in shown
    assert " s " in shown


@pytest.mark.parametrize("package", ["keras", "mlflow", "pandas", "prefect", "tensorflow"])
def test_what_the_program_imports_is_compiled(package):
    """Where nothing may be written, each process would compile it anew, for seconds."""
    assert Path(find_spec(package).cached).exists()


def test_a_step_that_fails_ends_the_set_up(shell, tmp_path):
    done = set_up({**shell, "PIP_FAILS": "7"}, tmp_path, subprocess.PIPE)
    assert done.returncode == 7
    assert b"2 of 4" in done.stdout
    assert b"3 of 4" not in done.stdout
