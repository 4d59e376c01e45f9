"""Let a network with a linear skip begin as the linear model that it should be better than."""

import keras
import numpy as np

from modelling.features.preprocessing import Examples
from modelling.ridge import Limits, fit_ridge
from modelling.training.monotone_weights import Bounds

LINEAR_SKIP = "linear_skip"


def begin_as_ridge(network: keras.Model, train: Examples, validation: Examples) -> None:
    """Set the initial weights: the skip is ridge regression, the hidden layers add nothing yet.

    From random weights, a few hundred steps on few rows do not even reach the linear model.

    Parameters
    ----------
    network : keras.Model
        A regression's, from ``build_network``; left alone where it has no layer ``LINEAR_SKIP``.
    train, validation : Examples
        Features (n, f) and standardised targets (n,); validation rows choose the penalty.
    """
    by_name = {layer.name: layer for layer in network.layers}
    if (skip := by_name.get(LINEAR_SKIP)) is None:
        return
    limits = _limits(skip.kernel_constraint)
    checked = (validation.features, validation.target)
    coefficients, intercept = fit_ridge(train.features, train.target, checked, limits)
    kernel = np.broadcast_to(coefficients.reshape(-1, 1), skip.kernel.shape)
    skip.kernel.assign(kernel.astype(np.float32))
    output = by_name["output"]
    output.kernel.assign(np.zeros(output.kernel.shape))
    output.bias.assign(np.full(output.bias.shape, intercept))


def _limits(bounds: Bounds | None) -> Limits | None:
    return None if bounds is None else (bounds.lowest[:, 0], bounds.highest[:, 0])
