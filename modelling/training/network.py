"""Build the Keras network that a use case declares."""

import hashlib
from pathlib import Path
from random import Random
from typing import Any

import keras
import numpy as np
from keras import layers

from modelling.declaration import Network, UseCase
from modelling.training import features_first
from modelling.training.dropout import CounterDropout

ROWS_AT_ONCE = 65_536
MEAN_OF_MEMBERS = "mean_of_members"
# He et al. (2015) for rectifiers, Glorot and Bengio (2010) for saturating and output units.
HE = {"scale": 2.0, "mode": "fan_in", "distribution": "truncated_normal"}
GLOROT = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform"}


def build_network(use_case: UseCase, feature_count: int, train_target: np.ndarray) -> keras.Model:
    """A functional Keras model: (batch, features) -> (batch, outputs), not yet compiled.

    One linear output for regression, one sigmoid for binary, a softmax over the classes for
    multi-class. The output bias starts at what ``train_target`` alone says (the log-odds of the
    classes), so that the first epochs are not spent on learning the base rate.

    With ``training.members`` above 1 all members stand side by side in one network, each layer
    (batch, members, units), and the output is the mean of theirs (see ``outputs_to_train``).
    """
    declared, members = use_case.network, use_case.training.members
    # Not Keras's global seed, from which other threads of the process draw as well.
    chance = Random(use_case.training.seed)
    keras.config.set_dtype_policy(use_case.training.precision)
    inputs = layers.Input((feature_count,), name="features")
    hidden = inputs
    for number, units in enumerate(declared.hidden_units, start=1):
        hidden = _hidden_layer(hidden, units, members, f"hidden_{number}", declared, chance)
    activation = {"regression": "linear", "binary": "sigmoid", "multiclass": "softmax"}
    bias = _base_rate(use_case, train_target)
    outputs = _dense(
        hidden,
        len(bias),
        members,
        initial=GLOROT,
        chance=chance,
        activation=activation[use_case.problem],
        bias_initializer=keras.initializers.Constant(bias) if bias.any() else "zeros",
        dtype="float32",  # also in mixed precision: a probability needs its digits
        name="output",
    )
    if members > 1:
        mean = layers.GlobalAveragePooling1D(dtype="float32", name=MEAN_OF_MEMBERS)
        outputs = mean(outputs)
    keras.config.set_dtype_policy("float32")
    return keras.Model(inputs, outputs, name=use_case.name)


def outputs_to_train(network: keras.Model) -> list[keras.KerasTensor]:
    """What the loss is computed of: each member's own outputs (batch, members, outputs), where
    there are members, so that they stay as different as separate trainings; else the outputs."""
    last = network.layers[-1]
    return [last.input] if last.name == MEAN_OF_MEMBERS else network.outputs


def _dense(
    inputs: keras.KerasTensor,
    units: int,
    members: int,
    initial: dict[str, object],
    chance: Random,
    **declared: Any,
) -> keras.KerasTensor:
    """Dense, or as many of them side by side as there are members: kernels (members, in, out)."""
    initial = {**initial, "seed": _seed(chance)}
    if members == 1:
        kernel = keras.initializers.VarianceScaling(**initial)
        return features_first.Dense(units, kernel_initializer=kernel, **declared)(inputs)
    # The fans are those of one member: the axis of members counts as neither.
    kernel = keras.initializers.VarianceScaling(**initial, input_axes=(1,), output_axes=(2,))
    equation = "bi,mio->bmo" if len(inputs.shape) == 2 else "bmi,mio->bmo"
    bias_axes = "mo" if declared.pop("use_bias", True) else None
    return features_first.MembersDense(
        equation, (members, units), bias_axes=bias_axes, kernel_initializer=kernel, **declared
    )(inputs)


def _hidden_layer(
    inputs: keras.KerasTensor,
    units: int,
    members: int,
    name: str,
    declared: Network,
    chance: Random,
) -> keras.KerasTensor:
    saturating = declared.activation in ("tanh", "sigmoid")
    hidden = _dense(
        inputs,
        units,
        members,
        initial=GLOROT if saturating else HE,
        chance=chance,
        use_bias=not declared.batch_normalisation,
        # The loss is the mean over members, so each pays its share of the penalty.
        kernel_regularizer=keras.regularizers.L2(declared.l2 / members) if declared.l2 else None,
        name=name,
    )
    if declared.batch_normalisation:  # each unit of each member by itself
        if members > 1:
            hidden = layers.Reshape((members * units,))(hidden)
        hidden = layers.BatchNormalization(name=f"{name}_normalised")(hidden)
        if members > 1:
            hidden = layers.Reshape((members, units))(hidden)
    activated = features_first.Activation(declared.activation, name=f"{name}_{declared.activation}")
    hidden = activated(hidden)
    if declared.dropout:
        dropout = CounterDropout(declared.dropout, seed=_seed(chance), name=f"{name}_dropout")
        hidden = dropout(hidden)
    return hidden


def _seed(chance: Random) -> int:
    return chance.randint(1, int(1e9))


def _base_rate(use_case: UseCase, train_target: np.ndarray) -> np.ndarray:
    if use_case.problem == "regression":
        return np.zeros(1)
    shares = np.bincount(train_target, minlength=len(use_case.classes)) / len(train_target)
    logits = np.log(shares.clip(1e-6))
    return logits[1:] - logits[0] if use_case.problem == "binary" else logits - logits.mean()


def outputs_of(network: keras.Model, features: np.ndarray) -> np.ndarray:
    """What the network answers to ``features`` (n, f): (n, outputs).

    Layer by layer, as written: ``predict`` would trace a program of its own for this one use.
    """
    starts = range(0, len(features), ROWS_AT_ONCE)
    parts = [network([features[first : first + ROWS_AT_ONCE]], training=False) for first in starts]
    return np.concatenate([np.asarray(part) for part in parts])


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
    dead = [(np.asarray(one) <= 0).all(axis=0).ravel() for one in outputs]
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


def with_stock_layers(network: keras.Model) -> keras.Model:
    """A float32 copy of ``network`` of Keras's own layers alone: it loads wherever Keras is."""

    def stock(layer: layers.Layer) -> layers.Layer:
        kinds: tuple[Any, ...] = type(layer).__mro__
        kind = next(one for one in kinds if one.__module__.partition(".")[0] == "keras")
        return kind.from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(network, clone_function=stock)
    copy.set_weights(network.get_weights())
    return copy


def save_network(network: keras.Model, folder: Path, one_row: np.ndarray) -> None:
    """``network.keras``, to train further wherever Keras is, and ``network.onnx``, to score."""
    folder.mkdir(parents=True, exist_ok=True)
    saved = with_stock_layers(network)
    saved.save(folder / "network.keras")
    saved(one_row)  # the export wants a network that was called
    saved.export(folder / "network.onnx", format="onnx", verbose=False)
