"""One compiled program for many batches: the same mathematics as ``model.fit``, batch by batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression
from small_models import sample

from modelling.declaration import Network, Training
from modelling.features.preprocessing import Examples
from modelling.features.shared_memory import shared_empty
from modelling.training import compiled_training
from modelling.training.compiled_training import CompiledModel, Rows, tensor_of
from modelling.training.epoch_callbacks import declared_callbacks
from modelling.training.finished_network import dead_unit_share, weights_hash, with_stock_layers
from modelling.training.layers.dropout import CounterDropout
from modelling.training.network import build_network
from modelling.training.optimizers import build_optimizer
from modelling.training.training_loop import (
    LOSSES,
    loss_of_constant,
    row_weights,
    train_network,
)

DATA = {"binary": load_breast_cancer, "multiclass": load_wine, "regression": load_diabetes}
CLASSES = {"binary": (0, 1), "multiclass": (0, 1, 2), "regression": ()}


def declared(problem, network=None, **training):
    return sample(
        problem=problem,
        classes=CLASSES[problem],
        network=network or Network(hidden_units=(16, 8), dropout=0.0),
        training=Training(
            **{
                "members": 1,
                "epochs": 4,
                "batch_size": 32,
                "early_stopping_patience": 0,
                **training,
            }
        ),
    )


def examples(problem):
    """Standardised real data; neither part is a multiple of the batch size."""
    features, target = DATA[problem](return_X_y=True)
    features = ((features - features.mean(0)) / features.std(0)).astype(np.float32)
    if problem == "regression":
        target = ((target - target.mean()) / target.std()).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(target))
    cut = int(len(target) * 0.75)
    return tuple(Examples(features[part], target[part]) for part in (order[:cut], order[cut:]))


def batch_by_batch(train, weights, training):
    """The batches that our training uses, one at a time, for Keras's plain ``fit``."""
    arrays = [train.features, train.target] + ([] if weights is None else [weights])
    for epoch in range(training.epochs):
        order = np.random.default_rng([training.seed, epoch]).permutation(len(train.target))
        for first in range(0, len(order), training.batch_size):
            rows = order[first : first + training.batch_size]
            yield tuple(array[rows] for array in arrays)


class DropoutStream(keras.callbacks.Callback):
    def __init__(self, seed):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch, _logs=None):
        dropouts = [layer for layer in self.model.layers if isinstance(layer, CounterDropout)]
        for position, layer in enumerate(dropouts):
            layer.set_stream(self.seed, epoch, position)


def plain_fit(use_case, train, validation):
    """Textbook ``compile`` and ``fit`` of the same network over the same batches."""
    training = use_case.training
    network = build_network(use_case, train.features.shape[1], train.target)
    steps = -(-len(train.target) // training.batch_size)
    network.compile(build_optimizer(training, steps), LOSSES[use_case.problem], jit_compile=False)
    weights = row_weights(train.target, training)
    history = network.fit(
        batch_by_batch(train, weights, training),
        steps_per_epoch=steps,
        epochs=training.epochs,
        verbose=0,
        validation_data=(validation.features, validation.target),
        validation_batch_size=100_000,
        callbacks=[DropoutStream(training.seed), *declared_callbacks(training, lasso_fades=False)],
    ).history
    return network, history


SETTINGS = [
    {"problem": "binary"},
    {"problem": "regression", "optimizer": "sgd", "schedule": "constant", "learning_rate": 0.01},
    {
        "problem": "multiclass",
        "optimizer": "rmsprop",
        "schedule": "reduce_on_plateau",
        "learning_rate": 0.03,
        "epochs": 12,
    },
    {"problem": "multiclass", "network": Network(hidden_units=(16, 8), dropout=0.3)},
    {
        "problem": "regression",
        "network": Network(hidden_units=(8,), batch_normalisation=True, l2=0.01, dropout=0.0),
    },
    {"problem": "binary", "network": Network(hidden_units=()), "optimizer": "adam"},
    {"problem": "binary", "class_weights": "balanced", "batch_size": 256, "epochs": 12},
    {
        "problem": "regression",
        "batch_size": 300,
        "epochs": 12,
        "network": Network(hidden_units=(16, 8), dropout=0.3, activation="tanh"),
    },
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: " ".join(map(str, one.values())))
def test_losses_and_weights_are_those_of_plain_fit(setting):
    use_case = declared(**setting)
    train, validation = examples(use_case.problem)
    network = build_network(use_case, train.features.shape[1], train.target)
    ours = train_network(network, train, validation, use_case)
    theirs, history = plain_fit(use_case, train, validation)
    penalised = use_case.network.l2 > 0  # Keras adds the penalty to the validation loss as well
    for name in ["loss"] if penalised else ["loss", "val_loss"]:
        np.testing.assert_allclose(ours.metrics[name], history[name], rtol=1e-4, err_msg=name)
    for one, other in zip(network.get_weights(), theirs.get_weights(), strict=True):
        assert np.linalg.norm(one - other) <= 1e-4 * np.linalg.norm(other)
    if use_case.training.schedule == "reduce_on_plateau":
        assert min(ours.metrics["learning_rate"]) < use_case.training.learning_rate


def test_rows_in_chunks_of_any_size_give_the_same_result(monkeypatch):
    """Those that a device holds, and those that are streamed to it."""
    use_case = declared("binary")
    train, _ = examples("binary")
    losses = {}
    for chunk, budget in ((1 << 26, None), (9000, None), (1 << 26, 60_000), (1 << 26, 1)):
        monkeypatch.setattr(compiled_training, "CHUNK_BYTES", chunk)
        network = build_network(use_case, train.features.shape[1], train.target)
        model = CompiledModel(network.inputs, network.outputs)
        model.compile("adam", "binary_crossentropy", jit_compile=False)
        rows = Rows(
            train.features,
            train.target,
            None,
            32,
            lambda epoch: np.random.default_rng([1, epoch]).permutation(len(train.target)),
            device_budget_bytes=budget,
        )
        start = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, _, rows=rows: rows.start_epoch(epoch)
        )
        history = model.fit_rows(rows, epochs=3, verbose=0, callbacks=[start])
        losses[rows.chunks] = history.history["loss"]
        assert rows.fits_on_device is (budget is None)
    assert len(losses) == 4, "each pair must give another number of chunks"
    first = losses.pop(1)
    for chunked in losses.values():
        np.testing.assert_allclose(chunked, first, rtol=1e-6)


def test_a_tensor_is_over_the_memory_of_its_array_where_tensorflow_can_compute_on_it():
    array = shared_empty((1000, 3), np.float32)
    array[:] = 1.0
    unaligned, unwritable = array.ravel()[1:], array[:]
    unwritable.flags.writeable = False
    same = tensor_of(array)
    copies = [tensor_of(other) for other in (unaligned, unwritable, array.T)]
    array[:] = 2.0
    assert float(tf.reduce_max(same)) == 2.0
    assert [float(tf.reduce_max(copy)) for copy in copies] == [1.0, 1.0, 1.0]


@keras.saving.register_keras_serializable()
class OnTheHost(keras.layers.Layer):
    """Calls back into Python, which XLA can't compile."""

    def call(self, inputs):
        outputs = tf.numpy_function(lambda values: values * 1, [inputs], inputs.dtype)
        outputs.set_shape(inputs.shape)
        return tf.stop_gradient(outputs) - tf.stop_gradient(inputs) + inputs


def test_a_training_step_is_traced_once_for_each_program(monkeypatch):
    traced = []
    step = CompiledModel.train_step
    monkeypatch.setattr(
        CompiledModel, "train_step", lambda model, batch: traced.append(1) or step(model, batch)
    )
    train, validation = examples("multiclass")
    use_case = declared("multiclass", class_weights="balanced")
    network = build_network(use_case, train.features.shape[1], train.target)
    train_network(network, train, validation, use_case)
    assert len(train.features) % use_case.training.batch_size
    assert len(traced) == 2, "that of whole batches, and that of the last, smaller one"


def test_what_can_not_be_compiled_trains_as_in_keras_and_says_why():
    use_case = declared("binary", Network(hidden_units=(8,), dropout=0.0))
    train, validation = examples("binary")
    plain = build_network(use_case, train.features.shape[1], train.target)
    compiled = train_network(plain, train, validation, use_case)
    assert compiled.not_compiled is None
    same = build_network(use_case, train.features.shape[1], train.target)
    stubborn = keras.Model(same.inputs, same.layers[-1](OnTheHost()(same.layers[-2].output)))
    history = train_network(stubborn, train, validation, use_case)
    assert history.not_compiled
    np.testing.assert_allclose(history.metrics["loss"], compiled.metrics["loss"], rtol=1e-4)


def test_dropout_trains_as_keras_own_does():
    """Other random numbers, the same statistics: the losses of 32 members agree within noise."""
    train, validation = examples("binary")
    use_case = declared("binary", Network(hidden_units=(16,), dropout=0.5), members=32, epochs=10)

    def losses_of_members(stock):
        network = build_network(use_case, train.features.shape[1], train.target)
        network = with_stock_layers(network) if stock else network
        train_network(network, train, validation, use_case)
        members = keras.Model(network.inputs, network.layers[-1].input)
        outputs = np.asarray(members(validation.features))[:, :, 0]  # (n, members)
        happened = validation.target[:, None] == 1
        return -np.log(np.where(happened, outputs, 1 - outputs)).mean(axis=0)

    difference = losses_of_members(stock=False) - losses_of_members(stock=True)
    assert difference.std() > 0
    assert abs(difference.mean()) < 3 * difference.std(ddof=1) / np.sqrt(len(difference))


@pytest.mark.parametrize(
    "precision", ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.services)]
)
def test_mixed_precision_learns_as_well_and_is_saved_in_float32(precision, tmp_path):
    train, validation = examples("binary")
    losses = {}
    for one in ("float32", precision):
        use_case = declared("binary", epochs=15, precision=one)
        network = build_network(use_case, train.features.shape[1], train.target)
        losses[one] = train_network(network, train, validation, use_case).best_val_loss
    assert losses[precision] == pytest.approx(losses["float32"], rel=0.15)
    assert network.layers[1].compute_dtype == precision.removeprefix("mixed_")
    saved = with_stock_layers(network)
    assert {layer.compute_dtype for layer in saved.layers} == {"float32"}


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    train, validation = examples("multiclass")

    def trained(seed):
        use_case = declared("multiclass", Network(hidden_units=(16,), dropout=0.2), seed=seed)
        network = build_network(use_case, train.features.shape[1], train.target)
        history = train_network(network, train, validation, use_case)
        return weights_hash(network), history.metrics

    first = trained(1)
    assert trained(1) == first
    assert trained(2)[0] != first[0]


def test_a_linear_model_is_logistic_regression():
    train, validation = examples("binary")
    use_case = declared(
        "binary",
        Network(hidden_units=(), dropout=0.0),
        epochs=300,
        learning_rate=0.05,
        optimizer="adam",
    )
    use_case = use_case.model_copy(update={"network": Network(hidden_units=(), dropout=0.0)})
    network = build_network(use_case, train.features.shape[1], train.target)
    train_network(network, train, validation, use_case)
    theirs = LogisticRegression(C=np.inf, max_iter=5000).fit(train.features, train.target)
    probabilities = network.predict(train.features, verbose=0)[:, 0]
    loss = -np.mean(np.log(np.where(train.target, probabilities, 1 - probabilities)))
    best = theirs.predict_proba(train.features)[np.arange(len(train.target)), train.target]
    assert loss <= -np.mean(np.log(best)) + 0.03


def test_a_network_can_learn_twenty_rows_by_heart():
    train, validation = examples("multiclass")
    few = Examples(train.features[:20], train.target[:20])
    use_case = declared(
        "multiclass", Network(hidden_units=(64,), dropout=0.0), epochs=200, learning_rate=0.01
    )
    network = build_network(use_case, few.features.shape[1], few.target)
    history = train_network(network, few, validation, use_case)
    assert history.metrics["loss"][-1] < 0.01


def test_early_stopping_keeps_the_weights_of_the_best_epoch():
    train, validation = examples("regression")
    use_case = declared(
        "regression",
        Network(hidden_units=(128,), dropout=0.0),
        epochs=200,
        learning_rate=0.01,
        early_stopping_patience=5,
    )
    network = build_network(use_case, train.features.shape[1], train.target)
    history = train_network(network, train, validation, use_case)
    assert len(history.metrics["loss"]) == history.best_epoch + 1 + 5
    predicted = network.predict(validation.features, verbose=0)[:, 0]
    loss = np.mean((predicted - validation.target) ** 2)
    assert loss == pytest.approx(history.best_val_loss, rel=1e-5)


def test_the_validation_loss_is_that_of_the_rows_whatever_the_penalty():
    train, validation = examples("regression")
    use_case = declared("regression", Network(hidden_units=(8,), l2=0.1, dropout=0.0))
    network = build_network(use_case, train.features.shape[1], train.target)
    renamed = "Keras has no Model._compile_loss any more: mend EnsembleModel.compute_loss"
    assert hasattr(network, "_compile_loss"), renamed
    history = train_network(network, train, validation, use_case)
    predicted = network.predict(validation.features, verbose=0)[:, 0]
    error = np.mean((predicted - validation.target) ** 2)
    assert history.metrics["val_loss"][-1] == pytest.approx(error, rel=1e-5)
    assert history.metrics["loss"][-1] > 1.2 * error


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_the_constant_answer_is_the_best_that_knows_no_column(weights):
    """The share of the positives, as they are weighted in training."""
    target = np.repeat([0, 1], [90, 10])
    use_case = declared("binary", class_weights=weights)
    answer = 0.1 if weights == "none" else 0.5
    expected = -np.mean(np.where(target, np.log(answer), np.log(1 - answer)))
    assert loss_of_constant(target, target, use_case) == pytest.approx(expected)
    numbers = np.float32([1, 2, 6])
    assert loss_of_constant(numbers, numbers + 1, declared("regression")) == pytest.approx(17 / 3)


def test_balanced_classes_weigh_the_same():
    train, _ = examples("binary")
    weights = row_weights(train.target, Training(class_weights="balanced"))
    assert weights[train.target == 0].sum() == pytest.approx(weights[train.target == 1].sum())
    assert weights.mean() == pytest.approx(1, rel=1e-6)


def test_dropout_drops_its_share_anew_in_every_step_and_keeps_the_mean():
    layer = CounterDropout(0.3, seed=1)
    ones = np.ones((400, 64), dtype=np.float32)
    masks = np.stack([np.asarray(layer(ones, training=True)) for _ in range(50)])
    kept = masks > 0
    assert kept.mean() == pytest.approx(0.7, abs=0.002)
    assert masks.mean() == pytest.approx(1, abs=0.003)
    np.testing.assert_array_equal(layer(ones, training=False), ones)
    for one, other in (
        (kept[0], kept[1]),
        (kept[:, :, 0], kept[:, :, 1]),
        (kept[:, 0], kept[:, 1]),
    ):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.04
    by_unit = kept.mean(axis=(0, 1))
    assert by_unit.std() < 3 * np.sqrt(0.21 / (400 * 50))


@pytest.mark.parametrize("members", [1, 3])
def test_a_saved_network_needs_nothing_of_ours(members, tmp_path):
    use_case = declared("binary", Network(hidden_units=(8,), dropout=0.5), members=members)
    network = build_network(use_case, 5, np.array([0, 1]))
    with_stock_layers(network).save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
    assert {type(layer).__module__.split(".")[0] for layer in loaded.layers} == {"keras"}
    row = np.ones((1, 5), dtype=np.float32)
    np.testing.assert_allclose(loaded(row), network(row), rtol=1e-6)


@pytest.mark.parametrize("members", [1, 4])
def test_dead_units_are_counted(members):
    use_case = declared("binary", Network(hidden_units=(10,), dropout=0.0), members=members)
    network = build_network(use_case, 5, np.array([0, 1]))
    rows = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    assert dead_unit_share(network, rows) < 0.2
    kernel, bias = network.get_layer("hidden_1").get_weights()
    bias[..., :7] = -1000
    network.get_layer("hidden_1").set_weights([kernel, bias])
    assert dead_unit_share(network, rows) == pytest.approx(0.7, abs=0.11)
