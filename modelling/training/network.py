"""Build the Keras network that a use case declares."""

import functools
from random import Random
from typing import Any

import keras
import numpy as np
from keras import layers

from modelling.declaration import Network, UseCase
from modelling.training.layers import features_first
from modelling.training.layers.dropout import CounterDropout
from modelling.training.linear_skip import LINEAR_SKIP
from modelling.training.monotone_weights import ALIKE, Bounds, Signed, kinds_of_units

MEAN_OF_MEMBERS = "mean_of_members"
# He et al. (2015) for rectifiers, Glorot and Bengio (2010) for saturating and output units.
HE = {"scale": 2.0, "mode": "fan_in", "distribution": "truncated_normal"}
GLOROT = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform"}
ACTIVATIONS = {"regression": "linear", "binary": "sigmoid", "multiclass": "softmax"}


def build_network(
    use_case: UseCase,
    feature_count: int,
    train_target: np.ndarray,
    directions: np.ndarray | None = None,
) -> keras.Model:
    """The network that ``use_case`` declares, with initial weights.

    One linear output for regression, one sigmoid for binary problems, a softmax over the classes
    for multi-class ones. The output bias starts at the log-odds of the classes in ``train_target``,
    so that the first epochs are not spent on learning the base rate.

    With ``training.members`` above 1 all members are parts of one network, each layer has shape
    (batch, members, units), and the output is the mean of theirs (see ``outputs_to_train``).

    Parameters
    ----------
    use_case : UseCase
        Layers, members, precision, problem and seed are read.
    feature_count : int
        f, the number of features of a row.
    train_target : (n,)
        Class codes (integers, at least one) of the training rows; not used for regression.
    directions : (f,), optional
        1 where the output may only rise with a feature, -1 where it may only fall, 0 elsewhere.

    Returns
    -------
    keras.Model
        Functional and not compiled: (batch, f) -> (batch, outputs).
    """
    declared, members = use_case.network, use_case.training.members
    # Not Keras's global seed: other threads of the process use it, too.
    generator = Random(use_case.training.seed)
    keras.config.set_dtype_policy(use_case.training.precision)
    inputs = layers.Input((feature_count,), name="features")
    hidden = inputs
    towards = sources = directions if directions is not None and directions.any() else None
    for number, units in enumerate(declared.hidden_units, start=1):
        kinds = kinds_of_units(units)
        name, bounds = f"hidden_{number}", _bounds(sources, kinds)
        hidden = _hidden_layer(hidden, units, members, name, declared, generator, bounds)
        sources = None if bounds is None else kinds
    bias = _base_rate_bias(use_case, train_target)
    output = functools.partial(
        _dense,
        units=len(bias),
        members=members,
        initial=GLOROT,
        generator=generator,
        dtype="float32",  # also in mixed precision: float16 has too few digits for a probability
    )
    alike = np.full(len(bias), ALIKE)
    outputs = output(
        hidden,
        bounds=_bounds(sources, alike),
        activation=ACTIVATIONS[use_case.problem],
        bias_initializer=keras.initializers.Constant(bias) if bias.any() else "zeros",
        name="output",
    )
    if declared.linear_skip:
        bounds = _bounds(towards, alike)
        straight = output(inputs, bounds=bounds, use_bias=False, name=LINEAR_SKIP)
        outputs = layers.Add(dtype="float32", name="output_with_skip")([outputs, straight])
    if members > 1:
        mean = layers.GlobalAveragePooling1D(dtype="float32", name=MEAN_OF_MEMBERS)
        outputs = mean(outputs)
    keras.config.set_dtype_policy("float32")
    return keras.Model(inputs, outputs, name=use_case.name)


def outputs_to_train(network: keras.Model) -> list[keras.KerasTensor]:
    """The outputs on which the loss is computed: each member's own, (batch, members, outputs),
    where there are members, so that they differ as separate trainings do; else (batch, outputs)."""
    last = network.layers[-1]
    return [last.input] if last.name == MEAN_OF_MEMBERS else network.outputs


def _bounds(sources: np.ndarray | None, kinds: np.ndarray) -> Bounds | None:
    """Of the weights from ``sources`` to units of these ``kinds``; None where no direction is
    declared."""
    return None if sources is None else Bounds(sources, kinds)


def _dense(
    inputs: keras.KerasTensor,
    units: int,
    members: int,
    initial: dict[str, object],
    generator: Random,
    bounds: Bounds | None = None,
    **declared: Any,
) -> keras.KerasTensor:
    """A Dense layer, or one per member side by side: kernels (members, in, out), within bounds."""
    initial = {**initial, "seed": _seed(generator)}
    if members > 1:  # fan_in and fan_out are those of one member
        initial |= {"input_axes": (1,), "output_axes": (2,)}
    kernel = keras.initializers.VarianceScaling(**initial)
    if bounds is not None:
        kernel, declared["kernel_constraint"] = Signed(kernel, bounds), bounds
    if members == 1:
        return features_first.Dense(units, kernel_initializer=kernel, **declared)(inputs)
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
    generator: Random,
    bounds: Bounds | None,
) -> keras.KerasTensor:
    saturating = declared.activation in ("tanh", "sigmoid")
    hidden = _dense(
        inputs,
        units,
        members,
        initial=GLOROT if saturating else HE,
        generator=generator,
        bounds=bounds,
        use_bias=not declared.batch_normalisation,
        # The loss is the mean over members, so each pays its share of the penalty.
        kernel_regularizer=keras.regularizers.L2(declared.l2 / members) if declared.l2 else None,
        name=name,
    )
    if declared.batch_normalisation:  # for each unit of each member separately
        if members > 1:
            hidden = layers.Reshape((members * units,))(hidden)
        positive = None if bounds is None else keras.constraints.NonNeg()
        normalise = layers.BatchNormalization(gamma_constraint=positive, name=f"{name}_normalised")
        hidden = normalise(hidden)
        if members > 1:
            hidden = layers.Reshape((members, units))(hidden)
    activated = features_first.Activation(declared.activation, name=f"{name}_{declared.activation}")
    hidden = activated(hidden)
    if declared.dropout:
        dropout = CounterDropout(declared.dropout, seed=_seed(generator), name=f"{name}_dropout")
        hidden = dropout(hidden)
    return hidden


def _seed(generator: Random) -> int:
    return generator.randint(1, int(1e9))


def _base_rate_bias(use_case: UseCase, train_target: np.ndarray) -> np.ndarray:
    if use_case.problem == "regression":
        return np.zeros(1)
    shares = np.bincount(train_target, minlength=len(use_case.classes)) / len(train_target)
    logits = np.log(shares.clip(1e-6))
    return logits[1:] - logits[0] if use_case.problem == "binary" else logits - logits.mean()
