"""Random walk and log-HAR for any target whose last values are columns of the table."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modelling.judgement.baselines.baseline import BaselineInputs, BaselineOutputs

if TYPE_CHECKING:
    import pandas as pd

LagTerms = Callable[["pd.DataFrame"], np.ndarray]


def repeat_last_lag(inputs: BaselineInputs) -> BaselineOutputs:
    """The latest known value, in the unit of the target."""
    terms = lag_terms(inputs)
    return BaselineOutputs(terms(inputs.validation)[:, 0], terms(inputs.test)[:, 0])


def log_har_on_lags(inputs: BaselineInputs) -> BaselineOutputs:
    """The heterogeneous autoregression of Corsi (2009) in logs, by ordinary least squares.

    A target that is no log is forecast by the mean of its distribution, not by that of its log
    (Duan 1983, "Smearing estimate"); one that is not above zero in all training rows, such as a
    return, has no log, and is regressed as it is.
    """
    from sklearn.linear_model import LinearRegression

    terms, target = lag_terms(inputs), inputs.train_target.astype(np.float64)
    train, others = terms(inputs.train), [terms(part) for part in (inputs.validation, inputs.test)]
    if inputs.is_log_variance or not _all_above_zero(target, train):
        fitted = LinearRegression().fit(train, target)
        return BaselineOutputs(*(fitted.predict(lags) for lags in others))
    smallest = train.min(axis=0)
    fitted = LinearRegression().fit(np.log(train), np.log(target))
    smearing = np.exp(np.log(target) - fitted.predict(np.log(train))).mean()
    forecasts = (np.exp(fitted.predict(_logs(lags, smallest))) for lags in others)
    return BaselineOutputs(*(smearing * forecast for forecast in forecasts))


def lag_terms(inputs: BaselineInputs) -> LagTerms:
    """From rows to the declared lags in the unit of the target, (n, lags), the latest first.

    Where the target is the log of a variance, a lag may be the variance itself: its training
    values are all above zero, and their logs lie nearer to those of the target. Missing ones, and
    special codes, get the median of the training rows.
    """
    train = known_values(inputs.train, inputs.lags, inputs.special_codes)
    medians = np.nanmedian(train, axis=0)
    known = np.where(np.isnan(train), medians, train)
    smallest, level = known.min(axis=0), inputs.train_target.mean()
    logs_of_medians = _logs(medians, np.ones(len(medians)))
    is_nearer = np.abs(logs_of_medians - level) < np.abs(medians - level)
    is_variance = inputs.is_log_variance & (smallest > 0) & is_nearer

    def terms(part: "pd.DataFrame") -> np.ndarray:
        lags = known_values(part, inputs.lags, inputs.special_codes)
        lags = np.where(np.isnan(lags), medians, lags)
        return np.where(is_variance, _logs(lags, np.where(is_variance, smallest, 1.0)), lags)

    return terms


def known_values(
    part: "pd.DataFrame", lags: Sequence[str], special_codes: Mapping[str, Sequence[float]]
) -> np.ndarray:
    """The columns ``lags`` of ``part``, (n, lags): NaN where there is no number, or a code."""
    values = part[[*lags]].to_numpy(dtype=np.float64, copy=True)
    values[~np.isfinite(values)] = np.nan
    for position, name in enumerate(lags):
        values[np.isin(values[:, position], special_codes.get(name, ())), position] = np.nan
    return values


def _logs(values: np.ndarray, smallest: np.ndarray) -> np.ndarray:
    """What is not above zero counts as the ``smallest`` of training."""
    return np.log(np.where(values > 0, values, smallest))


def _all_above_zero(*values: np.ndarray) -> bool:
    return all(bool((some > 0).all()) for some in values)
