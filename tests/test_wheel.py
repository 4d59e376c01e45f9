"""What a wheel puts into somebody's environment: one package, which works there."""

import ast
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import matplotlib
import prefect
import pytest
from conftest import REPOSITORY
from import_law import ROOMS, imported
from servers import PATIENCE

sys.path.append(str(REPOSITORY))
from hatch_build import PACKAGE, inside_package, write_package

TRAINING = """
import finflows, tasks
import numpy as np, pandas as pd

generator = np.random.default_rng(1)
x = generator.normal(size=600)
bad = (generator.random(600) < 1 / (1 + np.exp(-x))).astype(int)
frame = pd.DataFrame({"x": x, "income": generator.gamma(2, 500, 600), "bad": bad})
drafted = finflows.draft(frame, target="bad", name="tiny")
trained = finflows.train(drafted, settings={"training.epochs": 1}, quiet=True)
assert set(trained.model.predict(frame)) <= {0, 1}
file = drafted.save(table="tiny.parquet")
assert "from finflows.declaration import" in file.read_text()
assert finflows.check("tiny").passed
import tasks
print(tasks.OWNER, finflows.__file__)
from finflows.tasks.tracking.addresses import how_to_open
print(how_to_open("/"))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package") / PACKAGE
    write_package(REPOSITORY, folder)
    return folder


def test_nothing_in_a_wheel_imports_another_top_level_package_of_ours(package):
    files = [*package.rglob("*.py")]
    assert len(files) > 200
    foreign = {name: imported(file) for file in files for name in [file.relative_to(package)]}
    others = {*ROOMS} - {PACKAGE}
    assert {
        name: found
        for name, names in foreign.items()
        if (found := {one for one in names if one.partition(".")[0] in others})
    } == {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from tasks.a import b", "from finflows.tasks.a import b"),
        ("    import tasks.a  # noqa", "    import finflows.tasks.a  # noqa"),
        ("from tasks_of_mine import b", "from tasks_of_mine import b"),
        ("from other.tasks import a", "from other.tasks import a"),
        ('SERVE = "import sys; from tasks.a import b"',
         'SERVE = "import sys; from finflows.tasks.a import b"'),
        ('("-m", "tasks.a")', '("-m", "finflows.tasks.a")'),
        ('"tasks.unknown"', '"tasks.unknown"'),
        ('"modelling.declaration"', '"finflows.declaration"'),
        ("yield from tasks", "yield from tasks"),
    ],
)  # fmt: skip
def test_names_of_modules_are_those_inside_the_package(before, after):
    assert inside_package(before, {"tasks", "tasks/a", "modelling/declaration"}) == after


def test_no_hint_is_only_for_a_checkout(package):
    """What to type is worded by ``modelling.checkout``, but for what only a checkout has."""
    for file in package.rglob("*.py"):
        tree = ast.parse(file.read_text())
        hints = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} - {
            ast.get_docstring(node, clean=False)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        }
        for hint in filter(re.compile(r"\.venv/|\bmake [a-z-]+\b").search, map(str, hints)):
            assert hint == "run make setup", (file.name, hint)
            assert "if IS_CHECKOUT else" in file.read_text()


@pytest.mark.services
def test_a_wheel_trains_beside_a_foreign_package_of_the_same_name(tmp_path, prefect_server):
    run = {"check": True, "capture_output": True, "text": True, "timeout": PATIENCE}
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=REPOSITORY, **run)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = {name.partition("/")[0] for name in opened.namelist()}
        assert {name for name in names if not name.endswith(".dist-info")} == {PACKAGE}
        site = tmp_path / "site"
        opened.extractall(site)  # what pip --no-deps --target does
    (site / "tasks").mkdir()
    (site / "tasks" / "__init__.py").write_text('OWNER = "somebody else"\n')
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    libraries = Path(prefect.__file__).parents[1]
    settings = {
        **os.environ,
        "HOME": str(tmp_path),
        "MPLCONFIGDIR": matplotlib.get_cachedir(),  # or it looks through all fonts again
        "PYTHONPATH": os.pathsep.join([str(site), str(libraries)]),
    }
    settings.pop("MLFLOW_TRACKING_URI", None)
    # Without site, so that the editable install of the checkout is not on the path.
    command = [sys.executable, "-S", "-c", TRAINING]
    done = subprocess.run(command, cwd=elsewhere, env=settings, **{**run, "check": False})
    assert done.returncode == 0, done.stderr
    said = done.stdout.strip().splitlines()[-2:]
    assert said[0] == f"somebody else {site / PACKAGE / '__init__.py'}"
    assert said[1].startswith("finflows ui, then http")
    checked = [sys.executable, "-S", "-m", PACKAGE, "check", "tiny"]
    done = subprocess.run(checked, cwd=elsewhere, env=settings, **{**run, "check": False})
    assert done.stdout.strip().endswith("ready to train: finflows train tiny"), done.stderr
    assert (tmp_path / ".finflows" / "mlruns" / "mlflow.db").exists()
