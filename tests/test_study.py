"""The study of a search: which trial had the declared settings, and with what it may go on."""

import json
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

from modelling.declaration.overrides import override
from modelling.refusals import UsageError
from tasks.search.choice import choose_trial, keep_losses
from tasks.search.folds import Fold
from tasks.search.study import Outcome, Thresholds, open_study, store_outcome
from tasks.tracking.record import TrackedRun
from use_cases import find_use_case

pytestmark = pytest.mark.usefixtures("store")
RATES = {"training.learning_rate": {"values": [1e-4, 1e-3, 2e-3, 3e-3, 1e-2]}}


@pytest.fixture
def run(client):
    return TrackedRun(client, uuid4().hex, "0", "")


def opened(run, space, sampler="tpe", folds=1, **settings):
    use_case = override(find_use_case("credit_scoring"), {"search": space, **settings})
    return open_study(run, use_case, 8, sampler, seed=1, slots=1, folds=folds)


def end(study, number, val_loss=0.2, means=()):
    outcome = Outcome("finished", val_loss, [val_loss] * 10, "healthy", 1.0, "", [*means])
    store_outcome(study.ask(number), outcome)
    study.tell(number, outcome)


@pytest.mark.parametrize(
    ("name", "declared", "dimension", "first"),
    [
        ("network.dropout", 0.0, {"values": [0.3, 0, 0.1]}, 0),
        ("training.learning_rate", 1.0, {"values": [0.1, 1]}, 1),
        ("network.hidden_units", [8], {"values": [[], [8]]}, [8]),
        ("network.group_lasso", None, {"values": [None, 1.5]}, None),
        ("training.epochs", 20, {"low": 10, "high": 30, "whole": True}, 20),
    ],
)
def test_the_declared_settings_are_tried_first_however_the_space_writes_them(
    run, name, declared, dimension, first
):
    study = opened(run, {name: dimension}, **{name: declared})
    assert study.declared() is None
    end(study, 0)
    assert study.settings(0) == {name: first}
    assert study.declared() == 0


def test_a_setting_that_is_not_declared_is_in_no_range(run):
    study = opened(run, {"network.group_lasso": {"low": 0.5, "high": 2}})
    end(study, 0)
    assert study.declared() is None


def test_the_declared_settings_are_never_pruned(client):
    space = {"training.learning_rate": {"values": [rate / 1e4 for rate in range(1, 9)]}}

    def last_of_grid(**settings):
        study = opened(TrackedRun(client, uuid4().hex, "0", ""), space, "grid", **settings)
        for number in range(7):
            end(study, number)
        study.ask(7)
        return study

    study = last_of_grid()
    assert study.thresholds(7).by_epoch
    assert last_of_grid(**study.settings(7)).thresholds(7) == ((), ())


@pytest.mark.parametrize(
    ("space", "settings", "said"),
    [
        (
            {"training.learning_rate": {"values": [1e-3]}},
            {},
            r"declaration of search.training.learning",
        ),
        ({**RATES, "network.l2": {"low": 0, "high": 1}}, {}, r"declaration of search.network.l2,"),
        (RATES, {"training.epochs": 3}, r"declaration of training.epochs"),
        (RATES, {"preprocessing.clip": None}, r"declaration of preprocessing.clip"),
    ],
)
def test_a_search_does_not_go_on_with_other_settings(run, space, settings, said):
    end(opened(run, RATES), 0)
    with pytest.raises(UsageError, match=said):
        opened(run, space, **settings)
    kept = {"training.checkpoint_every_epochs": 5, "title": "Another one", "gate": None}
    assert opened(run, RATES, **kept).declared() == 0


def test_the_same_settings_are_not_tried_twice(run):
    """TPE would ask again and again for the best of so few."""
    study = opened(run, {**RATES, "training.epochs": {"low": 10, "high": 12, "whole": True}})
    study = replace(study, trials=15)
    for number in range(15):
        end(study, number, val_loss=0.2 if number else 0.1)
    tried = [json.dumps(study.settings(number)) for number in range(15)]
    assert len(set(tried)) == 15


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_a_search_ends_when_everything_was_tried(run, sampler):
    assert opened(run, RATES, sampler).trials == 5


def test_a_trial_ends_early_by_the_mean_of_its_first_folds(run):
    study = opened(run, {"training.learning_rate": {"low": 1e-4, "high": 1e-2}}, folds=3)
    for number in range(7):
        end(study, number, means=[number / 10, 0.3, 0.2])
    study.ask(7)
    thresholds = study.thresholds(7)
    assert thresholds.by_epoch == ()
    assert thresholds.by_fold == pytest.approx((0.15, 0.3, 0.2)), "of the four long before it"
    assert thresholds.end([0.1, 0.31])
    assert not thresholds.end([0.9, 0.29])
    assert not thresholds.end([0.9]), "one fold says too little"
    assert not thresholds.end([0.9, 0.1, 0.9]), "it is finished"
    assert not Thresholds().end([0.9, 0.9])


def test_an_interrupted_search_keeps_the_folds_that_it_began_with(run):
    assert opened(run, RATES, folds=4).folds == 4
    assert opened(run, RATES, folds=3).folds == 4


@pytest.mark.parametrize(("better_by", "chosen"), [(0.03, 0), (0.07, 1)])
def test_the_declared_settings_are_kept_unless_another_is_better_by_a_standard_error(
    client, better_by, chosen
):
    run = TrackedRun(client, client.create_run("0").info.run_id, "0", "")
    study = opened(run, RATES)
    noise = np.random.default_rng(1).normal(size=400)  # a standard error of 0.05
    declared = 2 + noise - noise.mean() + better_by
    for number, losses in enumerate((declared, np.full(400, 2.0))):
        end(study, number, val_loss=losses.mean())
        keep_losses(run, number, losses)
    rows = Fold(None, pd.DataFrame(index=range(400)))
    assert choose_trial(study, run, [rows]).number == chosen
    said = "is better than" if chosen == 0 else "trial 1, better than the declared settings by"
    assert said in client.get_run(run.run_id).data.tags["search_choice"]


def test_settings_that_are_worse_in_the_first_fold_are_not_the_best(run):
    """The final training is that of the first fold once more: an unlucky one stays unlucky."""
    study = opened(run, RATES, folds=2)
    for number, means in enumerate(([0.5, 0.5], [0.6, 0.3], [0.4, 0.45])):
        end(study, number, val_loss=means[-1], means=means)
    assert study.best() == 2
