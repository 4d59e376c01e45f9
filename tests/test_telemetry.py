"""Libraries report nothing to their authors, whoever starts the program."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import REPOSITORY

NETWORK = Path(__file__).parent / "data/registered_model/artifacts/scorer/network.onnx"
SCORE = """from pathlib import Path
import sys
from modelling.scorer.scoring import open_network
open_network(Path(sys.argv[1]))"""


def test_a_scorer_that_nobody_configured_lets_onnx_runtime_report_nothing(tmp_path):
    """What it would send it keeps in these folders."""
    command = [sys.executable, "-B", "-c", SCORE, str(NETWORK)]
    folders = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    settings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **folders}
    subprocess.run(command, env=settings, check=True, timeout=300)
    assert [*tmp_path.iterdir()] == []
