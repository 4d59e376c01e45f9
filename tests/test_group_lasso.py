"""Each unit of the first layer keeps the columns that it gains from."""

import keras
import numpy as np
import pandas as pd
import pytest
from small_models import sample

from modelling.declaration import Network, Training, category, number
from modelling.features.feature_columns import feature_columns
from modelling.features.preprocessing import Examples, fit_transformer
from modelling.refusals import UsageError
from modelling.training.checkpoints import Checkpoints
from modelling.training.group_lasso import (
    ENOUGH_ROWS_PER_FEATURE,
    FIRST_KERNEL,
    GroupLassoAdamW,
    group_lassos_of,
    shrinkage,
    strengths_to_try,
    usual_standard_errors,
)
from modelling.training.network import build_network
from modelling.training.optimizers import build_optimizer
from modelling.training.training_loop import train_network

UNDECLARED = Network(hidden_units=(16,), dropout=0.0)
LASSO = Network(hidden_units=(16,), dropout=0.0, group_lasso=1.4)
NONE = Network(hidden_units=(16,), dropout=0.0, group_lasso=0)
COLUMNS = np.repeat(np.arange(8), 4)  # eight columns of four labels


def declared(network, **training):
    return sample(
        network=network,
        training=Training(**{"members": 2, "epochs": 20, "learning_rate": 0.01, **training}),
    )


def labels(rows, seed):
    """The target depends on whether two of eight columns agree, and on nothing else."""
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 4, (rows, 8))
    likely = np.where((codes[:, 0] < 2) == (codes[:, 1] < 2), 0.8, 0.2)
    target = (generator.random(rows) < likely).astype(np.int64)
    return Examples(np.eye(4, dtype=np.float32)[codes].reshape(rows, 32), target)


def test_only_the_columns_that_interact_keep_weights():
    train, validation = labels(2000, 1), labels(2000, 2)
    use_case = declared(LASSO)
    network = build_network(use_case, 32, train.target)
    history = train_network(network, train, validation, use_case, columns=COLUMNS)
    assert history.group_lasso == 1.4
    assert not history.group_lasso_at_limit
    kernel = network.get_layer("hidden_1").kernel.numpy()  # (members, f, units)
    norms = np.sqrt((kernel**2).reshape(2, 8, 4, 16).sum(axis=2))
    weight = (norms**2).mean(axis=(0, 2))
    assert weight[:2].min() > 5 * weight[2:].max()
    assert (norms[:, 2:] == 0).mean() > 0.1


def test_no_epochs_are_added_to_a_lasso_that_was_to_end_with_them(tmp_path):
    train = labels(200, 1)

    def go_on(epochs):
        use_case = declared(LASSO, epochs=epochs, schedule="constant", members=1)
        built = build_network(use_case, 32, train.target)
        train_network(built, train, train, use_case, (), Checkpoints(tmp_path), COLUMNS)

    go_on(1)
    with pytest.raises(UsageError, match=r"training.epochs=1, and now it is 2"):
        go_on(2)


@pytest.mark.parametrize(
    ("network", "optimizer", "epochs"),
    [(LASSO, "adamw", 12), (NONE, "adamw", 3), (LASSO, "rmsprop", 3)],
)
def test_a_training_never_ends_while_the_lasso_holds_columns_back(network, optimizer, epochs):
    """An optimizer that has no lasso holds nothing back."""
    train, noise = labels(200, 1), labels(200, 2)
    noise = Examples(noise.features, 1 - noise.target)  # the opposite: no epoch is a better one
    use_case = declared(network, epochs=12, early_stopping_patience=2, optimizer=optimizer)
    built = build_network(use_case, 32, train.target)
    history = train_network(built, train, noise, use_case, columns=COLUMNS)
    assert history.best_epoch == 0
    assert len(history.metrics["loss"]) == epochs
    assert (history.group_lasso is not None) == (epochs == 12)
    assert history.group_lasso_at_limit == (epochs == 12)  # of 200 rows, a batch is most


@pytest.mark.parametrize("members", [1, 2])
def test_the_first_kernel_is_that_of_the_first_layer_also_beside_a_skip(members):
    skip = LASSO.model_copy(update={"linear_skip": True})
    use_case = declared(LASSO, members=members)
    use_case = use_case.model_copy(update={"problem": "regression", "network": skip})
    network = build_network(use_case, 32, np.zeros(9))
    assert network.trainable_variables[FIRST_KERNEL] is network.get_layer("hidden_1").kernel


@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3)])
def test_a_group_shrinks_by_its_norm_and_not_beyond_zero(shape):
    columns = np.array([0, 0, 1, 2, 2])
    kernel = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    optimizer = GroupLassoAdamW(columns, np.array([0.5, 0.1, 99.0]), steps=1)
    shrunk = optimizer.shrunk(kernel, 1.0).numpy()
    norms = np.linalg.norm(kernel[..., :2, :], axis=-2, keepdims=True)
    expected = kernel[..., :2, :] * np.maximum(1 - 0.5 / norms, 0)
    np.testing.assert_allclose(shrunk[..., :2, :], expected, rtol=1e-5, atol=1e-7)
    assert not shrunk[..., 3:, :].any()


def test_the_last_step_shrinks_nothing_and_each_one_before_less_than_the_first():
    kernel = keras.Variable(np.ones((2, 3), dtype=np.float32))
    optimizer = GroupLassoAdamW(np.array([0, 0]), np.array([1.0]), steps=3, learning_rate=0.1)
    optimizer.weight_decay = 0.0
    norms = [2**0.5]
    for _ in range(4):
        optimizer.apply([np.zeros((2, 3), dtype=np.float32)], [kernel])
        norms.append(np.linalg.norm(kernel.numpy()[:, 0]))
    np.testing.assert_allclose(-np.diff(norms), 0.1 * np.cos(np.pi / 6 * np.arange(4)), atol=1e-6)


def test_noise_is_that_of_the_rows_and_grows_with_the_features_of_a_column():
    of_group = shrinkage(np.array([3, 3, 3, 3, 7]), 1.2, rows=10_000, batch_size=100)
    np.testing.assert_allclose(of_group, [0.24, 0.12], rtol=1e-6)
    assert shrinkage(np.array([0]), 1.2, rows=10, batch_size=100) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("network", "settings", "shrinks"),
    [
        (LASSO, {}, True),
        (LASSO, {"optimizer": "adam"}, True),
        (LASSO, {"optimizer": "sgd"}, False),
        (NONE, {}, False),
        (Network(hidden_units=()), {}, False),
    ],
)
def test_linear_models_and_other_optimizers_are_trained_as_declared(network, settings, shrinks):
    use_case = declared(network, **settings)
    lasso = next(iter(group_lassos_of(use_case, COLUMNS, rows=2000)), None)
    optimizer = build_optimizer(use_case.training, 10, lasso)
    assert isinstance(optimizer, GroupLassoAdamW) == shrinks
    assert group_lassos_of(use_case, None, rows=2000) == []  # columns that nobody knows


def test_where_it_is_not_declared_it_falls_to_none_as_rows_grow_without_a_jump():
    enough = ENOUGH_ROWS_PER_FEATURE * 10
    strengths = [usual_standard_errors("binary", rows, 10) for rows in range(10, 2 * enough, 10)]
    assert np.diff(strengths).max() <= 0
    assert np.diff(np.square(strengths)).min() > -0.01
    assert strengths[0] == pytest.approx(1.5, abs=0.01)
    assert usual_standard_errors("multiclass", enough, 10) == 0
    assert usual_standard_errors("regression", 10, 10) == 0


def test_an_undeclared_lasso_is_a_choice_among_few_and_enough_rows_have_none():
    rows, enough = 100 * len(COLUMNS), ENOUGH_ROWS_PER_FEATURE * len(COLUMNS)
    usual = usual_standard_errors("binary", rows, len(COLUMNS))
    assert strengths_to_try("binary", rows, len(COLUMNS)) == [usual, 0.5]
    assert strengths_to_try("regression", rows, len(COLUMNS)) == [0.0, 0.5, usual]
    tried = group_lassos_of(declared(UNDECLARED), COLUMNS, rows)
    alone = LASSO.model_copy(update={"group_lasso": 0.5})
    [same] = group_lassos_of(declared(alone), COLUMNS, rows)
    np.testing.assert_array_equal(tried[1].shrinkage, same.shrinkage)
    assert group_lassos_of(declared(UNDECLARED), COLUMNS, enough) == []
    assert group_lassos_of(declared(alone), COLUMNS, enough)


def test_features_know_the_column_that_they_are_made_of():
    table = pd.DataFrame(
        {"age": [np.nan, *range(99)] * 2, "job": ["a", "b"] * 100, "y": [0, 1] * 100}
    )
    use_case = declared(NONE).model_copy(
        update={
            "columns": (number("age", special_codes=(7,)), category("job")),
            "minimum_rows_per_value": 1,
        }
    )
    transformer = fit_transformer(table, use_case)
    names = np.array(transformer.feature_names)
    columns = feature_columns(transformer.state)
    assert len(columns) == len(names)
    assert {name.split("=")[0] for name in names[columns == 1]} == {"job"}
    assert all(name.startswith("age") for name in names[columns == 0])
