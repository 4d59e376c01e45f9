"""The progress line: on a terminal one line that changes, elsewhere nothing."""

import os
import pty
import subprocess
import sys

import pytest
from conftest import REPOSITORY

PROGRAM = """
from tasks.progress import elapsed_line, progress_line

with elapsed_line("reading"):
    pass
with progress_line("training", "epoch", 2, rows_per_step=1000, text="starting") as show:
    show(1, "loss 0.5")
    show(2, "loss 0.25")
with progress_line("scoring", "rows", rows_per_step=1) as show:
    show(12_345)
"""


def run(stderr):
    command = [sys.executable, "-c", PROGRAM]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    return subprocess.run(command, stderr=stderr, cwd=REPOSITORY, env=environment, check=True)


def test_a_terminal_shows_how_far_it_is():
    ours, theirs = pty.openpty()
    run(theirs)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "epoch 2/2  loss 0.25" in shown
    assert "12,345 rows" in shown
    assert "  reading " in shown


def test_a_file_or_pipe_gets_nothing():
    assert run(subprocess.PIPE).stderr == b""


@pytest.mark.parametrize("total", [None, 3])
def test_the_words_may_be_left_out(total):
    from tasks.progress import progress_line

    with progress_line("searching", "trial", total) as show:
        show(1)
