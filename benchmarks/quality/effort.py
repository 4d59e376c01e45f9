"""How much an opponent may spend, and by what it chooses.

Boosting is tuned by trials of Optuna, the first with common settings, each stopped early on the
validation rows; kept is the trial with the lowest validation loss.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelling.judgement.baselines.baseline import BaselineInputs, BaselineOutputs
from modelling.judgement.metrics.metric import Scored
from modelling.judgement.metrics.probabilities import log_loss

MOST_TREES, PATIENCE = 2000, 50
Settings = dict[str, Any]


@dataclass(frozen=True)
class Effort:
    """``lags`` are the columns that an autoregression reads, where the table is a series."""

    seed: int
    trials: int
    threads: int
    lags: tuple[str, ...] = ()


def validation_loss(outputs: BaselineOutputs, inputs: BaselineInputs) -> float:
    """Log loss, or mean squared error, of the validation rows."""
    target = inputs.validation[inputs.target].to_numpy()
    if inputs.problem == "regression":
        return float(np.mean((outputs.validation - target) ** 2))
    return log_loss(Scored(target, outputs.validation))


def best_of_trials(
    grow: Callable[[Settings], BaselineOutputs],
    space: Callable[[Any], Settings],
    first: Settings,
    inputs: BaselineInputs,
    effort: Effort,
) -> BaselineOutputs:
    """The outputs of the trial with the lowest validation loss; ``first`` is tried first."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=effort.seed))
    study.enqueue_trial(first)
    found: dict[int, BaselineOutputs] = {}

    def loss(trial: Any) -> float:
        found[trial.number] = grow(space(trial))
        return validation_loss(found[trial.number], inputs)

    study.optimize(loss, n_trials=effort.trials)
    return found[study.best_trial.number]
