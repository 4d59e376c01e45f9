"""What all searches of the benchmark share: rows, search space, budget, and the textbook model."""

import argparse
import json
import time
from collections.abc import Callable

import keras
import numpy as np

EPOCHS = 20
LEARNING_RATE = (3e-4, 1e-2)  # log-uniform
HIDDEN_UNITS = ("32-16", "64-32", "128-64")
DROPOUT = (0.0, 0.3)
BATCH_SIZES = (32, 64)
SEED = 42


# (rows, trials, epochs) -> the lowest val_loss, the epochs of all trials together (some end early)
# and, where known, the seconds of training alone.
Search = Callable[[dict[str, np.ndarray], int, int], dict[str, float]]


def main(search: Search, warm_up: Search | None = None) -> None:
    """Run ``search(rows, trials, epochs)`` and print trials per hour and the lowest val_loss.

    The timing starts after the imports and after the rows were read; ``warm_up`` is for a search
    that imports TensorFlow in other processes.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()
    rows = dict(np.load(arguments.data))
    if warm_up is not None:
        warm_up({name: array[:2000] for name, array in rows.items()}, 4, 1)
    start = time.perf_counter()
    found = search(rows, arguments.trials, arguments.epochs)
    seconds = time.perf_counter() - start
    print(json.dumps({"trials": arguments.trials, "seconds": seconds, **found}))


def textbook_model(
    features: int, hidden_units: str, dropout: float, learning_rate: float
) -> keras.Model:
    """Compiled as in every tutorial."""
    layers: list = [keras.layers.Input((features,))]
    for units in hidden_units.split("-"):
        layers += [keras.layers.Dense(int(units), "relu"), keras.layers.Dropout(dropout)]
    model = keras.Sequential([*layers, keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(learning_rate), "binary_crossentropy")
    return model
