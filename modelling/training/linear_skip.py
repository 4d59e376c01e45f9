"""Let a network with a linear skip begin as the linear model that it should be better than."""

import keras
import numpy as np
from scipy.optimize import lsq_linear

from modelling.features.preprocessing import Examples
from modelling.training.monotone_weights import Bounds

LINEAR_SKIP = "linear_skip"
PENALTIES = np.geomspace(1, 1e6, 25)  # from that of scikit-learn's Ridge to next to no linear part
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
    sizes, axes = np.linalg.eigh(squares)
    sizes, products = np.maximum(sizes, 0), axes.T @ products
    penalty = _penalty(sizes, products, train.target - mean)
    if bounds is None:
        found = axes @ (products / (sizes + penalty))
    else:
        # X'X + penalty I as a product of f rows: as good as the n + f rows of X and the penalty.
        roots = np.sqrt(sizes + penalty)
        limits = bounds.lowest[:, 0], bounds.highest[:, 0]
        found = lsq_linear(roots[:, None] * axes.T, products / roots, limits, method="bvls").x
    return found, float(mean - means @ found)


def _penalty(sizes: np.ndarray, products: np.ndarray, target: np.ndarray) -> float:
    """Of ``PENALTIES`` the one with the lowest error of generalised cross-validation on the
    training rows: where there are many features for few rows, a network that began with too low a
    penalty would begin overfitted.

    Parameters
    ----------
    sizes, products : (f,)
        The eigenvalues of X'X, and X'y along its axes.
    target : (n,)
        Centred.

    References
    ----------
    Golub, Heath and Wahba (1979), "Generalized cross-validation as a method for choosing a good
    ridge parameter".
    """
    divisors = sizes + PENALTIES[:, None]
    unexplained = target @ target + ((sizes / divisors - 2) * products**2 / divisors).sum(axis=1)
    left = len(target) - 1 - (sizes / divisors).sum(axis=1)  # degrees of freedom
    return float(PENALTIES[np.argmin(unexplained / np.maximum(left, 1e-9) ** 2)])


def _moments(train: Examples, means: np.ndarray, mean: float) -> tuple[np.ndarray, np.ndarray]:
    """X'X (f, f) and X'y (f,) of the centred rows, without a copy of all of them in float64."""
    squares, products = np.zeros((len(means), len(means))), np.zeros(len(means))
    for first in range(0, len(train.target), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        centred = train.features[rows] - means
        squares += centred.T @ centred
        products += centred.T @ (train.target[rows] - mean)
    return squares, products
