"""The naive baseline: one answer for every row."""

import numpy as np

from modelling.judgement.baselines.baseline import Baseline, BaselineInputs, BaselineOutputs


def fit_constant(inputs: BaselineInputs) -> BaselineOutputs:
    """The mean of the training rows, or their shares of the classes."""
    target = inputs.train_target
    if inputs.problem == "regression":
        answer = np.array(target.mean())
    else:
        shares = np.bincount(target, minlength=inputs.classes) / len(target)
        answer = shares[1] if inputs.problem == "binary" else shares
    parts = (inputs.validation, inputs.test)
    return BaselineOutputs(*(np.broadcast_to(answer, (len(part), *answer.shape)) for part in parts))


BASELINES = (
    Baseline(
        name="constant",
        problems=("regression", "binary", "multiclass"),
        title="constant",
        fit=fit_constant,
        in_curves=False,
    ),
)
