"""What is done to the numbers of a block of features before all are scaled."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np


def _identity(values: np.ndarray, _: np.ndarray) -> np.ndarray:
    return values


def _log(values: np.ndarray, units: np.ndarray) -> np.ndarray:
    """log1p with the sign of the value: monotone, and linear near zero, up to about the ``units``
    (columns,); without any, as in older models, up to 1."""
    sizes = np.abs(values) / units if len(units) else np.abs(values)
    return np.sign(values) * np.log1p(sizes)


def _quantile(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """The share of training rows below, from 0 to 1; ``quantiles`` is (columns, levels).

    Ties are averaged from both sides, as in scikit-learn's QuantileTransformer.
    """
    levels = np.linspace(0, 1, quantiles.shape[1])
    shares = np.empty_like(values)
    for column, points in enumerate(quantiles):
        below = np.interp(values[:, column], points, levels)
        above = -np.interp(-values[:, column], -points[::-1], -levels[::-1])
        shares[:, column] = (below + above) / 2
    return shares


def _yeo_johnson(values: np.ndarray, lambdas: np.ndarray) -> np.ndarray:
    """Yeo and Johnson (2000), 'A new family of power transformations', equation 2.1."""
    positive = values >= 0
    up, down = np.where(positive, values, 0.0), np.where(positive, 0.0, values)
    power, mirrored = lambdas, 2.0 - lambdas
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        right = np.where(power == 0, np.log1p(up), ((up + 1) ** power - 1) / power)
        left = np.where(mirrored == 0, -np.log1p(-down), -((1 - down) ** mirrored - 1) / mirrored)
    return np.where(positive, right, left)


TRANSFORMS = {"none": _identity, "log": _log, "quantile": _quantile, "yeo_johnson": _yeo_johnson}


class Block(NamedTuple):
    """The transformation of some features, before all are scaled."""

    features: slice
    transform: Callable[[np.ndarray, np.ndarray], np.ndarray]
    parameters: np.ndarray


def transformed_blocks(states: Sequence[dict[str, Any]]) -> Iterator[Block]:
    """The blocks whose transformation is not ``none``."""
    last = 0
    for state in states:
        first, last = last, last + len(state["columns"])
        if state["transform"] != "none":
            parameters = np.array(state["parameters"], dtype=np.float64)
            yield Block(slice(first, last), TRANSFORMS[state["transform"]], parameters)
