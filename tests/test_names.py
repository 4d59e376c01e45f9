"""What comes from outside is checked before it is a path, a filter, an address or an option."""

import json
import math
import os
import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError
from small_models import loans

from flows.command_line.terminal import configure_environment
from flows.deployments import planned_deployments
from flows.score import score
from modelling.data.loading import read_table
from modelling.declaration import Source, names
from modelling.declaration.overrides import override, parse_overrides
from modelling.declaration.search_space import refuse_search
from modelling.refusals import UsageError
from tasks.separate_training import arguments
from tasks.tracking.addresses import checkpoint_folder, refuse_unusable_store, scratch_folder
from tasks.workers.work_pool import train_job_in
from use_cases import find_use_case

RUN = "0123456789abcdef0123456789abcdef"
PATHS = [
    "../../x",
    "/tmp/x",
    "..",
    ".",
    "",
    "a/b",
    "a\nb",
    "a b",
    "it's",
    "x" * 101,
    "Ünï",
    "a\x00b",
]


@pytest.mark.parametrize("name", [*PATHS, "--help", "Loans", "1st"])
def test_what_is_no_name_of_a_use_case_gets_nowhere(name, store):
    before = sorted(store.parent.rglob("*"))
    with pytest.raises(UsageError, match="no name of a use case"):
        score.fn(name, "in.csv", "out.csv")
    assert sorted(store.parent.rglob("*")) == before
    with pytest.raises(ValidationError, match="name"):
        loans(name=name)


@pytest.mark.parametrize("text", [*PATHS, RUN.upper(), RUN[:-1], f"{RUN}\n", f"{RUN}/..", "٣" * 32])
def test_what_is_no_run_id_names_no_folder(text):
    for takes in (scratch_folder, checkpoint_folder):
        with pytest.raises(UsageError, match="a run id is 32"):
            takes(text)
    assert scratch_folder(RUN).parent.name == "scratch"


@pytest.mark.parametrize("name", ["../deployments", "..", "", "a%2Fb", "a?b=c", "a#b", "a\nb"])
def test_what_is_no_name_of_a_work_pool_is_refused(name):
    with pytest.raises(UsageError, match="no name of a work pool"):
        refuse_search(1, 1, "tpe", None, name)
    refuse_search(1, 1, "tpe", None, "GPU pool 2")


@pytest.mark.parametrize(
    "address",
    ["here", "tcp://", "tcp://host:99999", "tcp://host:x", "tcp://[::1", "http://a:1", ""],
)
def test_what_is_no_address_of_a_cluster_is_refused(address):
    with pytest.raises(UsageError, match="write 'local' or an address"):
        refuse_search(1, 1, "tpe", address, None)
    for good in ("local", "tcp://host:8786", "tls://[::1]:8786"):
        refuse_search(1, 1, "tpe", good, None)


@pytest.mark.parametrize("address", ["http://", "http://a:99999", "http://a:x/api", "http://[::1"])
def test_what_is_no_address_of_a_server_is_refused(address, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(UsageError, match="MLFLOW_TRACKING_URI is no address"):
        refuse_unusable_store()
    monkeypatch.setenv("PREFECT_API_URL", address)
    with pytest.raises(UsageError, match="PREFECT_API_URL is no address"):
        configure_environment(verbose=False)


TAGS = [("a`b", "x"), ("a'b", "x"), ("a", "x' or '1' = '1"), ("a", 'x"'), ("a", "x\\"), ("a", "\n")]


@pytest.mark.parametrize(("name", "value"), TAGS)
def test_a_tag_can_not_change_the_question(name, value):
    with pytest.raises(UsageError, match="--tag"):
        names.tag_filter(name, value)
    assert names.tag_filter("mlflow.user", "it is 50 %") == "tags.`mlflow.user` = 'it is 50 %'"


OUTSIDE = {
    "package:": "not installed",
    "package:/etc/passwd": "not installed|no file inside",
    "package:empulse//etc/passwd": "no file inside a package",
    "package:empulse/../../x.csv": "no file inside a package",
    "openml:../../x": "write the number or the name",
    "openml:²": "write the number or the name",
    "openml:": "write the number or the name",
}


@pytest.mark.parametrize("uri", OUTSIDE)
def test_a_source_stays_where_it_says(uri):
    with pytest.raises(UsageError, match=OUTSIDE[uri]):
        read_table(Source(uri=uri))


NUMBERS = {
    "training.learning_rate": [math.nan, math.inf, 10**400],
    "network.l2": [math.nan, -math.inf],
    "gate.at_least": [math.nan],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_setting_is_a_finite_number(name):
    for value in NUMBERS[name]:
        with pytest.raises(UsageError, match=name):
            override(find_use_case("credit_scoring"), {name: value})


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 100_000])
def test_a_setting_that_python_does_not_read_is_one_line(text):
    with pytest.raises(UsageError, match=r"^--set search: the value is too long or too deep$"):
        parse_overrides([f"search={text}"])


def test_a_use_case_of_a_deployment_is_no_option_of_the_command_line():
    assert arguments("--data=x", ["--json"]) == [
        "train",
        "--json",
        "--set=--json",
        "--",
        "--data=x",
    ]


@pytest.mark.parametrize("wrong", [{"name": 5}, {"parameters": [1]}, {"parameters": "x"}])
def test_a_plan_names_things_by_text(wrong, tmp_path):
    entry = {"name": "x", "entrypoint": "x.py:x", "schedules": [1], "concurrency_limit": 1, **wrong}
    (tmp_path / "plan.yaml").write_text(json.dumps({"deployments": [entry]}))
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} of deployment 1 is no"):
        planned_deployments(tmp_path / "plan.yaml")


class Evil:
    """Its pickle makes a file where it is read."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_a_flow_run_reads_no_pickle_that_others_left(tmp_path):
    """The folder of a job is a parameter: anybody who may start flow runs chooses it."""
    mark, ours = tmp_path / "mark", tmp_path / "checkpoints" / RUN
    elsewhere = [tmp_path / RUN, tmp_path / "checkpoints" / "job", tmp_path / "checkpoints" / ".."]
    for folder in (ours, *elsewhere):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "job.pickle").write_bytes(pickle.dumps(Evil(mark)))
    for folder in elsewhere:
        with pytest.raises(UsageError, match=r"checkpoint folder|run id"):
            train_job_in(folder, 1)
    (ours / "job.pickle").chmod(0o666)
    with pytest.raises(UsageError, match="the same user"):
        train_job_in(ours, 1)
    (ours / "job.pickle").rename(tmp_path / "job")
    (ours / "job.pickle").symlink_to(tmp_path / "job")
    with pytest.raises(UsageError, match="the same user"):
        train_job_in(ours, 1)
    assert not mark.exists()
