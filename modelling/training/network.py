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
from modelling.training.linear_skip import LINEAR_SKIP
from modelling.training.monotone_weights import ALIKE, Bounds, Signed, kinds_of_units

ROWS_PER_BATCH = 65_536
MEAN_OF_MEMBERS = "mean_of_members"
# He et al. (2015) for rectifiers, Glorot and Bengio (2010) for saturating and output units.
HE = {"scale": 2.0, "mode": "fan_in", "distribution": "truncated_normal"}
GLOROT = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform"}


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
    towards = kinds = directions if directions is not None and directions.any() else None
    for number, units in enumerate(declared.hidden_units, start=1):
        name, sources = f"hidden_{number}", kinds
        kinds = None if sources is None else kinds_of_units(units)
        bounds = None if sources is None else Bounds(sources, kinds)
        hidden = _hidden_layer(hidden, units, members, name, declared, generator, bounds)
    activation = {"regression": "linear", "binary": "sigmoid", "multiclass": "softmax"}
    bias = _base_rate_bias(use_case, train_target)
    outputs = _dense(
        hidden,
        len(bias),
        members,
        initial=GLOROT,
        generator=generator,
        bounds=None if kinds is None else Bounds(kinds, [ALIKE] * len(bias)),
        activation=activation[use_case.problem],
        bias_initializer=keras.initializers.Constant(bias) if bias.any() else "zeros",
        dtype="float32",  # also in mixed precision: float16 has too few digits for a probability
        name="output",
    )
    if declared.linear_skip:
        straight = _dense(
            inputs,
            len(bias),
            members,
            initial=GLOROT,
            generator=generator,
            bounds=None if towards is None else Bounds(towards, [ALIKE] * len(bias)),
            use_bias=False,
            dtype="float32",
            name=LINEAR_SKIP,
        )
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


def network_outputs(network: keras.Model, features: np.ndarray) -> np.ndarray:
    """The outputs of the network, calculated eagerly: ``predict`` would first compile a program.

    Parameters
    ----------
    network : keras.Model
    features : (n, f) float32
        Finite; n is at least 1.

    Returns
    -------
    (n, outputs) float32
        Probabilities, or forecasts in training units. NaN where a weight is NaN.

    Raises
    ------
    ValueError
        Where ``features`` has no row.
    """
    starts = range(0, len(features), ROWS_PER_BATCH)
    parts = [
        network([features[first : first + ROWS_PER_BATCH]], training=False) for first in starts
    ]
    return np.concatenate([np.asarray(part) for part in parts])


def dead_unit_share(network: keras.Model, features: np.ndarray) -> float | None:
    """The share of hidden ReLU units that are zero on all rows, so that they get no gradient. A
    unit without any weights is none of them: the group lasso found nothing for it to learn.

    Parameters
    ----------
    network : keras.Model
    features : (n, f) float32
        Training rows; evenly spaced ones are used, fewer than 10,000.

    Returns
    -------
    float or None
        From 0 to 1; None where the network has no ReLU layer.

    References
    ----------
    Lu, Shin, Su and Karniadakis (2020), "Dying ReLU and initialization".
    """
    rectifiers = [
        layer
        for layer in network.layers
        if isinstance(layer, layers.Activation) and layer.activation is keras.activations.relu
    ]
    if not rectifiers:
        return None
    kernels = [network.get_layer(layer.name.removesuffix("_relu")).kernel for layer in rectifiers]
    has_weights = [np.asarray(kernel).any(axis=-2).ravel() for kernel in kernels]
    step = max(len(features) // 5000, 1)
    outputs = keras.Model(network.inputs, [layer.output for layer in rectifiers])(features[::step])
    outputs = outputs if isinstance(outputs, list) else [outputs]
    silent = [(np.asarray(layer_outputs) <= 0).all(axis=0).ravel() for layer_outputs in outputs]
    return float((np.concatenate(silent) & np.concatenate(has_weights)).mean())


def weights_hash(network: keras.Model) -> str:
    """The first 16 hex digits of the SHA-256 of all weights: equal only for identical bits."""
    digest = hashlib.sha256()
    for weights in network.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()[:16]


def summary_of(network: keras.Model) -> str:
    """Keras's own summary as plain text."""
    lines: list[str] = []
    network.summary(print_fn=lines.append, line_length=80)  # wider, and Keras cuts it
    return "\n".join(lines) + "\n"


def with_stock_layers(network: keras.Model) -> keras.Model:
    """A float32 copy of ``network`` with Keras's own layers only: Keras loads it without this
    project."""

    def stock_layer(layer: layers.Layer) -> layers.Layer:
        bases: tuple[Any, ...] = type(layer).__mro__
        base = next(base for base in bases if base.__module__.partition(".")[0] == "keras")
        config = {**layer.get_config(), "dtype": "float32"}
        if config.get("kernel_constraint"):  # this project's, and of use in training only
            del config["kernel_constraint"], config["kernel_initializer"]
        return base.from_config(config)

    copy = keras.models.clone_model(network, clone_function=stock_layer)
    copy.set_weights(network.get_weights())
    return copy


def save_network(network: keras.Model, folder: Path, one_row: np.ndarray) -> None:
    """Write ``network.keras``, to train further, and ``network.onnx``, to score.

    ``one_row`` is (1, f) float32: the export needs a network that has been called.
    """
    folder.mkdir(parents=True, exist_ok=True)
    saved = with_stock_layers(network)
    saved.save(folder / "network.keras")
    saved(one_row)
    saved.export(folder / "network.onnx", format="onnx", verbose=False)
