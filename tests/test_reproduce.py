"""A finished run can be repeated: the same bits, or the first thing that differs by name."""

import json
from contextlib import nullcontext

import pytest
from conftest import last_json
from small_models import loans

from flows.reproduce import reproduce_run
from flows.train import train
from modelling.declaration.overrides import override
from modelling.refusals import UsageError
from tasks.registry.reproduction import compare_runs
from tasks.tracking.reaping import close_run
from tasks.tracking.resuming import (
    DECLARATION,
    DECLARED_IN,
    FLOW_PARAMETERS,
    IN_PYTHON,
    parameters_of,
)
from tasks.tracking.runs import nested_run, tracked_run
from tasks.tracking.store import experiment_id

pytestmark = pytest.mark.usefixtures("store", "prefect_server")


@pytest.fixture(scope="module")
def settings(credit_file):
    return {"training.epochs": 3, "source.uri": str(credit_file)}


@pytest.fixture(scope="module")
def run(store, prefect_server, settings):
    return train("credit_scoring", settings)


@pytest.mark.services
def test_a_run_repeats_bit_by_bit(run, client):
    counted_from_0 = client.get_run(run.run_id).data.metrics["best_epoch"] - 1
    client.log_metric(run.run_id, "best_epoch", counted_from_0)  # as earlier versions did
    reproduced = reproduce_run(run.run_id)
    assert reproduced.differences == []
    assert reproduced.repeated_as != run.run_id
    assert reproduced.compared > 30
    assert reproduced.text().startswith("identical")
    versions = client.search_model_versions("name = 'credit_scoring'")
    assert reproduced.repeated_as not in {one.run_id for one in versions}


@pytest.mark.services
def test_the_first_thing_that_differs_is_named_cause_before_effect(run, settings):
    other = train("credit_scoring", {**settings, "training.seed": 5})
    differences = [name for name, _, _ in compare_runs(run.run_id, other.run_id).differences]
    assert differences[0] == "seed"
    assert "training.seed" in differences
    assert "loss of epoch 1" in differences
    metrics = [name for name in differences if name.startswith(("test_", "advantage_"))]
    assert metrics
    assert differences.index("loss of epoch 1") < min(map(differences.index, metrics))
    assert differences[-1] == "weights_hash"


@pytest.mark.services
def test_changed_data_are_named_first(run, settings, credit_table, finflows, tmp_path):
    credit_table.iloc[:5000].to_csv(tmp_path / "fewer.csv", index=False)
    path = str(tmp_path / "fewer.csv")
    before = train("credit_scoring", {**settings, "source.uri": path})
    credit_table.iloc[:5001].to_csv(path, index=False)
    done = finflows("reproduce", before.run_id, "--json")
    assert done.returncode == 1, done.stderr
    assert last_json(done.stdout)["differences"][0][0] == "data_hash"
    assert "  starting    Prefect" in done.stderr  # it takes seconds


def test_only_a_finished_training_can_be_repeated():
    with pytest.raises(UsageError, match="there is no run"):
        reproduce_run("0123456789abcdef0123456789abcdef")


def test_a_declaration_that_is_in_no_file_is_not_replaced_by_a_file_of_its_name(
    client, tmp_path, monkeypatch
):
    """The columns differ, which no parameter of the run shows."""
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "use_cases" / "loans_in_python.py"
    file.parent.mkdir()
    declared = loans(name=file.stem)
    parameters = {"use_case_name": declared.name, "overrides": {"training.epochs": 3}}
    trained = override(declared, parameters["overrides"])
    with tracked_run(trained, parameters, in_file=False) as run:
        pass
    with pytest.raises(UsageError, match="given in Python, and no file holds it"):
        parameters_of(run.run_id, finished=True)
    declaration = "from small_models import loans\nUSE_CASE = loans(name='loans_in_python'{})\n"
    file.write_text(declaration.format(", title='Other', columns=loans().columns[:4]"))
    with pytest.raises(UsageError, match="differs from it in title, columns") as refused:
        reproduce_run(run.run_id)
    assert "\n" not in str(refused.value)
    file.write_text(declaration.format(", source={'uri': 'elsewhere.csv'}"))
    assert parameters_of(run.run_id, finished=True) == parameters


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({}, "save its declaration as use_cases/loans_in_python.py, then"),
        ({"source.uri": "memory:loans"}, "its table was a frame: train it again from Python"),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_what_failed_in_python_says_what_a_resume_needs(overrides, said, nested, client):
    """Once, and for the run around a nested one: only that can be resumed."""
    declared = loans(name="loans_in_python")
    parameters = {"use_case_name": declared.name, "overrides": overrides}
    with (
        pytest.raises(RuntimeError) as failed,
        tracked_run(declared, parameters, in_file=False) as run,
        nested_run(run, "attempt", "1", declared) if nested else nullcontext(),
    ):
        raise RuntimeError
    (note,) = failed.value.__notes__
    recorded = client.get_run(run.run_id)
    close_run(client, recorded, "process 1 was killed")
    killed = client.get_run(run.run_id).data.tags["failure"]
    for text in (note, recorded.data.tags["mlflow.note.content"], killed):
        assert said in text
        assert (f"finflows resume {run.run_id}" in text) == (not overrides)


@pytest.mark.parametrize("stored", [None, '{"name": "loa'])
def test_a_run_that_was_killed_before_its_declaration_was_stored_is_refused(stored, client):
    parameters = {"use_case_name": "iris", "overrides": {}}
    tags = {FLOW_PARAMETERS: json.dumps(parameters), DECLARED_IN: IN_PYTHON}
    run = client.create_run(experiment_id(client, "iris"), tags=tags)
    if stored:
        client.log_text(run.info.run_id, stored, DECLARATION)
    client.set_terminated(run.info.run_id, "KILLED")
    with pytest.raises(UsageError, match="declaration was stored: train anew") as refused:
        parameters_of(run.info.run_id)
    assert "\n" not in str(refused.value)
