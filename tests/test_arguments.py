"""Every argument is checked before anything heavy starts: one line, exit code 2, no file."""

import os
import socket
import subprocess
import sys

import pytest
import yaml
from conftest import REPOSITORY
from servers import free_port

from flows.command_line.arguments import refuse_settings
from flows.deployments import planned_deployments
from modelling.refusals import UsageError

PLANS = {
    "": "has no deployments",
    "deployments: [": "can't be read as YAML",
    "[1, 2]": "has no deployments",
    "deployments: [{name: x}]": "deployment 1 has no entrypoint, schedules",
}
NOWHERE = """deployments:
  - name: x
    entrypoint: nowhere.py:x
    schedules: [{cron: "0 2 * * *", timezone: UTC}]
    concurrency_limit: {limit: 1}
"""


@pytest.fixture
def finflows(tmp_path):
    """The command line in an empty folder, with a store of its own."""
    store = tmp_path / "store"
    settings = {"MLFLOW_TRACKING_URI": f"sqlite:///{store}/mlflow.db", "PREFECT_HOME": str(store)}

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "flows.command_line", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **settings, "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"},
        )
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert not (store / "mlflow.db").exists()
        return " ".join(done.stderr.replace("│", " ").split())

    return run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "--html", "."], "is a folder"),
        (["compare", "--html", "nowhere/x.html"], "no such folder"),
        (["compare", "--since", "99999999999d"], "no calendar goes back that far"),
        (["compare", "--tag", "=x"], "write it as NAME=VALUE"),
        (["compare", "--tag", "x"], "write it as NAME=VALUE"),
        (["score", "credit_scoring", "in.csv", "."], "is a folder"),
        (["score", "credit_scoring", "in.csv", "nowhere/out.csv"], "no such folder"),
        (["score", "credit_scoring", "in.csv", "out.csv"], "no such file: in.csv"),
        (["train", "credit_scoring", "--data", "*.csv"], "no such file: *.csv (looked in /"),
        (["search", "credit_scoring", "--data", "in.csv"], "no such file: in.csv"),
        (["score", "it's", "in.csv", "out.csv"], "no name of a use case"),
        (["rollback", "../../x", "--reason", "x"], "no name of a use case"),
        (["serve", "credit_scoring", "--port", "70000"], "'--port'"),
        (["ui", "--port", "0"], "'--port'"),
        (["schedule", "--port", "-1"], "'--port'"),
        (["schedule", "--file", "nowhere.yaml"], "does not exist"),
        (["schedule", "--file", "."], "is a directory"),
        (["promote", "credit_scoring", "--version", "1", "--reason", " "], "the reason is empty"),
        (["rollback", "credit_scoring", "--reason", ""], "the reason is empty"),
        (["rollback", "credit_scoring", "--reason", "x" * 2001], "at most 2,000"),
        (["rollback", "credit_scoring", "--reason", "\u200b"], "the reason is empty"),
        (
            ["rollback", "credit_scoring", "--reason", "x\n  version 9"],
            "the reason must be one line",
        ),
        (["train", "credit_scoring", "--set", "name=fraud_detection"], "name can't be set"),
        (["train", "credit_scoring", "--set", "training.seed=-1"], "training.seed"),
        (["train", "credit_scoring", "--set", "split.seed=4294967296"], "split.seed"),
        (["train", "credit_scoring", "--remedy", "-1"], "'--remedy'"),
        (["search", "credit_scoring", "--seed", "-1"], "'--seed'"),
        (["search", "credit_scoring", "--workers", "0"], "--workers 0"),
        (["search", "credit_scoring", "--trials", "0"], "--trials 0"),
        (["train-all", "--workers", "0"], "'--workers'"),
        (
            ["train-all", "credit_grade", "--set", "training.epochs=abc"],
            "credit_grade: training.ep",
        ),
        (["train-all", "--set", "training.epoch=5"], "did you mean 'training.epochs'"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(arguments, said, finflows):
    assert said in finflows(*arguments)


def test_a_setting_that_some_use_cases_do_not_take_stops_no_other():
    refuse_settings([], ["costs.false_positive=5"])
    with pytest.raises(UsageError, match="market_volatility: 'costs'"):
        refuse_settings(["credit_scoring", "market_volatility"], ["costs.false_positive=5"])


@pytest.mark.parametrize("content", PLANS)
def test_a_plan_that_is_none_is_refused(content, tmp_path):
    (tmp_path / "plan.yaml").write_text(content)
    with pytest.raises(UsageError, match=PLANS[content]):
        planned_deployments(tmp_path / "plan.yaml")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "has no name"),
        ("entrypoint", "", "has no entrypoint"),
        ("schedules", None, r"has no schedules \(one that runs only when asked"),
        ("schedules", "x", "schedules of deployment 1 is no list"),
        ("schedules", ["x"], "a schedule of deployment 1 has no cron"),
        ("schedules", [{"cron": "0 2 * * *"}], "a schedule of deployment 1 has no cron or no time"),
        ("concurrency_limit", None, "has no concurrency_limit"),
        ("concurrency_limit", 1, "concurrency_limit of deployment 1 is no list of NAME: VALUE"),
        ("parameters", None, "parameters of deployment 1 is no list of NAME: VALUE"),
        ("tags", None, "tags of deployment 1 is no list"),
    ],
)
def test_a_field_of_a_plan_that_is_empty_or_another_thing_is_refused(field, value, said, tmp_path):
    plan = yaml.safe_load(NOWHERE)
    plan["deployments"][0][field] = value
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    with pytest.raises(UsageError, match=said) as refused:
        planned_deployments(tmp_path / "plan.yaml")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("limit", ["null", "{}", "{limit: 1}"])
def test_a_deployment_that_runs_only_when_asked_needs_no_limit(limit, tmp_path):
    (tmp_path / "plan.yaml").write_text(
        f"deployments: [{{name: x, entrypoint: x, schedules: [], concurrency_limit: {limit}}}]"
    )
    assert len(planned_deployments(tmp_path / "plan.yaml")) == 1


def test_a_plan_of_flows_that_are_not_there_is_refused(finflows, tmp_path):
    (tmp_path / "plan.yaml").write_text(NOWHERE)
    said = finflows("schedule", "--file", "plan.yaml")
    assert "plan.yaml: x: " in said
    assert "nowhere.py" in said


@pytest.mark.parametrize("command", [["ui"], ["serve", "credit_scoring"]])
def test_a_port_that_is_taken_is_said_first(command, finflows):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"port {port} is taken" in finflows(*command, "--port", port)


def test_a_wrong_limit_of_the_server_is_said_before_anything_is_prepared(finflows, monkeypatch):
    """Its environment takes minutes, and its address is no use if it does not start."""
    monkeypatch.setenv("FINFLOWS_SERVE_ROWS", "many")
    said = finflows("serve", "credit_scoring", "--port", free_port())
    assert said == "finflows: FINFLOWS_SERVE_ROWS must be a whole number above 0"
