"""Let a network with a linear skip begin as the linear model that it should be better than."""

import keras
import numpy as np
from sklearn.linear_model import Ridge

from modelling.features.preprocessing import Examples

LINEAR_SKIP = "linear_skip"


def begin_as_ridge(network: keras.Model, train: Examples) -> None:
    """Set the initial weights: the skip is ridge regression, the hidden layers add nothing yet.

    From random weights, a few hundred steps on a short series do not even reach the linear model.

    Parameters
    ----------
    network : keras.Model
        A regression's, from ``build_network``; left alone where it has no layer ``LINEAR_SKIP``.
    train : Examples
        The training rows: features (n, f) and standardised targets (n,).
    """
    by_name = {layer.name: layer for layer in network.layers}
    if (skip := by_name.get(LINEAR_SKIP)) is None:
        return
    fitted = Ridge(alpha=1.0).fit(train.features, train.target)
    kernel = np.broadcast_to(fitted.coef_.reshape(-1, 1), skip.kernel.shape)
    within_bounds = skip.kernel_constraint or (lambda weights: weights)
    skip.kernel.assign(within_bounds(kernel.astype(np.float32)))
    output = by_name["output"]
    output.kernel.assign(np.zeros(output.kernel.shape))
    output.bias.assign(np.full(output.bias.shape, fitted.intercept_))
