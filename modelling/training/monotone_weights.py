"""Bounds on weights that make a network monotone in some of its features.

A network of non-negative weights and rising activations rises with its inputs (Sill 1998). Such a
network can hardly bend down, so half of the units that see a feature with a direction are turned
around: all of their weights, in and out, have the other sign (as the concave units of Runje and
Shankaranarayana 2023). The other features have a half of the units for themselves, whose weights
are free, so that only the way from a feature with a direction is bound (Daniels and Velikova 2010).
"""

from typing import Any

import keras
import numpy as np

FREE, ALIKE, TURNED = 0, 1, -1  # what a unit does as the score rises: anything, rises, falls


def kinds_of_units(units: int) -> np.ndarray:
    """Of a hidden layer (units,): half are free, a quarter is alike, a quarter is turned around."""
    return np.resize([ALIKE, FREE, TURNED, FREE], units)


class Bounds(keras.constraints.Constraint):
    """Keeps each weight between its bounds; applied by Keras after each step of the optimizer.

    ``sources`` (in,) and ``targets`` (out,) are the kinds of the units that a kernel of shape
    (..., in, out) joins. Free sources may do anything. From others, the weight has the product of
    both signs, and none leads to a free unit.
    """

    def __init__(self, sources: Any, targets: Any):
        self.sources, self.targets = np.asarray(sources), np.asarray(targets)
        bound = (self.sources != FREE)[:, None]
        sign = self.sources[:, None] * self.targets[None, :]
        self.lowest = np.where(bound & (sign >= 0), 0.0, -np.inf).astype(np.float32)
        self.highest = np.where(bound & (sign <= 0), 0.0, np.inf).astype(np.float32)

    def __call__(self, w: Any) -> Any:
        return keras.ops.clip(w, self.lowest, self.highest)

    def get_config(self) -> dict[str, Any]:
        return {"sources": self.sources.tolist(), "targets": self.targets.tolist()}


class Signed(keras.initializers.Initializer):
    """Another initializer's weights, each with the sign that its bounds ask for.

    What k weights of one sign carry adds up to k times as much, that of any sign to the root of k
    times: so they are divided by that root.
    """

    def __init__(self, initial: keras.initializers.Initializer, bounds: Bounds):
        self.initial, self.bounds = initial, bounds

    def __call__(self, shape: Any, dtype: Any = None, **arguments: Any) -> Any:
        weights = self.initial(shape, dtype=dtype, **arguments)
        lowest, highest = self.bounds.lowest, self.bounds.highest
        sign = (lowest == 0).astype(np.float32) - (highest == 0).astype(np.float32)
        bound = max(int(np.count_nonzero(self.bounds.sources)), 1)
        smaller = sign * keras.ops.abs(weights) / bound**0.5
        return keras.ops.where((lowest == 0) | (highest == 0), smaller, weights)

    def get_config(self) -> dict[str, Any]:
        return {"initial": self.initial, "bounds": self.bounds}
