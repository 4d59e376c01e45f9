"""Logistic or ridge regression on the very features that the network gets."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from modelling.judgement.baselines.baseline import Baseline, BaselineInputs, BaselineOutputs

if TYPE_CHECKING:
    import pandas as pd


def fit_linear(inputs: BaselineInputs) -> BaselineOutputs:
    from sklearn.linear_model import LogisticRegression, Ridge

    is_regression = inputs.problem == "regression"
    model = Ridge(alpha=1.0) if is_regression else LogisticRegression(max_iter=300)
    model.fit(inputs.train_features, inputs.train_target)
    return outputs_of(model, inputs, inputs.transform)


def outputs_of(
    model: Any, inputs: BaselineInputs, encode: Callable[["pd.DataFrame"], np.ndarray]
) -> BaselineOutputs:
    """The outputs of a fitted scikit-learn model.

    Parameters
    ----------
    model : estimator
        Fitted on what ``encode`` makes of the training rows.
    inputs : BaselineInputs
    encode : callable
        From raw rows to what the model reads, (rows, features).
    """

    def outputs(part: "pd.DataFrame") -> np.ndarray:
        features = encode(part)
        if inputs.problem == "regression":
            return model.predict(features)
        probabilities = model.predict_proba(features)
        return probabilities[:, 1] if inputs.problem == "binary" else probabilities

    return BaselineOutputs(outputs(inputs.validation), outputs(inputs.test))


BASELINES = (
    Baseline(
        name="linear",
        problems=("regression", "binary", "multiclass"),
        title="a linear model",
        fit=fit_linear,
    ),
)
