"""The validation rows choose among a few group lassos, before the training begins."""

import numpy as np
import pytest
from small_models import sample

from modelling.declaration import Network, Training
from modelling.features.preprocessing import Examples
from modelling.training.finished_network import weights_hash
from modelling.training.group_lasso import GroupLasso
from modelling.training.lasso_choice import preferred_lasso, short_training
from modelling.training.network import build_network
from modelling.training.training_loop import train_network

COLUMNS = np.repeat(np.arange(30), 4)  # thirty columns of four labels
LASSOS = [GroupLasso(strength, COLUMNS, COLUMNS, False) for strength in (1.5, 0.5, 0.0)]


def declared(problem, group_lasso=None, **training):
    return sample(
        problem=problem,
        network=Network(hidden_units=(16,), dropout=0.1, group_lasso=group_lasso),
        training=Training(**{"members": 2, "epochs": 12, "batch_size": 64, **training}),
    )


def labels(problem, seed, rows=600):
    """The target depends on the first two of thirty columns, and much of it on chance."""
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 4, (rows, 30))
    mean = 1.5 * ((codes[:, 0] < 2) == (codes[:, 1] < 2)) - 0.75
    target = (mean + generator.normal(size=rows)).astype(np.float32)
    if problem == "binary":
        target = (target > 0).astype(np.int64)
    return Examples(np.eye(4, dtype=np.float32)[codes].reshape(rows, 120), target)


def trained(use_case):
    train, validation = labels(use_case.problem, 1), labels(use_case.problem, 2)
    network = build_network(use_case, 120, train.target)
    epochs = []
    listener = [lambda epoch, _metrics: epochs.append(epoch)]
    history = train_network(network, train, validation, use_case, listener, columns=COLUMNS)
    assert epochs == list(range(len(history.metrics["loss"])))  # of short trainings none is told
    return history, weights_hash(network)


@pytest.mark.parametrize("settings", [{}, {"schedule": "constant"}])
def test_a_regression_with_columns_of_noise_gets_a_lasso_and_trains_as_if_it_were_declared(
    settings,
):
    chosen, weights = trained(declared("regression", **settings))
    assert (chosen.group_lasso or 0) > 1
    as_declared, same = trained(declared("regression", chosen.group_lasso, **settings))
    assert same == weights
    assert as_declared.metrics == chosen.metrics
    without, _ = trained(declared("regression", 0, **settings))
    assert chosen.best_val_loss < without.best_val_loss


def test_classes_with_columns_of_noise_keep_the_usual_lasso():
    history, _ = trained(declared("binary"))
    assert (history.group_lasso or 0) > 1


def chosen_by(losses):
    by_strength = {lasso.standard_errors: rows for lasso, rows in zip(LASSOS, losses, strict=True)}
    return preferred_lasso(LASSOS, lambda lasso: by_strength[lasso.standard_errors])


def test_another_lasso_is_chosen_only_for_what_is_beyond_noise():
    noise = np.random.default_rng(0).normal(size=(3, 1000))
    usual = noise[0] ** 2
    assert chosen_by([usual, usual, usual]) is LASSOS[0]
    assert chosen_by([usual, usual + 0.1 * noise[1], usual + 1]) is LASSOS[0]
    better = usual - 0.1 + noise[1]
    assert chosen_by([usual, better, usual]) is LASSOS[1]
    assert chosen_by([usual, better, better - 0.1]) is LASSOS[2]


def test_a_lasso_with_which_training_diverges_is_not_chosen():
    usual, diverged = np.ones(9), np.full(9, np.nan)
    assert chosen_by([usual, diverged, usual]) is LASSOS[0]
    assert chosen_by([usual, diverged, usual / 2]) is LASSOS[2]
    assert chosen_by([diverged, usual, usual]) is LASSOS[0]


def test_one_lasso_or_none_is_no_choice():
    assert preferred_lasso([], losses_after=lambda _: pytest.fail("trained")) is None
    assert preferred_lasso(LASSOS[:1], lambda _: pytest.fail("trained")) is LASSOS[0]


def test_short_trainings_are_short_also_before_very_long_ones():
    assert [short_training(epochs) for epochs in (1, 40, 120, 100_000)] == [1, 20, 60, 60]
