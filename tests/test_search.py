"""A search: many trainings under one parent, judged on validation rows, the best trained anew."""

import json
import re

import pandas as pd
import pytest
from small_models import prepared

from flows.search import search
from modelling.declaration.overrides import override
from use_cases import find_use_case

pytestmark = pytest.mark.usefixtures("store", "prefect_server")
EPOCHS = 12
SPACE = {
    "training.learning_rate": {"low": 1e-5, "high": 1e-1, "log": True},
    "network.hidden_units": {"values": [[], [8], [16, 8]]},
}
TWO_FOLDS, THREE_FOLDS = ({"split.validation": share} for share in (0.35, 0.25))
# Of the 150 flowers 30 are left to train on: a number is to be more than the mean of all.
ONE_FOLD = {"split.validation": 0.6, "minimum_rows_per_value": 5}
QUICK = {"training.epochs": EPOCHS, "search": SPACE, **ONE_FOLD}


@pytest.fixture(scope="module")
def found(store, prefect_server):
    """Nine trials on the iris flowers."""
    return search("iris", trials=9, overrides=QUICK)


def trials_of(client, run_id):
    """The nested runs of a search by the numbers of their trials."""
    experiment = client.get_run(run_id).info.experiment_id
    nested = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'")
    return {int(run.data.tags["trial"]): run for run in nested}


def tried(client, run_id):
    """What the trials of a search tried and what came of it, in their order."""
    runs = trials_of(client, run_id)
    return [
        (
            runs[n].data.params["training.learning_rate"],
            runs[n].data.params["network.hidden_units"],
            runs[n].data.tags["pruned"],
            round(runs[n].data.metrics["best_val_loss"], 5),
            round(runs[n].data.metrics["mean_val_loss"], 5),
        )
        for n in sorted(runs)
    ]


@pytest.mark.services
def test_few_rows_are_prepared_once_and_each_trial_is_judged_by_all_folds(caplog, client, found):
    """Its run shows the training of the declared split, which the final training repeats."""
    overrides = {**QUICK, **THREE_FOLDS, "training.epochs": 2}
    with caplog.at_level("INFO", logger="finflows"):
        result = search("iris", trials=2, seed=7, overrides=overrides)
    stages = [record.getMessage().split()[0] for record in caplog.records if record.getMessage()]
    assert stages.count("data") == stages.count("validated") == 1
    assert stages.count("trained") == 1
    assert "3 folds with" in caplog.text
    assert client.get_run(result.run_id).data.metrics["folds"] == 3
    for run in trials_of(client, result.run_id).values():
        means = client.get_metric_history(run.info.run_id, "mean_val_loss")
        assert [mean.step for mean in means] == [1, 2, 3]
        assert means[0].value == pytest.approx(run.data.metrics["best_val_loss"])
    chosen = trials_of(client, result.run_id)[result.best_trial]
    trained = client.get_run(result.trained.run_id)
    of_trial, again = (run.data.metrics["best_val_loss"] for run in (chosen, trained))
    assert again == pytest.approx(of_trial)
    assert result.best_val_loss == pytest.approx(chosen.data.metrics["mean_val_loss"])
    # After the declared settings.
    rate_and_units, others = (tried(client, one.run_id)[1][:2] for one in (result, found))
    assert rate_and_units != others, "another seed proposes other settings"


@pytest.mark.services
def test_every_trial_is_a_nested_run_with_curve_verdict_and_duration(found, client):
    runs = trials_of(client, found.run_id)
    assert sorted(runs) == list(range(9))
    for number, run in runs.items():
        assert run.info.status == "FINISHED"
        assert re.match(rf"trial {number} \w+=", run.info.run_name)
        assert run.data.tags["learning_curve"]
        assert run.data.metrics["training_seconds"] > 0
        steps = [one.step for one in client.get_metric_history(run.info.run_id, "val_loss")]
        assert steps == list(range(len(steps)))
        assert not any(name.startswith("test_") for name in run.data.metrics)


@pytest.mark.services
def test_poor_trials_end_early_and_are_no_failures(found, client):
    pruned = [r for r in trials_of(client, found.run_id).values() if r.data.tags["pruned"] == "yes"]
    assert len(pruned) == found.trials.get("pruned") > 0
    for run in pruned:
        epochs = client.get_metric_history(run.info.run_id, "val_loss")
        assert len(epochs) < EPOCHS


@pytest.mark.services
def test_the_best_on_validation_rows_is_trained_and_registered_as_any_other(found, client):
    runs = trials_of(client, found.run_id)
    finished = {n: r for n, r in runs.items() if r.data.tags["pruned"] == "no"}
    losses = {n: r.data.metrics["mean_val_loss"] for n, r in finished.items()}
    assert found.best_trial in (min(losses, key=losses.get), 0)
    assert found.best_val_loss == losses[found.best_trial]
    assert client.get_run(found.run_id).data.tags["search_choice"] == found.choice
    trained = client.get_run(found.trained.run_id)
    for name, value in found.settings.items():
        assert trained.data.params[name] == str(value)
    assert trained.data.metrics["best_val_loss"] == pytest.approx(found.best_val_loss)
    assert "test_accuracy" in trained.data.metrics
    assert trained.data.tags["search_run"] == found.run_id
    parent = client.get_run(found.run_id)
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["trained_run"] == found.trained.run_id
    assert json.loads(parent.data.tags["best_settings"]) == found.settings
    assert client.get_model_version("iris", found.trained.model["version"]).run_id == (
        found.trained.run_id
    )


@pytest.mark.services
@pytest.mark.parametrize(
    ("declared", "said"),
    [(1e-5, "better than the declared settings by"), (1e-2, "they are kept")],
)
def test_a_rate_at_which_nothing_is_learnt_is_left_and_one_that_learns_is_kept(declared, said):
    settings = {"training.learning_rate": declared, "training.epochs": 8, **TWO_FOLDS}
    settings["search"] = {"training.learning_rate": {"values": [1e-5, 1e-2]}}
    result = search("iris", 2, sampler="grid", overrides=settings)
    assert result.trials == {"finished": 2}
    assert result.settings == {"training.learning_rate": 1e-2}
    assert said in result.choice


def test_a_trial_that_diverges_is_a_bad_one_and_the_search_goes_on(client):
    space = {"training.learning_rate": {"values": [1e-2, 1e30]}}
    overrides = {"training.epochs": 2, "search": space, "split.validation": 0.4}
    result = search("diabetes", 5, sampler="grid", overrides=overrides)
    assert result.trials == {"finished": 2}, "a grid ends when all of it was tried"
    assert result.settings == {"training.learning_rate": 1e-2}
    verdicts = [
        run.data.tags["learning_curve"] for run in trials_of(client, result.run_id).values()
    ]
    assert "diverged" in verdicts
    assert "the declared settings were not among the trials" in result.choice


@pytest.mark.services
def test_the_same_seed_tries_the_same_with_one_worker_or_two(found, client):
    other = search("iris", trials=9, workers=2, overrides=QUICK)
    assert tried(client, other.run_id) == tried(client, found.run_id)
    assert other.settings == found.settings


@pytest.mark.services
def test_the_test_rows_decide_nothing(found, client, tmp_path):
    """Their measurements are all made nonsense: same trials."""
    use_case = override(find_use_case("iris"), ONE_FOLD)  # as its rows are split here
    rows = prepared(use_case).parts.test.index
    names = [column.name for column in use_case.features]
    spoiled = use_case.source()
    spoiled.loc[rows, names] = 19.0
    pd.DataFrame(spoiled).to_csv(tmp_path / "spoiled.csv", index=False)
    overrides = {**QUICK, "source.uri": str(tmp_path / "spoiled.csv")}
    other = search("iris", trials=4, overrides=overrides)
    assert tried(client, other.run_id) == tried(client, found.run_id)[:4]
    assert other.trained.metrics["log_loss"] > found.trained.metrics["log_loss"]
