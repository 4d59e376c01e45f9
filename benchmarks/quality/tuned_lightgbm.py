"""LightGBM, with missing cells and categories as they are."""

from typing import Any

import numpy as np

from benchmarks.quality.effort import MOST_TREES, PATIENCE, Effort, Settings, best_of_trials
from modelling.judgement.baselines.baseline import BaselineInputs, BaselineOutputs


def fit_lightgbm(inputs: BaselineInputs, effort: Effort) -> BaselineOutputs:
    """LightGBM, with missing cells and categories as they are."""
    import lightgbm

    encoded = {
        "validation": inputs.transform(inputs.validation),
        "test": inputs.transform(inputs.test),
    }
    categorical = [at for at, kind in enumerate(inputs.kinds.values()) if kind == "category"]
    fixed = {
        "objective": inputs.problem,
        **({"num_class": inputs.classes} if inputs.problem == "multiclass" else {}),
        "verbosity": -1, "num_threads": effort.threads, "seed": effort.seed, "bagging_freq": 1,
        "deterministic": True, "feature_pre_filter": False,
    }  # fmt: skip
    train = lightgbm.Dataset(
        inputs.train_features, inputs.train_target, categorical_feature=categorical, params=fixed
    )
    stop = train.create_valid(encoded["validation"], inputs.validation[inputs.target].to_numpy())
    early = lightgbm.early_stopping(PATIENCE, verbose=False)

    def grow(settings: Settings) -> BaselineOutputs:
        grown = lightgbm.train(
            {**fixed, **settings}, train, MOST_TREES, valid_sets=[stop], callbacks=[early]
        )
        return BaselineOutputs(
            **{part: np.asarray(grown.predict(x)) for part, x in encoded.items()}
        )

    first = {
        "learning_rate": 0.1, "num_leaves": 31, "min_data_in_leaf": 20, "feature_fraction": 1.0,
        "bagging_fraction": 1.0, "lambda_l2": 1e-3,
    }  # fmt: skip
    return best_of_trials(grow, lightgbm_space, first, inputs, effort)


def lightgbm_space(trial: Any) -> Settings:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 2, 128, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 2, 200, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.4, 1.0),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
        "lambda_l2": trial.suggest_float("lambda_l2", 1e-3, 30.0, log=True),
    }
