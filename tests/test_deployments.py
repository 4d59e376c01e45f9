"""What prefect.yaml plans is there, can be called, and never overlaps with itself."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from conftest import REPOSITORY
from prefect.client.schemas.schedules import CronSchedule
from prefect.flows import load_flow_from_entrypoint

from flows.deployments import planned_deployments
from modelling.refusals import UsageError

ENTRIES = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())["deployments"]
# But for those that run only when something asks for them, with its parameters.
PLANNED = [entry for entry in ENTRIES if entry["name"] != "second-person"]
DECLARED = {path.stem for path in (REPOSITORY / "use_cases").glob("[a-z]*.py")}
PLAN = """
deployments:
  - name: nightly-iris
    entrypoint: flows/train.py:train
    parameters: {use_case_name: iris, remedies: 1}
    tags: ["use-case:iris"]
    schedules: [{cron: "0 2 * * *", timezone: UTC}]
    concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW}
"""


@pytest.mark.parametrize("flow", ["train", "search"])
def test_every_declared_use_case_is_trained_and_searched(flow):
    entrypoint = f"flows/{flow}.py:{flow}"
    planned_for = {
        entry["parameters"]["use_case_name"]
        for entry in planned_deployments(REPOSITORY / "prefect.yaml")
        if entry["entrypoint"] == entrypoint
    }
    assert planned_for >= DECLARED


@pytest.mark.parametrize("entry", PLANNED, ids=lambda entry: entry["name"])
def test_an_entry_is_due_at_a_time_of_a_zone_and_one_at_a_time(entry):
    assert entry["schedules"]
    for one in entry["schedules"]:
        ZoneInfo(one["timezone"])
        CronSchedule(cron=one["cron"], timezone=one["timezone"])
    assert entry["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
    assert entry["work_pool"]["name"] in ("cpu", "gpu")
    if name := entry.get("parameters", {}).get("use_case_name"):
        assert entry["tags"] == [f"use-case:{name}"]
        assert entry["name"].endswith(name)


@pytest.mark.parametrize(
    "entry",
    [one for one in PLANNED if (REPOSITORY / one["entrypoint"].partition(":")[0]).exists()],
    ids=lambda entry: entry["name"],
)
def test_an_entry_calls_its_flow_with_parameters_that_it_takes(entry, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    flow = load_flow_from_entrypoint(entry["entrypoint"])
    flow.validate_parameters(entry.get("parameters", {}))


@pytest.mark.parametrize(
    "name", ["train", "train_all", "search", "score", "watch", "upkeep", "compare", "approve"]
)
def test_the_form_of_a_flow_explains_each_parameter_and_offers_choices(name, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    form = load_flow_from_entrypoint(f"flows/{name}.py:{name}").parameters.properties
    assert [field for field, about in form.items() if not about.get("description")] == []
    if name in ("train", "search"):
        assert set(form["use_case_name"]["enum"]) >= DECLARED
    if name == "search":
        assert form["sampler"]["enum"] == ["tpe", "grid", "random"]


def test_names_are_told_apart():
    names = [(entry["entrypoint"], entry["name"]) for entry in ENTRIES]
    assert len(names) == len(set(names))


@pytest.fixture
def plan(tmp_path) -> Path:
    path = tmp_path / "prefect.yaml"
    path.write_text(PLAN)
    return path


def test_a_new_use_case_file_is_scheduled_without_an_entry(plan):
    by_name = {entry["name"]: entry for entry in planned_deployments(plan)}
    wine = by_name["nightly-wine"]
    assert wine["parameters"] == {"use_case_name": "wine", "remedies": 1}
    assert wine["tags"] == ["use-case:wine"]
    assert wine["schedules"] == by_name["nightly-iris"]["schedules"]
    assert set(by_name) >= {f"nightly-{name}" for name in DECLARED}
    assert len(by_name) == len(planned_deployments(plan))


def test_an_entry_for_a_use_case_that_is_not_declared_is_refused(plan):
    plan.write_text(PLAN.replace("name: iris", "name: irs"))
    with pytest.raises(UsageError, match="did you mean 'iris'"):
        planned_deployments(plan)


def test_a_time_zone_that_is_none_is_refused_by_name(plan):
    plan.write_text(PLAN.replace("timezone: UTC", "timezone: Europe/Berln"))
    with pytest.raises(UsageError, match=r"called 'Europe/Berln' .deployment 1.: .*Berlin"):
        planned_deployments(plan)


def test_a_schedule_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no schedule .*--file FILE"):
        planned_deployments(tmp_path / "prefect.yaml")
