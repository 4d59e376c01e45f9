"""The linear models that a bank would try first."""

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.quality.effort import Effort, validation_loss
from modelling.judgement.baselines.baseline import BaselineInputs, BaselineOutputs
from modelling.judgement.baselines.linear import outputs_of

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
LEAST_ROWS = 20  # of a label with a column of its own


def fit_linear(inputs: BaselineInputs, _: Effort) -> BaselineOutputs:
    """Logistic or ridge regression on scaled numbers, flags of missing ones and one-hot labels,
    with the penalty that has the lowest validation loss."""
    from sklearn.linear_model import LogisticRegression, Ridge

    encoder = one_hot_and_scaled(inputs)

    def encode(part: pd.DataFrame) -> np.ndarray:
        return encoder.transform(finite(part, inputs))

    train = encoder.fit_transform(finite(inputs.train, inputs))
    found = []
    for penalty in PENALTIES:
        is_regression = inputs.problem == "regression"
        model = Ridge(penalty) if is_regression else LogisticRegression(C=1 / penalty, max_iter=500)
        found.append(outputs_of(model.fit(train, inputs.train_target), inputs, encode))
    return min(found, key=lambda outputs: validation_loss(outputs, inputs))


def finite(part: pd.DataFrame, inputs: BaselineInputs) -> pd.DataFrame:
    return part[[*inputs.kinds]].replace([np.inf, -np.inf], np.nan)


def one_hot_and_scaled(inputs: BaselineInputs) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    labels = [name for name, kind in inputs.kinds.items() if kind == "category"]
    numbers = [name for name in inputs.kinds if name not in labels]
    scaled = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    one_hot = OneHotEncoder(
        min_frequency=LEAST_ROWS, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    return make_column_transformer((scaled, numbers), (one_hot, labels))


def fit_log_har(inputs: BaselineInputs, effort: Effort) -> BaselineOutputs:
    """The heterogeneous autoregression of Corsi (2009): least squares on the lags."""
    from sklearn.linear_model import LinearRegression

    lags = [*effort.lags]
    model = LinearRegression().fit(inputs.train[lags].to_numpy(), inputs.train_target)
    return outputs_of(model, inputs, lambda part: part[lags].to_numpy())
