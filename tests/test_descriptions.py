"""MLflow's lists and pages say for themselves what a run changed, and what an experiment is."""

from uuid import uuid4

import pytest

from modelling.judgement.evaluation import RequirementResult
from tasks.tracking.descriptions import (
    dated_run_name,
    describe_experiment,
    describe_version,
    run_name,
)
from tasks.tracking.store import experiment_id
from use_cases import find_use_case


def test_a_run_is_called_by_what_it_changes():
    changed = {"training.learning_rate": 0.01, "network.hidden_units": [32, 16]}
    name = "credit_scoring learning_rate=0.01 hidden_units=(32,16)"
    assert run_name("credit_scoring", changed) == dated_run_name("credit_scoring", changed) == name
    assert run_name("baseline linear", {}) == "baseline linear"
    assert dated_run_name("iris", {}).startswith("iris 20")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"split.seed": 1, "training.seed": 2}, "iris split.seed=1 training.seed=2"),
        ({"source.uri": "/data/loans of May.csv"}, "iris uri=loans of May.csv"),
        ({"source.uri": "https://me:secret@host/a.csv?sig=hidden"}, "iris uri=a.csv?sig=***"),
        ({"title": "long " * 99}, f"iris title={'long ' * 7}lo..."),
        ({"source.query": "select *\n  from loans"}, "iris query=select * from loans"),
    ],
)
def test_names_are_short_and_tell_no_secret(settings, said):
    assert run_name("iris", settings) == said


def test_an_experiment_says_what_is_predicted_and_how_it_is_judged():
    use_case = find_use_case("credit_scoring")
    title, said = describe_experiment(use_case).split("\n\n")
    assert title == "**Default within two years (Give Me Some Credit)**"
    judged = "Judged on test rows by roc_auc and average_precision"
    assert said == (
        f"binary, target SeriousDlqin2yrs. {judged}, beside constant, linear, boosting; "
        "the gate wants roc_auc at least 0.85."
    )
    alone = use_case.model_copy(update={"baselines": (), "gate": None})
    assert describe_experiment(alone).endswith(f". {judged}.")


def test_the_description_of_a_version_fits_a_server_and_ends_with_its_links_whatever_is_doubted():
    doubts = "; ".join(f"column {n}: 12.0% of the test rows have a new label" for n in range(200))
    gate = RequirementResult(True, "roc_auc 0.8661, wanted at least 0.85")
    use_case = find_use_case("credit_scoring")
    said = describe_version(use_case, gate, "healthy", "/#/experiments/1/runs/2", doubts)
    assert len(said) < 5000
    assert "...\n- [the run" in said
    assert said.endswith("/artifacts/dossier.html)")


def test_an_experiment_of_an_earlier_version_gets_kind_and_description_once(client):
    name = f"old {uuid4()}"
    old = client.create_experiment(name)
    assert experiment_id(client, name, "ours") == old
    tags = client.get_experiment(old).tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    assert tags["mlflow.note.content"] == "ours"
    client.set_experiment_tag(old, "mlflow.note.content", "a person's")
    experiment_id(client, name, "ours")
    assert client.get_experiment(old).tags["mlflow.note.content"] == "a person's"
