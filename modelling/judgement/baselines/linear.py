"""Logistic or ridge regression on the very features that the network gets."""

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from modelling.judgement.baselines.baseline import Baseline, BaselineInputs, BaselineOutputs

if TYPE_CHECKING:
    import pandas as pd

PENALTIES = (100.0, 10.0, 1.0)  # of the sum of the rows' losses


def fit_linear(inputs: BaselineInputs) -> BaselineOutputs:
    """With a penalty that is chosen: bins and labels make hundreds of features, and on few rows a
    fixed one would be no fair comparison with a network that stops early."""
    if inputs.problem == "regression":
        return _fit_ridge(inputs)
    validation = inputs.transform(inputs.validation)  # for the penalty, and for the outputs

    def encode(part: "pd.DataFrame") -> np.ndarray:
        return validation if part is inputs.validation else inputs.transform(part)

    return outputs_of(_fit_logistic(inputs, validation), inputs, encode)


def _fit_ridge(inputs: BaselineInputs) -> BaselineOutputs:
    """What the network of a regression begins with."""
    from modelling.ridge import fit_ridge

    validation, test = inputs.transform(inputs.validation), inputs.transform(inputs.test)
    target = inputs.validation[inputs.target].to_numpy(dtype=np.float64)
    coefficients, intercept = fit_ridge(
        inputs.train_features, inputs.train_target, (validation, target)
    )
    return BaselineOutputs(
        *(features @ coefficients + intercept for features in (validation, test))
    )


def _fit_logistic(inputs: BaselineInputs, validation: np.ndarray) -> Any:
    """With the penalty of the lowest loss on ``validation``, (rows, features). From the highest on,
    each fit continues from the one before, as long as the loss falls: together they take little
    longer than the last."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    target = inputs.validation[inputs.target]
    model = LogisticRegression(max_iter=300, warm_start=True)
    best, lowest = model, np.inf
    for penalty in PENALTIES:
        model.set_params(C=1 / penalty).fit(inputs.train_features, inputs.train_target)
        loss = log_loss(target, model.predict_proba(validation), labels=model.classes_)
        if loss >= lowest:
            break
        best, lowest = copy(model), loss
    return best


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
