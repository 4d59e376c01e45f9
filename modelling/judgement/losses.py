"""The loss of each row, and how far that of other settings differs beyond chance."""

from typing import NamedTuple

import numpy as np

from modelling.judgement.intervals import bootstrap
from modelling.judgement.metrics.metric import format_value
from modelling.schema import Problem


def losses_of_rows(outputs: np.ndarray, target: np.ndarray, problem: Problem) -> np.ndarray:
    """The squared error of each row, or the negative log of its class's probability.

    Parameters
    ----------
    outputs : (n,) or (n, outputs)
        Forecasts, or probabilities: of the positive class, or of each class.
    target : (n,)

    Returns
    -------
    (n,)
    """
    if outputs.ndim == 2 and outputs.shape[1] == 1:
        outputs = outputs[:, 0]
    if problem == "regression":
        return np.asarray((outputs - target) ** 2, dtype=np.float64)
    if outputs.ndim == 1:
        outputs = np.column_stack([1 - outputs, outputs])
    chances = outputs[np.arange(len(target)), target.astype(np.intp)]
    return np.asarray(-np.log(chances.clip(1e-12)), dtype=np.float64)


class Gain(NamedTuple):
    """How much lower a mean loss is than another of the same rows, and the standard error of
    that."""

    value: float
    standard_error: float

    @property
    def exceeds_error(self) -> bool:
        """The one-standard-error rule (Breiman, Friedman, Olshen and Stone 1984, "Classification
        and regression trees", section 3.4.3)."""
        return self.value > self.standard_error

    def __str__(self) -> str:
        return f"{format_value(self.value)} ± {format_value(self.standard_error)}"


def gain_of(losses: np.ndarray, than: np.ndarray, groups: np.ndarray) -> Gain:
    """How much lower the mean of ``losses`` is than that of ``than``, by a paired bootstrap.

    Parameters
    ----------
    losses, than : (n,)
        The losses of the same rows.
    groups : (n,) int
        Rows of one group are drawn together. Where there is only one, rows are drawn.

    Returns
    -------
    Gain
        Positive where ``losses`` are lower.
    """
    groups = np.unique(groups, return_inverse=True)[1]
    if groups.max() == 0:  # one group says nothing of others: at least the rows differ
        groups = np.arange(len(groups))
    lower = than - losses
    values = bootstrap({"gain": lambda drawn: (lower @ drawn) / drawn.sum(axis=0)}, groups)["gain"]
    return Gain(float(values[0]), float(values[1:].std()))
