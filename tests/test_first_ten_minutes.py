"""The transcript of docs/first_ten_minutes.md is what happens to somebody who types it."""

import os
import re
import subprocess

import pandas as pd
import pytest
from conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "first_ten_minutes.md").read_text()
COMMANDS = re.findall(r"^<!-- not run: tests/[^>]+ -->\n```sh\n(.*?)\n```$", PAGE, re.M)
(CORRECTION,) = re.findall(r"^```diff\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.mark.services
def test_the_commands_of_the_page_run_and_print_what_it_says(checkout, prefect_server):
    (checkout / "tests").symlink_to(REPOSITORY / "tests")
    programs = checkout / ".venv" / "bin"
    own = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
        "MLFLOW_TRACKING_URI": f"sqlite:///{checkout}/mlruns/mlflow.db",
    }
    printed = {}
    assert [command.split()[:2] for command in COMMANDS] == [
        ["python", "tests/planted_tables.py"],
        ["finflows", "draft"],
        ["finflows", "check"],
        ["make", "train"],
        ["finflows", "score"],
    ]
    for command in COMMANDS:
        cheaper = f"{command} SET=training.epochs=2" if "train" in command else command
        done = subprocess.run(
            cheaper, shell=True, cwd=checkout, env=os.environ | own, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed[command.split()[1]] = done.stdout
        if "draft" in command:
            apply = ["git", "apply", "-"]
            subprocess.run(apply, input=CORRECTION, cwd=checkout, text=True, check=True)
    assert printed["draft"].strip() in PAGE
    assert printed["check"].strip() in PAGE
    assert printed["score"].strip("\n") in PAGE
    answers = pd.read_csv(checkout / "antworten.csv")
    assert len(answers) == 200
    (header,) = re.findall(r'^("probability",.*)$', PAGE, re.M)
    assert ",".join(f'"{name}"' for name in answers.columns).endswith(header)
