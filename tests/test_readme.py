"""What the README says is what happens."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import REPOSITORY, last_json

README = (REPOSITORY / "README.md").read_text()


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 180


@pytest.mark.services
def test_the_use_case_of_the_readme_trains_without_any_other_change(
    checkout, store, prefect_server, credit_file
):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code.splitlines()) <= 15
    (file,) = re.findall(r"`use_cases/(\w+)\.py`", README)
    (checkout / "use_cases" / f"{file}.py").write_text(code)
    shutil.copy(credit_file, checkout / "borrowers.csv")
    environment = {**os.environ, "PYTHONPATH": str(checkout)}

    def finflows(*arguments):
        command = [sys.executable, "-m", "flows.command_line", *arguments]
        return subprocess.run(
            command, cwd=checkout, env=environment, capture_output=True, text=True
        )

    assert file in finflows("list").stdout
    done = finflows("train", file, "--json", "--set", "training.epochs=3")
    assert done.returncode == 0, done.stderr
    assert last_json(done.stdout)["model"]["name"] == file


def test_make_alone_prints_help():
    done = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for target in ("train", "test", "ui", "list", "clean"):
        assert f"make {target}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 110


@pytest.mark.parametrize("target", ["ui", "serve"])
def test_pages_and_models_have_ports_of_their_own_unless_one_is_named(target):
    """So both can run at once. Which ports these are, only the program says."""
    shell = {name: value for name, value in os.environ.items() if name != "PORT"}

    def typed(*named):
        command = ["make", "--dry-run", target, *named]
        return subprocess.run(command, cwd=REPOSITORY, env=shell, capture_output=True, text=True)

    assert "--port" not in typed().stdout
    assert "--port 6000" in typed("PORT=6000").stdout


def test_no_machine_path_and_no_index_address_is_tracked():
    done = subprocess.run(
        ["git", "grep", "-nIE", r"(https?://[^ \"]+/simple|/(root|home/[a-z]+)/)", "--", ".",
         ":!tests/test_readme.py"],
        cwd=REPOSITORY, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == ""


def test_the_hooks_bring_the_tools_that_the_lock_has():
    hooks = (REPOSITORY / ".pre-commit-config.yaml").read_text()
    lock = (REPOSITORY / "requirements.lock").read_text()
    wanted = re.findall(r'"([a-z]+)==([\d.]+)"', hooks)
    locked = dict(re.findall(r"^([a-z-]+)==([\d.]+)", lock, re.M))
    assert wanted
    assert all(locked[name] == version for name, version in wanted)
