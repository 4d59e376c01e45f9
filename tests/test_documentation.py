"""What README and the pages under ``docs/`` say is what the program does.

A block of commands (```` ```sh ````) is run by the tests, unless a comment before it, which GitHub
does not show, says ``<!-- not run: why -->`` or ``<!-- run in make evidence: why -->``. The real
command line parses all of them.
"""

import inspect
import os
import re
import shlex
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import typer
from conftest import REPOSITORY
from typer.testing import CliRunner

from flows.command_line.commands import app
from flows.train import run_training
from modelling.declaration import Source
from modelling.declaration.overrides import override, parse_overrides
from use_cases import find_use_case

INDEX = (REPOSITORY / "docs" / "index.md").read_text()
IN_ORDER = [f"docs/{name}.md" for name in re.findall(r"\]\((\w+)\.md\)", INDEX)]
NAMES = ("README.md", "docs/index.md", *IN_ORDER, "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
PAGES = {name: (REPOSITORY / name).read_text() for name in NAMES}
BLOCK = re.compile(
    r"(?:^<!-- (not run|run in make evidence): ([^>]+) -->\n)?^```sh\n(.*?)^```$"
    r"(?:\n\n```text\n(.*?)^```$)?",
    re.M | re.S,
)
VERDICT = re.compile(r"^  curve +(\w+)", re.M)
WRITTEN_AS = re.compile(r"[Ss]ave this as `([\w/]+\.py)`.*?```python\n(.*?)^```$", re.M | re.S)
PLACEHOLDERS = {"RUN_ID": "0" * 32, "NAME": "credit_scoring"}
COMMANDS = typer.main.get_command(app)


class Block(NamedTuple):
    """A fenced block of commands, whether and why it is not run with the others, and the output
    that the page shows of it."""

    page: str
    marked: str
    reason: str
    text: str
    shown: str

    def lines(self) -> list[str]:
        """Its commands, one a line."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line for line in lines if line and not line.startswith("#")]


BLOCKS = [
    Block(name, *found.groups(default=""))
    for name, page in PAGES.items()
    for found in BLOCK.finditer(page)
]


def words(line: str) -> list[str]:
    """The words of a command, without comment and settings of the environment before it."""
    split = shlex.split(line, comments=True)
    while split and re.match(r"[A-Z_]+=", split[0]):
        split = split[1:]
    return [PLACEHOLDERS.get(word, word) for word in split]


def made_of(line: str) -> list[str]:
    """The command lines of ``finflows`` that make would run."""
    asked = [word for word in words(line)[1:] if not word.endswith("/")]
    if not any("=" in word for word in asked):  # which recipes are asked by -n to run anything
        return []
    ready = ["-o", ".venv/.ready", "-o", ".venv/.bench-ready"]
    done = subprocess.run(
        ["make", "-n", *ready, *asked], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return [one for one in done.stdout.splitlines() if one.startswith(".venv/bin/finflows")]


def typed() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each page with each command line of ``finflows`` in its blocks."""
    for block in BLOCKS:
        for line in block.lines():
            lines = made_of(line) if words(line)[:1] == ["make"] else [line]
            for command in lines:
                if (said := words(command)) and said[0].endswith("finflows"):
                    yield block.page, tuple(said[1:])


def mentioned() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each page with each command line of ``finflows`` in its running text."""
    for name, page in PAGES.items():
        text = re.sub(r"^```.*?^```$", "", page, flags=re.M | re.S)
        for said in re.findall(r"`(finflows [^`]+)`", text):
            yield name, tuple(words(said.replace("\n", " "))[1:])


def parse(arguments: tuple[str, ...]) -> dict[str, object]:
    """What the command line makes of the arguments. Raises what it refuses them with."""
    name, *rest = arguments
    if name.startswith("-"):
        known = {option for one in COMMANDS.params for option in one.opts} | {"--help"}
        assert name in known
        return {}
    assert name in COMMANDS.commands, f"there is no command {name}"
    command = COMMANDS.commands[name]
    with command.make_context(name, rest) as context:
        return context.params


def check_settings(given: dict[str, object]) -> None:
    """Raises UsageError for a use case or a setting that does not exist."""
    overrides = parse_overrides(given.get("set_") or [])
    named = given.get("use_case") or given.get("use_cases") or []
    for use_case in [named] if isinstance(named, str) else named:
        if use_case not in declared_by_the_pages():
            override(find_use_case(use_case), overrides)


def declared_by_the_pages() -> set[str]:
    files = [file for page in PAGES.values() for file, _ in WRITTEN_AS.findall(page)]
    drafted = [said[1] for _, said in typed() if said[0] == "draft"]
    return {Path(file).stem for file in (*files, *drafted)}


@pytest.mark.parametrize(("page", "arguments"), dict.fromkeys(typed()))
def test_a_command_of_the_pages_is_one_of_the_command_line(page, arguments):
    check_settings(parse(arguments))


@pytest.mark.parametrize(("page", "arguments"), dict.fromkeys(mentioned()))
def test_a_command_that_a_page_mentions_is_one_of_the_command_line(page, arguments):
    try:
        check_settings(parse(arguments))
    except Exception as refused:
        if type(refused).__name__ != "MissingParameter":  # a sentence may leave that out
            raise


@pytest.mark.parametrize(
    "wrong",
    ["trian credit_scoring", "train credit_scoring --remedie 3", "train credit_skoring",
     "train credit_scoring --set training.epoch=3", "search credit_scoring --set epochs=3"],
)  # fmt: skip
def test_a_command_that_would_be_refused_is_noticed(wrong):
    with pytest.raises(Exception, match=r"no command|[Nn]o such option|unknown"):
        check_settings(parse(tuple(wrong.split())))


def test_every_make_target_of_the_pages_exists():
    targets = set(re.findall(r"^([a-z-]+):.*## ", (REPOSITORY / "Makefile").read_text(), re.M))
    text = "\n".join(PAGES.values())
    named = set(re.findall(r"(?:^|`)make ([a-z]+(?:-[a-z]+)*)", text, re.M))
    assert named <= targets


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_leads_to_a_file(name):
    page = REPOSITORY / name
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != "CHANGELOG.md"])
def test_every_module_that_a_page_names_exists(name):
    rooms = "use_cases|modelling|expectations|tasks|flows|finflows|benchmarks|tests"
    named = re.findall(rf"`((?:{rooms})/[\w/]+(?:\.py|/))`", PAGES[name])
    written = {f"use_cases/{one}.py" for one in declared_by_the_pages()}  # by who follows the page
    assert [one for one in {*named} - written if not (REPOSITORY / one).exists()] == []


def test_the_stages_of_the_flow_stand_in_its_page():
    page = PAGES["docs/how_it_is_built.md"].partition("## The rooms")[0]
    calls = {name for row in re.findall(r"^\| (`.*?) \|", page, re.M) for name in row.split("`")}
    body = inspect.getsource(run_training)
    assert {call for call in calls if call.isidentifier()} >= {"prepare_data", "judge"}
    assert [call for call in calls if call.isidentifier() and call not in body] == []


def test_the_version_stands_in_one_place():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    said = CliRunner().invoke(app, ["--version"])
    assert (said.exit_code, said.stdout) == (0, f"finflows {project['version']}\n")


def test_each_command_is_listed_with_one_sentence_an_example_and_what_it_is_for():
    for name, command in COMMANDS.commands.items():
        example = words(command.epilog.removeprefix("Example: finflows "))
        assert example[0] == name
        check_settings(parse(tuple(example)))
        first, *_ = inspect.cleandoc(command.help).split("\n\n")
        assert "\n" not in first, f"{name}: the list of commands would break this line"
        assert command.rich_help_panel, name


def test_lines_are_no_longer_than_a_window_is_wide():
    for name in (name for name in NAMES if name != "CHANGELOG.md"):
        text = re.sub(r"^ *```.*?^ *```$", "", PAGES[name], flags=re.M | re.S)
        prose = [line for line in text.splitlines() if not line.lstrip().startswith(("|", "<!--"))]
        assert [line for line in prose if len(line) > 120] == [], name


def test_the_help_names_all_that_can_be_said_of_how_a_table_is_written():
    for name in ("draft", "score"):
        (option,) = (one for one in COMMANDS.commands[name].params if one.name == "source")
        assert {*Source.model_fields} - {"uri"} <= {*re.findall(r"\w+", option.help)}, name


def test_every_page_is_in_the_index():
    assert {f"docs/{page.name}" for page in (REPOSITORY / "docs").glob("*.md")} == {
        *IN_ORDER, "docs/index.md"
    }  # fmt: skip


def test_every_python_block_is_one_that_runs():
    for page in PAGES.values():
        for code in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S):
            exec(code, {})


def test_what_is_not_run_says_why_and_is_no_more_than_it_was():
    assert all(block.reason for block in BLOCKS if block.marked)
    marks = Counter(block.marked or "run" for block in BLOCKS)
    assert marks == {"run": 12, "run in make evidence": 13, "not run": 52}


@pytest.fixture
def shell(checkout, credit_file, prefect_server):
    """Run the lines of a block as someone would who has just cloned the project and set it up."""
    (checkout / "borrowers.csv").write_bytes(credit_file.read_bytes())
    for page in PAGES.values():
        for file, code in WRITTEN_AS.findall(page):
            (checkout / file).write_text(code)
    programs = checkout / ".venv" / "bin"
    own = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
        "MLFLOW_TRACKING_URI": f"sqlite:///{checkout}/mlruns/mlflow.db",
    }

    def run(line: str) -> str:
        done = subprocess.run(
            line, shell=True, cwd=checkout, env=os.environ | own, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def cheaper(line: str) -> str:
    """The same with two epochs, where it trains."""
    if line.startswith("make train"):
        return f"{line} SET=training.epochs=2"
    return f"{line} --set training.epochs=2" if line.startswith("finflows train") else line


@pytest.mark.services
def test_the_commands_of_the_pages_run_in_their_order(shell):
    lines = [cheaper(line.partition(" #")[0].rstrip()) for block in BLOCKS
             if not block.marked for line in block.lines()]  # fmt: skip
    for line in dict.fromkeys(lines):
        shell(line)


@pytest.mark.evidence
def test_the_commands_that_take_long_run_as_they_are_written_with_the_verdicts_shown(shell):
    for block in BLOCKS:
        if block.marked == "run in make evidence":
            printed = "".join(shell(line) for line in block.lines())
            if verdicts := VERDICT.findall(block.shown):
                assert VERDICT.findall(printed) == verdicts, block.text
