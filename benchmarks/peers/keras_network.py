"""The benchmark's network in Keras, with the same initial weights in every process."""

from collections.abc import Callable

import keras
from keras import layers

from benchmarks.peers.contract import HIDDEN_UNITS, LEARNING_RATE


def build(features: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Input and output of the network."""
    keras.utils.set_random_seed(0)
    inputs = hidden = layers.Input((features,))
    for units in HIDDEN_UNITS:
        hidden = layers.Dense(units, activation="relu")(hidden)
    return inputs, layers.Dense(1, activation="sigmoid")(hidden)


def settings() -> dict:
    """Arguments of ``compile`` that all Keras peers share."""
    return {"optimizer": keras.optimizers.Adam(LEARNING_RATE), "loss": "binary_crossentropy"}


class EpochDone(keras.callbacks.Callback):
    """Call ``epoch_done`` when an epoch and its validation are over."""

    def __init__(self, epoch_done: Callable[[], None]):
        super().__init__()
        self.epoch_done = epoch_done

    def on_epoch_end(self, _epoch: int, _logs: dict | None = None) -> None:
        self.epoch_done()
