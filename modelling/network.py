"""Build the Keras network that a use case declares."""

import hashlib
from pathlib import Path

import keras
import numpy as np
from keras import layers

from modelling.declaration import Network, UseCase
from modelling.dropout import CounterDropout, with_stock_dropout


def build_network(use_case: UseCase, feature_count: int, train_target: np.ndarray) -> keras.Model:
    """A functional Keras model: (batch, features) -> (batch, outputs), not yet compiled.

    One linear output for regression, one sigmoid for binary, a softmax over the classes for
    multi-class. The output bias starts at what ``train_target`` alone says (the log-odds of the
    classes), so that the first epochs are not spent on learning the base rate.
    """
    declared = use_case.network
    keras.utils.set_random_seed(use_case.training.seed)
    keras.config.set_dtype_policy(use_case.training.precision)
    inputs = layers.Input((feature_count,), name="features")
    hidden = inputs
    for number, units in enumerate(declared.hidden_units, start=1):
        hidden = _hidden_layer(hidden, units, f"hidden_{number}", declared)
    activation = {"regression": "linear", "binary": "sigmoid", "multiclass": "softmax"}
    bias = _base_rate(use_case, train_target)
    outputs = layers.Dense(
        len(bias),
        activation=activation[use_case.problem],
        bias_initializer=keras.initializers.Constant(bias) if bias.any() else "zeros",
        dtype="float32",  # also in mixed precision: a probability needs its digits
        name="output",
    )(hidden)
    keras.config.set_dtype_policy("float32")
    return keras.Model(inputs, outputs, name=use_case.name)


def _hidden_layer(inputs: keras.KerasTensor, units: int, name: str, declared: Network):
    saturating = declared.activation in ("tanh", "sigmoid")
    hidden = layers.Dense(
        units,
        use_bias=not declared.batch_normalisation,
        # He et al. (2015) for rectifiers, Glorot and Bengio (2010) for saturating units.
        kernel_initializer="glorot_uniform" if saturating else "he_normal",
        kernel_regularizer=keras.regularizers.L2(declared.l2) if declared.l2 else None,
        name=name,
    )(inputs)
    if declared.batch_normalisation:
        hidden = layers.BatchNormalization(name=f"{name}_normalised")(hidden)
    hidden = layers.Activation(declared.activation, name=f"{name}_{declared.activation}")(hidden)
    if declared.dropout:
        hidden = CounterDropout(declared.dropout, name=f"{name}_dropout")(hidden)
    return hidden


def _base_rate(use_case: UseCase, train_target: np.ndarray) -> np.ndarray:
    if use_case.problem == "regression":
        return np.zeros(1)
    shares = np.bincount(train_target, minlength=len(use_case.classes)) / len(train_target)
    logits = np.log(shares.clip(1e-6))
    return logits[1:] - logits[0] if use_case.problem == "binary" else logits - logits.mean()


def dead_units(network: keras.Model, features: np.ndarray) -> float | None:
    """The share of hidden ReLU units that are zero for all of ``features`` (n, f), so that no
    gradient reaches them; None where no layer is rectified to zero. Looks at 5,000 rows at most."""
    rectified = [
        layer.output
        for layer in network.layers
        if isinstance(layer, layers.Activation) and layer.activation is keras.activations.relu
    ]
    if not rectified:
        return None
    step = max(len(features) // 5000, 1)
    outputs = keras.Model(network.inputs, rectified)(features[::step])
    outputs = outputs if isinstance(outputs, list) else [outputs]
    dead = [(np.asarray(one) <= 0).all(axis=0) for one in outputs]
    return float(np.concatenate(dead).mean())


def weights_hash(network: keras.Model) -> str:
    """SHA-256 (first 16 hex digits) of all weights, bit by bit."""
    digest = hashlib.sha256()
    for weights in network.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()[:16]


def summary_of(network: keras.Model) -> str:
    """Keras's own summary as plain text."""
    lines: list[str] = []
    network.summary(print_fn=lines.append, line_length=88)
    return "\n".join(lines) + "\n"


def save_network(network: keras.Model, folder: Path, one_row: np.ndarray) -> None:
    """``network.keras``, to train further wherever Keras is, and ``network.onnx``, to score."""
    folder.mkdir(parents=True, exist_ok=True)
    saved = with_stock_dropout(network)
    saved.save(folder / "network.keras")
    saved(one_row)  # the export wants a network that was called
    saved.export(folder / "network.onnx", format="onnx", verbose=False)
