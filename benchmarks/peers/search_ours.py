"""``run_trials`` as the flow calls it, with nested MLflow runs, learning curves and verdicts.

The number of workers is read from WORKERS. A few tiny trials run in the same workers before the
timing starts, since the other programs import TensorFlow before it.
"""

import os
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from prefect import flow

from benchmarks.peers.search_space import (
    BATCH_SIZES,
    DROPOUT,
    HIDDEN_UNITS,
    LEARNING_RATE,
    SEED,
    main,
)
from modelling.declaration import UseCase
from modelling.declaration.overrides import override
from modelling.features.preprocessing import Examples
from tasks.search.folds import Fold
from tasks.search.study import open_study
from tasks.search.trials import run_trials
from tasks.tracking.runs import tracked_run
from tasks.workers.executors import open_executor
from use_cases import find_use_case

WORKERS = int(os.environ.get("WORKERS", "1"))


def declared(epochs: int) -> UseCase:
    """The same space, network and optimizer as in the other programs."""
    low, high = LEARNING_RATE
    units = [[int(width) for width in text.split("-")] for text in HIDDEN_UNITS]
    space = {
        "network.hidden_units": {"values": units},
        "network.dropout": {"low": DROPOUT[0], "high": DROPOUT[1]},
        "training.learning_rate": {"low": low, "high": high, "log": True},
        "training.batch_size": {"values": BATCH_SIZES},
    }
    settings = {
        "training.epochs": epochs,
        "training.members": 1,
        "training.optimizer": "adam",
        "training.schedule": "constant",
        "training.early_stopping_patience": 0,
        "search": space,
    }
    return override(find_use_case("credit_scoring"), settings)


@flow(name="search", persist_result=False)
def search(rows: dict[str, np.ndarray], trials: int, epochs: int) -> dict[str, float]:
    use_case = declared(epochs)
    validation = Examples(rows["x_validation"], rows["y_validation"].astype(np.int64))
    features: Any = SimpleNamespace(
        directions=None,
        columns=None,
        train=Examples(rows["x"], rows["y"].astype(np.int64)),
        validation=validation,
    )
    fold = Fold(features, pd.DataFrame(validation.features))
    with tracked_run(use_case, {}) as run:
        study = open_study(run, use_case, trials, "tpe", SEED, EXECUTOR.slots)
        run_trials(study, [fold], run, EXECUTOR)
    outcomes = study.outcomes()
    return {
        "val_loss": min(trial.val_loss for trial in outcomes if trial.state == "finished"),
        "epochs": sum(len(trial.curve) for trial in outcomes),
        "training_seconds": sum(trial.seconds for trial in outcomes),
    }


if __name__ == "__main__":
    with open_executor(WORKERS) as EXECUTOR:
        main(search, warm_up=search)
