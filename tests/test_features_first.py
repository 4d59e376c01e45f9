"""The order in memory changes the speed of a layer, not what it computes."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from modelling.declaration import Network, Source, Training, UseCase, number
from modelling.training.ensemble_model import EnsembleModel
from modelling.training.layers.dropout import CounterDropout
from modelling.training.layers.features_first import FEATURES_FIRST_ROWS
from modelling.training.network import build_network, outputs_to_train

NETWORKS = {
    "plain": Network(hidden_units=(16, 8), dropout=0.0),
    "linear": Network(hidden_units=()),
    "leaky": Network(hidden_units=(16, 8), dropout=0.0, activation="leaky_relu"),
    "dropout": Network(hidden_units=(16, 8), dropout=0.3, activation="tanh"),
    "normalised": Network(hidden_units=(16, 8), dropout=0.3, batch_normalisation=True),
}


def digits():
    """1,797 images as 64 standardised numbers, and the ten digits that they show."""
    features, target = load_digits(return_X_y=True)
    spread = features.std(0)
    return ((features - features.mean(0)) / np.where(spread, spread, 1)).astype(np.float32), target


def model_of(shape, members, precision="float32"):
    use_case = UseCase(
        name="digits",
        title="Digits",
        problem="multiclass",
        source=Source(uri="none"),
        target="digit",
        columns=(number("x"),),
        classes=tuple(range(10)),
        network=NETWORKS[shape],
        training=Training(members=members, precision=precision),
    )
    features, target = digits()
    network = build_network(use_case, features.shape[1], target)
    model = EnsembleModel(network.inputs, outputs_to_train(network))
    model.compile(loss="sparse_categorical_crossentropy")
    return model


def gradients(model, rows, known_rows):
    """Those of the loss of ``rows`` digits, computed by a compiled program that knows how many rows
    it gets, and so may turn them, or by one that doesn't; and how often the program transposes."""
    for stream, layer in enumerate(model.layers):
        if isinstance(layer, CounterDropout):
            layer.set_stream(stream)
    shape = [rows if known_rows else None]

    @tf.function(
        input_signature=[tf.TensorSpec([*shape, 64]), tf.TensorSpec(shape, tf.int64)],
        jit_compile=True,
    )
    def program(x, y):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=True), training=True)
        return tape.gradient(loss, [one.value for one in model.trainable_variables])

    features, target = digits()
    batch = features[:rows], target[:rows]
    operations = program.get_concrete_function(*batch).graph.get_operations()
    transpositions = sum(one.type == "Transpose" for one in operations)
    return [one.numpy() for one in program(*batch)], transpositions


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("shape", NETWORKS)
def test_gradients_are_the_same_in_either_order(shape, members):
    model = model_of(shape, members)
    to_features_first, often = gradients(model, 700, known_rows=True)
    stock, seldom = gradients(model, 700, known_rows=False)
    for one, other in zip(to_features_first, stock, strict=True):
        assert np.linalg.norm(one - other) <= 1e-5 * np.linalg.norm(other)
    assert often > seldom, "both compute with the rows first"


def test_so_they_are_in_mixed_precision_but_for_its_digits():
    model = model_of("leaky", 3, "mixed_bfloat16")
    to_features_first, stock = (
        gradients(model, 700, known_rows=known)[0] for known in (True, False)
    )
    for one, other in zip(to_features_first, stock, strict=True):
        assert np.linalg.norm(one - other) <= 2**-7 * np.linalg.norm(other)


def test_small_batches_are_not_turned():
    model, rows = model_of("dropout", 3), FEATURES_FIRST_ROWS - 1
    (small, often), (stock, seldom) = (
        gradients(model, rows, known_rows=known) for known in (True, False)
    )
    assert often == seldom
    for one, other in zip(small, stock, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
