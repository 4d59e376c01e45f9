"""KerasTuner's Bayesian search around ``keras.Model.fit``."""

import logging
from tempfile import TemporaryDirectory

import keras_tuner
import numpy as np

from benchmarks.peers.search_space import (
    BATCH_SIZES,
    DROPOUT,
    HIDDEN_UNITS,
    LEARNING_RATE,
    SEED,
    main,
    textbook_model,
)


class Tuned(keras_tuner.HyperModel):
    def __init__(self, features: int):
        super().__init__()
        self.features = features

    def build(self, hp):
        low, high = LEARNING_RATE
        return textbook_model(
            self.features,
            hp.Choice("hidden_units", list(HIDDEN_UNITS)),
            hp.Float("dropout", *DROPOUT),
            hp.Float("learning_rate", low, high, sampling="log"),
        )

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, batch_size=hp.Choice("batch_size", list(BATCH_SIZES)), **kwargs)


def search(rows: dict[str, np.ndarray], trials: int, epochs: int) -> dict[str, float]:
    logging.disable()
    with TemporaryDirectory() as folder:
        tuner = keras_tuner.BayesianOptimization(
            Tuned(rows["x"].shape[1]),
            objective="val_loss",
            max_trials=trials,
            seed=SEED,
            directory=folder,
        )
        validation = (rows["x_validation"], rows["y_validation"])
        tuner.search(rows["x"], rows["y"], epochs=epochs, validation_data=validation, verbose=0)
        best = tuner.oracle.get_best_trials(1)[0].score
        return {"val_loss": float(best), "epochs": trials * epochs}  # it ends none early


if __name__ == "__main__":
    main(search)
