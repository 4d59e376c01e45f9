"""Build the Keras network that a use case declares."""

import keras
import numpy as np
from keras import layers

from modelling.declaration import Network, UseCase
from modelling.dropout import CounterDropout


def build_network(use_case: UseCase, feature_count: int, train_target: np.ndarray) -> keras.Model:
    """A functional Keras model: (batch, features) -> (batch, outputs), not yet compiled.

    One linear output for regression, one sigmoid for binary, a softmax over the classes for
    multi-class. The output bias starts at what ``train_target`` alone says (the log-odds of the
    classes), so that the first epochs are not spent on learning the base rate.
    """
    declared = use_case.network
    keras.utils.set_random_seed(use_case.training.seed)
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
        name="output",
    )(hidden)
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
