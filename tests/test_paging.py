"""MLflow answers page by page: all pages are read, wherever more than one can be there."""

import ast
from uuid import uuid4

import pytest
from conftest import REPOSITORY

from modelling.refusals import UsageError
from tasks.registry.promotion_history import versions
from tasks.tracking import pages
from tasks.tracking.leaderboard.reading import read_leaderboard
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


def test_the_best_few_are_compared_with_those_that_must_not_be_missed(client):
    """Of six: the best of all, the best honest one, the champion's, and the newest."""
    tag, name = str(uuid4()), f"limited_{uuid4().hex}"
    experiment = client.create_experiment(name)
    tags = {"use_case": name, "lock_hash": "1", "flow_parameters": "{}", "round": tag}
    runs = []
    for minute, value in enumerate((0.7, 0.9, 0.99, 0.71, 0.85, 0.8)):
        leak = {"leak_suspected": "account_id" if value == 0.99 else "no"}
        run_id = client.create_run(
            experiment, start_time=1 + minute, tags={**tags, "headline": "roc_auc", **leak}
        ).info.run_id
        client.log_metric(run_id, "test_roc_auc", value)
        client.set_terminated(run_id)
        runs.append(run_id)
    client.create_registered_model(name)
    for number in (3, 4):
        client.create_model_version(name, "file:///nowhere", runs[number])
    client.set_registered_model_alias(name, "champion", 1)
    found = read_leaderboard(tags={"round": tag}, limit=1)
    assert [entry.value for entry in found] == [0.99, 0.9, 0.8, 0.71]
    assert found[-1].aliases == ("champion",)
    (line,) = found.left_out
    assert "best 1 by roc_auc" in line
    assert read_leaderboard(tags={"round": tag}, limit=6).left_out == []
    named = read_leaderboard(run_ids=runs[:3], limit=1)
    assert {entry.run_id for entry in named} == {*runs[:3]}
    assert named.left_out == []
    with pytest.raises(UsageError, match="there is no run"):
        read_leaderboard(run_ids=["') or attributes.run_id != ('"])
    client.delete_registered_model(name)  # its files are nowhere, which doctor would say


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
