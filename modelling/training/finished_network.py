"""What a network is asked for once it is trained: outputs, dead units, a hash, files that score."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

ROWS_PER_BATCH = 65_536


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
    with _without_bytecode():
        saved.export(folder / "network.onnx", format="onnx", verbose=False)


@contextmanager
def _without_bytecode() -> Iterator[None]:
    """TensorFlow's autograph imports a temporary module, and removes it, but not what Python
    compiled of it: each training would leave a file in the folder for temporary ones."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
