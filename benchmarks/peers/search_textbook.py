"""Sequential Optuna around ``keras.Model.fit``, with its median pruner, as its tutorial has it."""

import keras
import numpy as np
import optuna

from benchmarks.peers.search_space import (
    BATCH_SIZES,
    DROPOUT,
    HIDDEN_UNITS,
    LEARNING_RATE,
    SEED,
    main,
    textbook_model,
)


class Report(keras.callbacks.Callback):
    def __init__(self, trial: optuna.Trial, trained: list[int]):
        super().__init__()
        self.trial, self.trained = trial, trained

    def on_epoch_end(self, epoch, logs=None):
        self.trained.append(epoch)
        self.trial.report(logs["val_loss"], epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def search(rows: dict[str, np.ndarray], trials: int, epochs: int) -> dict[str, float]:
    trained: list[int] = []

    def objective(trial: optuna.Trial) -> float:
        model = textbook_model(
            rows["x"].shape[1],
            trial.suggest_categorical("hidden_units", HIDDEN_UNITS),
            trial.suggest_float("dropout", *DROPOUT),
            trial.suggest_float("learning_rate", *LEARNING_RATE, log=True),
        )
        fitted = model.fit(
            rows["x"],
            rows["y"],
            batch_size=trial.suggest_categorical("batch_size", BATCH_SIZES),
            epochs=epochs,
            validation_data=(rows["x_validation"], rows["y_validation"]),
            verbose=0,
            callbacks=[Report(trial, trained)],
        )
        return min(fitted.history["val_loss"])

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=SEED),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=3),
    )
    study.optimize(objective, n_trials=trials)
    return {"val_loss": study.best_value, "epochs": len(trained)}


if __name__ == "__main__":
    main(search)
