"""The rooms of the repository, and who may import whom."""

import shutil
import subprocess
import sys

import pytest
from conftest import REPOSITORY
from import_law import ROOMS, broken_laws

ROOT = REPOSITORY

# Each law with a line that breaks it, where it is planted, and what is said of it.
BREACHES = [
    ("use_cases/credit_scoring.py", "import pandas", "a use case imports pandas"),
    (
        "use_cases/credit_scoring.py",
        "from modelling.data.loading import frame_of",
        "a use case imports modelling.data.loading",
    ),
    (
        "modelling/data/loading.py",
        "from tasks.preparation import prepare_data",
        "modelling imports tasks",
    ),
    ("expectations/suites.py", "from tasks import loading", "expectations imports tasks"),
    ("tasks/preparation.py", "from flows.train import train", "tasks imports flows"),
    ("flows/train.py", "from finflows.drafting import draft", "flows imports finflows"),
    ("finflows/drafting.py", "    import mlflow", "imports mlflow"),
    ("use_cases/credit_scoring.py", "import finflows", "a use case imports finflows"),
    ("modelling/judgement/judging.py", "    import prefect", "imports prefect"),
    ("tasks/training.py", "import mlflow", "imports mlflow"),
    ("tasks/preparation.py", "import great_expectations", "imports great_expectations"),
    ("modelling/judgement/judging.py", "import keras", "imports keras"),
    ("tasks/workers/training_workers.py", "import tensorflow", "imports tensorflow"),
    ("modelling/data/loading.py", "import empulse", "imports empulse"),
    ("flows/train.py", "import numpy as np", "imports numpy"),
    ("modelling/declaration/columns.py", "import pandas as pd", "imports pandas"),
    ("modelling/declaration/columns.py", "import sklearn.linear_model", "imports sklearn"),
    (
        "modelling/scorer/scoring.py",
        "from modelling.declaration import UseCase",
        "imports modelling",
    ),
    ("tasks/registry/registered_model.py", "from tasks import loading", "imports tasks"),
    (
        "tasks/workers/executor.py",
        "from tasks.workers.work_pool import WorkPool",
        "circle of modules",
    ),
    (
        "modelling/judgement/metrics/ranking.py",
        "from modelling.declaration import UseCase",
        "circle of rooms",
    ),
    (
        "modelling/judgement/baselines/trees.py",
        "from modelling.data.splitting import Parts",
        "circle of rooms",
    ),
    (
        "modelling/learning_curve/history.py",
        "from modelling.training.pruning import Pruning",
        "circle of rooms",
    ),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkout")
    for room in ROOMS:
        shutil.copytree(ROOT / room, root / room, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def test_every_law_is_kept():
    assert broken_laws(ROOT) == []


@pytest.mark.parametrize(("file", "line", "said"), BREACHES)
def test_a_breach_is_reported(copy, file, line, said):
    path = copy / file
    text = path.read_text()
    function = f"\n\ndef _planted():\n{line}\n" if line.startswith(" ") else f"\n{line}\n"
    path.write_text(text + function)
    try:
        breaches = broken_laws(copy)
    finally:
        path.write_text(text)
    assert any(said in one and (one.startswith(file) or "circle" in one) for one in breaches)


def test_a_crowded_or_unnamed_room_is_reported(copy):
    for number in range(15):
        (copy / "tasks" / "upkeep" / f"one_{number}.py").touch()
    (copy / "tasks" / "search" / "__init__.py").write_text("")
    breaches = broken_laws(copy)
    assert "tasks/upkeep: 17 modules, at most 15" in breaches
    assert any("tasks/search/__init__.py" in one for one in breaches)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["list"], ["train", "--help"], ["show", "x"]]
)
def test_light_commands_load_no_heavy_library(arguments):
    code = f"""
import sys
from flows.command_line import commands
sys.argv = ["finflows", *{arguments!r}]
try:
    commands.main()
except SystemExit:
    pass
heavy = {{"tensorflow", "keras", "mlflow", "prefect", "great_expectations", "sklearn", "pandas"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_declaring_loads_no_heavy_library():
    code = """
import sys
import use_cases
names = use_cases.use_case_names()
assert len([use_cases.find_use_case(name) for name in names]) >= 4
heavy = {"tensorflow", "keras", "mlflow", "prefect", "great_expectations", "sklearn", "pandas"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_scoring_a_file_loads_neither_prefect_nor_tensorflow():
    code = """
import sys
import flows.score_table
heavy = {"tensorflow", "keras", "prefect", "great_expectations", "sklearn", "matplotlib"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_first_stage_of_a_training_waits_for_no_library_of_later_ones():
    code = """
import sys
import flows.train
later = {"tensorflow", "keras", "great_expectations", "sklearn", "matplotlib"}
assert not later & set(sys.modules), later & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_there_is_no_drawer_for_leftovers():
    names = {path.stem for room in ROOMS for path in (ROOT / room).glob("**/*.py")}
    assert not names & {"utils", "helpers", "common", "constants", "misc"}
    assert not (ROOT / "flows" / "tasks.py").exists(), "Prefect's loader would shadow the package"
