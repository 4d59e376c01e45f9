"""Declarations are found wherever a team keeps them, and a broken one stops nobody else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

from modelling.declaration.use_case_files import as_in_file, find_use_case

GOOD = """
from modelling.declaration import Source, UseCase, number
from use_cases.shared import TARGET

USE_CASE = UseCase(
    name="{name}",
    title="Größere Kunden",
    problem="binary",
    source=Source(uri="rows.csv"),
    target=TARGET,
    columns=(number("x"),),
)
"""
BROKEN = {
    "unclosed": ("USE_CASE = UseCase(\n    name='unclosed',", "unclosed.py, line 1: '(' was never"),
    "imports": ("import no_such_package\nUSE_CASE = None", "No module named 'no_such_package'"),
    "typo": (
        GOOD.replace("title=", "titel="),
        "typo.py: unknown setting 'titel'; did you mean 'title'?",
    ),
    "column": (
        GOOD.replace('number("x")', 'number("x", maximu=3)'),
        "column.py, line 11: unknown setting 'maximu'; did you mean 'maximum'?",
    ),
    "misspelt": (
        GOOD.replace("{name}", "mispelt"),
        "its name is 'mispelt'; change it to 'misspelt'",
    ),
    "Capitals": (
        GOOD.replace("{name}", "capitals"),
        "its name is 'capitals'; call the file capitals.py",
    ),
    "nothing": ("USE_CASE = 5", "it must define USE_CASE = UseCase(...)"),
    "leaves": ("import sys\nsys.exit('no licence')\nUSE_CASE = 1", "SystemExit: no licence"),
}


@pytest.fixture(params=[None, "", "TARGET = 'y'\n", "raise OSError('no network')"])
def team(request, tmp_path):
    """A folder of a team's own, without an ``__init__.py`` and with various of them."""
    folder = tmp_path / "Kreditrisiko für Köln" / "use_cases"
    folder.mkdir(parents=True)
    if request.param is not None:
        (folder / "__init__.py").write_text(request.param, encoding="utf-8")
    (folder / "shared.py").write_text("TARGET = 'y'\n", encoding="utf-8")
    (folder / "sound.py").write_text(GOOD.replace("{name}", "sound"), encoding="utf-8")
    for name, (content, _) in BROKEN.items():
        (folder / f"{name}.py").write_text(content.replace("{name}", name), encoding="utf-8")
    return folder.parent


def finflows(*arguments, cwd, **environment):
    paths = os.pathsep.join([*filter(None, [environment.pop("PYTHONPATH", "")]), str(REPOSITORY)])
    return subprocess.run(
        [sys.executable, "-P", "-m", "flows.command_line", *arguments],
        capture_output=True,
        encoding="utf-8",
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": paths, **environment},
    )


@pytest.mark.parametrize("place", ["on the path", "here"])
def test_the_others_work_and_the_broken_ones_are_named(team, place, tmp_path):
    if place == "here":
        listed = finflows("list", cwd=team)
        shown = finflows("show", "sound", cwd=team)
    else:
        listed = finflows("list", cwd=tmp_path, PYTHONPATH=str(team))
        shown = finflows("show", "sound", cwd=tmp_path, PYTHONPATH=str(team))
    assert (listed.returncode, shown.returncode) == (0, 0), listed.stderr + shown.stderr
    names = {line.split()[0] for line in listed.stdout.splitlines()}
    assert {"sound", "credit_scoring", "fraud_detection"} <= names
    assert not names & {*BROKEN, "shared"}
    assert "Größere Kunden" in shown.stdout
    lines = listed.stderr.splitlines()
    assert len(lines) == len(BROKEN)
    for _, said in BROKEN.values():
        assert any(line.startswith("finflows: ") and said in line for line in lines), said


@pytest.mark.parametrize("team", [None], indirect=True)
def test_a_table_that_lies_beside_its_declaration_is_found_from_anywhere(team, tmp_path):
    (team / "use_cases" / "rows.csv").write_text("x,y\n1,0\n")
    shown = finflows("show", "sound", cwd=tmp_path, PYTHONPATH=str(team))
    found = Path(json.loads(shown.stdout)["source"]["uri"])
    assert found.samefile(team / "use_cases" / "rows.csv")


@pytest.mark.parametrize("team", [None], indirect=True)
def test_a_broken_one_that_is_asked_for_is_one_line(team, tmp_path):
    for name, (_, said) in BROKEN.items():
        done = finflows("train", name, cwd=tmp_path, PYTHONPATH=str(team))
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.splitlines()
        assert said in line
    done = finflows("train", "shared", cwd=tmp_path, PYTHONPATH=str(team))
    assert "shared.py: it must define USE_CASE" in done.stderr


@pytest.mark.parametrize("team", [None], indirect=True)
def test_a_terminal_that_shows_no_umlauts(team, tmp_path):
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = finflows("list", cwd=tmp_path, PYTHONPATH=str(team), **ascii_only)
    assert done.returncode == 0, done.stderr
    assert "sound" in done.stdout
    assert "Traceback" not in done.stderr
    done = finflows("list", cwd=tmp_path, PYTHONPATH=str(team), PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    table = team / "größe.csv"
    table.write_text("x,y\n" + "".join(f"{x * 37 % 89 / 8},{int(x % 3 > 1)}\n" for x in range(90)))
    for command in (
        ("draft", table.name, "--target", "y", "--name", "size", "--to", "use_cases/size.py"),
        ("show", "size"),
        ("check", "size"),
    ):
        done = finflows(*command, cwd=team, **ascii_only)
        assert done.returncode == 0, done.stderr


def test_an_unknown_one_says_where_it_was_looked_for(tmp_path):
    (tmp_path / "team" / "use_cases").mkdir(parents=True)
    done = finflows("check", "loans", cwd=tmp_path, PYTHONPATH=str(tmp_path / "team"))
    assert done.returncode == 2
    assert f"looked in {REPOSITORY / 'use_cases'}, {tmp_path / 'team' / 'use_cases'}" in done.stderr
    assert f"; there is no {tmp_path / 'use_cases'})" in done.stderr


def test_a_declaration_that_was_written_for_the_former_names_goes_on_working():
    code = "from modelling.columns import amount, number; print(amount('loan').unit)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.stdout == "money\n"
    assert "modelling.columns is called modelling.declaration now" in done.stderr


def test_a_declaration_is_judged_as_its_file_says():
    """Whoever calls a training with an object of his own does not loosen its gate."""
    looser = find_use_case("iris").model_copy(update={"gate": None, "title": "mine"})
    assert as_in_file(looser) == find_use_case("iris")
    unknown = looser.model_copy(update={"name": "in_no_file"})
    assert as_in_file(unknown) is unknown
