"""MLflow answers page by page: all pages are read, wherever more than one can be there."""

import ast
from uuid import uuid4

import pytest
from conftest import REPOSITORY

from tasks.registry.promotion_history import versions
from tasks.tracking import pages
from tasks.tracking.leaderboard import read_leaderboard
from tasks.tracking.reaping import running_runs


@pytest.fixture(autouse=True)
def two_results_on_a_page(monkeypatch):
    monkeypatch.setattr(pages, "RESULTS_PER_PAGE", 2)


def test_the_leaderboard_reads_all_runs_of_all_experiments(client):
    tag = str(uuid4())
    tags = {"use_case": "loans", "lock_hash": "1", "flow_parameters": "{}", "round": tag}
    for _ in range(3):
        experiment = client.create_experiment(f"pages {uuid4()}")
        for _ in range(3):
            run_id = client.create_run(experiment, tags=tags).info.run_id
            client.log_param(run_id, "problem", "binary")
            client.set_terminated(run_id)
    found = read_leaderboard(tags={"round": tag})
    assert len({entry.run_id for entry in found}) == 9
    assert len({entry.experiment_id for entry in found}) == 3


def test_all_running_runs_and_all_versions_are_found(client):
    experiment = client.create_experiment(f"pages {uuid4()}")
    tags = {"process": "another-machine 1 2"}
    started = {client.create_run(experiment, tags=tags).info.run_id for _ in range(5)}
    assert {run.info.run_id for run in running_runs(client, [experiment])} == started
    for run_id in started:
        client.set_terminated(run_id)
    name = f"pages-{uuid4()}"
    client.create_registered_model(name)
    for run_id in started:
        client.create_model_version(name, "file:///nowhere", run_id)
    numbers = [int(registered.version) for registered in versions(client, name)]
    assert numbers == [1, 2, 3, 4, 5]


def test_a_search_asks_for_one_result_or_for_all_pages():
    careless = []
    for path in sorted((REPOSITORY / "tasks").glob("**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr.startswith("search_")
                and not any(
                    keyword.arg == "max_results" and ast.unparse(keyword.value) == "1"
                    for keyword in node.keywords
                )
            ):
                careless.append(f"{path.relative_to(REPOSITORY)}: {ast.unparse(node)}")
    assert careless == [], "write all_pages(client.search_..., ...) (tasks/tracking/pages.py)"
