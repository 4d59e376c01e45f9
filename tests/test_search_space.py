"""What a search may try is declared, and refused by name where it makes no sense."""

import numpy as np
import pytest

from modelling.declaration.overrides import override, parse_overrides
from modelling.declaration.search_space import Choice, Uniform, refuse_search
from modelling.refusals import UsageError
from modelling.training.pruning import MINIMUM_TRIALS, WARM_UP_EPOCHS, Pruning, median_thresholds
from use_cases import find_use_case, use_case_names


@pytest.mark.parametrize("name", use_case_names())
def test_every_use_case_has_a_space_whose_every_corner_it_accepts(name):
    use_case = find_use_case(name)
    for end in (0, -1):
        settings = {key: one.grid_values()[end] for key, one in use_case.search.items()}
        changed = override(use_case, settings)
        assert changed.training.learning_rate == settings["training.learning_rate"]


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ('{"training.lerning_rate": {"low": 1, "high": 2}}', "mean 'training.learning_rate'"),
        ('{"preprocessing.clip": {"low": 1, "high": 2}}', "'preprocessing.clip' can't be searched"),
        ('{"training.seed": {"values": [1, 2]}}', "'training.seed' can't be searched"),
        ('{"network.dropout": {"values": [0.1, 1.5]}}', "network.dropout: .* less than 1, not 1.5"),
        ('{"network.dropout": {"low": 0.4, "high": 0.1}}', "low 0.4 must be lower than high 0.1"),
        ('{"network.l2": {"low": 0, "high": 0.1, "log": true}}', "starts above 0"),
        (
            '{"training.early_stopping_patience": {"low": 0.5, "high": 9, "log": 1, "whole": 1}}',
            "starts above 0.5",
        ),
        ('{"network.dropout": {"values": []}}', "at least 1"),
        ("{}", "at least one setting"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(space, said):
    with pytest.raises(UsageError, match=said):
        override(find_use_case("credit_scoring"), parse_overrides([f"search={space}"]))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((0, 1, "tpe", None, None), "--trials 0"),
        ((5, 0, "tpe", None, None), "--workers 0"),
        ((5, 1, "tpee", None, None), "--sampler tpee: unknown; did you mean 'tpe'"),
        ((5, 1, "tpe", "local", "gpu"), "--dask local and --pool gpu: set one of them"),
    ],
)
def test_a_search_that_can_not_be_run_is_refused_in_one_line(asked, said):
    with pytest.raises(UsageError, match=said) as refused:
        refuse_search(*asked)
    assert "\n" not in str(refused.value)


def test_the_command_line_refuses_without_a_traceback(finflows):
    done = finflows("search", "iris", "--trials", 0)
    assert done.returncode == 2
    assert done.stderr == "finflows: --trials 0: a search needs at least one trial\n"


@pytest.mark.parametrize("devices", ["multi_worker", "hosts"])
def test_one_model_over_several_machines_is_refused_with_the_reason(devices):
    with pytest.raises(UsageError, match=r"keras issue 20585.*finflows search"):
        override(find_use_case("credit_scoring"), {"training.devices": devices})


def test_a_grid_takes_the_ends_and_the_middle_of_a_range():
    assert Uniform(low=1e-4, high=1e-2, log=True).grid_values() == pytest.approx((1e-4, 1e-3, 1e-2))
    assert Uniform(low=1, high=2, whole=True).grid_values() == (1, 2)
    assert Choice(values=((8,), (8, 4))).grid_values() == ((8,), (8, 4))


def test_the_bar_is_optunas_median():
    """Beside MedianPruner on the same random curves, epoch by epoch."""
    import optuna

    rng = np.random.default_rng(0)
    curves = rng.random((9, 12)).cumsum(axis=1)[:, ::-1]
    pruner = optuna.pruners.MedianPruner(MINIMUM_TRIALS, n_warmup_steps=WARM_UP_EPOCHS)
    study = optuna.create_study(pruner=pruner)
    for curve in curves[:7]:
        values = dict(enumerate(map(float, curve)))
        study.add_trial(optuna.trial.create_trial(value=values[11], intermediate_values=values))
    for curve in curves[7:]:
        pruning, trial = Pruning(median_thresholds(curves[:7].tolist())), study.ask()
        ours, theirs = [], []
        for epoch, loss in enumerate(curve.tolist()):
            trial.report(loss, epoch)
            theirs.append(trial.should_prune())
            ours.append(pruning(epoch, {"val_loss": loss}))
        assert any(ours)
        assert ours.index(True) == theirs.index(True)


def test_a_bar_of_few_trials_prunes_nothing_and_one_that_diverged_counts_as_bad():
    assert median_thresholds([[1.0, 2.0]] * (MINIMUM_TRIALS - 1)) == ()
    assert median_thresholds([[1.0], [2.0], [3.0], [float("nan")]]) == (2.5,)
    pruning = Pruning((0.5,) * 10)
    assert not any(pruning(epoch, {"val_loss": 9.0}) for epoch in range(WARM_UP_EPOCHS))
    assert pruning(WARM_UP_EPOCHS, {"val_loss": float("nan")})
