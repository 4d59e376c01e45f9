"""The record of a baseline: all that is known of it, in one place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from modelling.schema import Need, Problem

if TYPE_CHECKING:  # a declaration reads these records, and must not load pandas for it
    import pandas as pd

PriceColumns = Literal["returns", "variances", "log_variances"]


@dataclass(frozen=True)
class PriceSeries:
    """A price history of n days in time order, the gaps between the parts with it.

    Attributes
    ----------
    returns, variances : ndarray of shape (n,)
        The log return of each day from close to close, and its realised variance.
    log_variances : ndarray of shape (n, lags)
        Of each declared lag the log of the mean realised variance up to the day.
    target : ndarray of shape (n,)
        The log of the mean realised variance of the next ``horizon_days``.
    train, validation, test : ndarray of int
        The positions of the parts' days.

    Arrays that no declared column holds are empty.
    """

    returns: np.ndarray
    variances: np.ndarray
    log_variances: np.ndarray
    target: np.ndarray
    horizon_days: int
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class BaselineInputs:
    """What a baseline may learn from: the training rows, and the network's own features of them.

    Attributes
    ----------
    problem : str
    classes : int
        How many; 0 in a regression.
    target : str
        The target's column: class codes, or values.
    kinds : mapping
        The kind of each raw feature column, by its name.
    train, validation, test : DataFrame
        The parts with their raw columns. The target of the test rows is for nobody to read.
    train_features : ndarray of shape (rows of train, features)
    transform : callable
        From raw rows to the network's features of them, (rows, features).
    directions : dict
        1 for the columns with which the output may only rise, -1 for those with which it may only
        fall; others are not in it.
    prices : PriceSeries, optional
        Where the columns are derived from a price history.
    lags : tuple of str
        The columns of the target's last values, the latest first, where they are declared. Each is
        known in some training row.
    special_codes : mapping
        By column, the numbers that are no sizes; other columns are not in it.
    is_log_variance : bool
        Whether the target is the log of a variance.
    """

    problem: Problem
    classes: int
    target: str
    kinds: Mapping[str, str]
    train: "pd.DataFrame"
    validation: "pd.DataFrame"
    test: "pd.DataFrame"
    train_features: np.ndarray
    transform: Callable[["pd.DataFrame"], np.ndarray]
    directions: Mapping[str, int] = field(default_factory=dict)
    prices: PriceSeries | None = None
    lags: tuple[str, ...] = ()
    special_codes: Mapping[str, Sequence[float]] = field(default_factory=dict)
    is_log_variance: bool = False

    @property
    def train_target(self) -> np.ndarray:
        return self.train[self.target].to_numpy()


class BaselineOutputs(NamedTuple):
    """Probabilities of the positive class or forecasts, (n,), or of the classes, (n, classes)."""

    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Baseline:
    """One baseline.

    Attributes
    ----------
    name : str
        As in declarations, reports and MLflow (``baseline_NAME_METRIC``).
    problems : tuple of str
        The kinds of problem that it is for.
    title : str
        In figures.
    fit : callable
        From ``BaselineInputs`` to the outputs for validation and test rows.
    needs : tuple of str
        What a use case must declare.
    reads : tuple of str
        The arrays of ``PriceSeries`` that it reads; their columns must be declared.
    in_curves : bool
        Whether a figure shows it beside others: a constant has no curve, and is so far away that
        all others would shrink to a point.
    """

    name: str
    problems: tuple[Problem, ...]
    title: str
    fit: Callable[[BaselineInputs], BaselineOutputs]
    needs: tuple[Need, ...] = ()
    reads: tuple[PriceColumns, ...] = ()
    in_curves: bool = True
