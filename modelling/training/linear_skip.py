"""Let a network with a linear skip begin as the linear model that it should be better than."""

import keras
import numpy as np
from scipy.optimize import lsq_linear

from modelling.features.preprocessing import Examples
from modelling.training.monotone_weights import Bounds

LINEAR_SKIP = "linear_skip"
ALPHA = 1.0  # as in scikit-learn's Ridge
ROWS_AT_ONCE = 65_536


def begin_as_ridge(network: keras.Model, train: Examples) -> None:
    """Set the initial weights: the skip is ridge regression, the hidden layers add nothing yet.

    From random weights, a few hundred steps on few rows do not even reach the linear model.

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
    coefficients, intercept = _ridge_within(skip.kernel_constraint, train)
    kernel = np.broadcast_to(coefficients.reshape(-1, 1), skip.kernel.shape)
    skip.kernel.assign(kernel.astype(np.float32))
    output = by_name["output"]
    output.kernel.assign(np.zeros(output.kernel.shape))
    output.bias.assign(np.full(output.bias.shape, intercept))


def _ridge_within(bounds: Bounds | None, train: Examples) -> tuple[np.ndarray, float]:
    """The coefficients (f,) and the intercept of ridge regression, each coefficient within its
    bounds. Fitted freely and then cut, the others would still answer to what is no longer there."""
    means, mean = train.features.mean(axis=0, dtype=np.float64), train.target.mean(dtype=np.float64)
    squares, products = _moments(train, means, mean)
    if bounds is None:
        found = np.linalg.solve(squares + ALPHA * np.eye(len(means)), products)
    else:
        # X'X + alpha I as a product of f rows: as good as [X; sqrt(alpha) I], which has n + f.
        sizes, axes = np.linalg.eigh(squares)
        roots = np.sqrt(np.maximum(sizes, 0) + ALPHA)
        limits = bounds.lowest[:, 0], bounds.highest[:, 0]
        aim = axes.T @ products / roots
        found = lsq_linear(roots[:, None] * axes.T, aim, limits, method="bvls").x
    return found, float(mean - means @ found)


def _moments(train: Examples, means: np.ndarray, mean: float) -> tuple[np.ndarray, np.ndarray]:
    """X'X (f, f) and X'y (f,) of the centred rows, without a copy of all of them in float64."""
    squares, products = np.zeros((len(means), len(means))), np.zeros(len(means))
    for first in range(0, len(train.target), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        centred = train.features[rows] - means
        squares += centred.T @ centred
        products += centred.T @ (train.target[rows] - mean)
    return squares, products
