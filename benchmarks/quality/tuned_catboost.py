"""CatBoost, with labels as they are."""

from typing import Any

import pandas as pd

from benchmarks.quality.effort import MOST_TREES, PATIENCE, Effort, Settings, best_of_trials
from benchmarks.quality.regressions import finite
from modelling.judgement.baselines.baseline import BaselineInputs, BaselineOutputs
from modelling.judgement.baselines.linear import outputs_of


def fit_catboost(inputs: BaselineInputs, effort: Effort) -> BaselineOutputs:
    """CatBoost, with labels as they are."""
    from catboost import CatBoostClassifier, CatBoostRegressor, Pool

    model_of = CatBoostRegressor if inputs.problem == "regression" else CatBoostClassifier
    labels = [name for name, kind in inputs.kinds.items() if kind == "category"]

    def pool(part: pd.DataFrame) -> Any:
        texts = {name: part[name].astype(object).fillna("missing") for name in labels}
        cells = finite(part, inputs).assign(**texts)
        return Pool(cells, part[inputs.target].to_numpy(), cat_features=labels)

    train, stop = pool(inputs.train), pool(inputs.validation)

    def grow(settings: Settings) -> BaselineOutputs:
        model = model_of(
            iterations=MOST_TREES, early_stopping_rounds=PATIENCE, random_seed=effort.seed,
            bootstrap_type="Bayesian", thread_count=effort.threads, allow_writing_files=False,
            verbose=False, **settings,
        )  # fmt: skip
        return outputs_of(model.fit(train, eval_set=stop), inputs, pool)

    first = {
        "learning_rate": 0.05, "depth": 6, "l2_leaf_reg": 3.0, "random_strength": 1.0,
        "bagging_temperature": 1.0,
    }  # fmt: skip
    return best_of_trials(grow, catboost_space, first, inputs, effort)


def catboost_space(trial: Any) -> Settings:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "depth": trial.suggest_int("depth", 3, 8),
        "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 0.5, 30.0, log=True),
        "random_strength": trial.suggest_float("random_strength", 0.1, 10.0, log=True),
        "bagging_temperature": trial.suggest_float("bagging_temperature", 0.0, 1.0),
    }
