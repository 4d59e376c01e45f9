"""Random walk and log-HAR for any target whose last values are columns of the table."""

from collections.abc import Callable
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
    if inputs.is_log_variance or not _all_above_zero(target, terms(inputs.train)):
        fitted = LinearRegression().fit(terms(inputs.train), target)
        return BaselineOutputs(
            *(fitted.predict(terms(p)) for p in (inputs.validation, inputs.test))
        )
    smallest = np.minimum(target.min(), terms(inputs.train).min(axis=0))

    def logs(part: "pd.DataFrame") -> np.ndarray:
        return np.log(np.maximum(terms(part), smallest))

    fitted = LinearRegression().fit(logs(inputs.train), np.log(target))
    smearing = np.exp(np.log(target) - fitted.predict(logs(inputs.train))).mean()
    forecasts = (np.exp(fitted.predict(logs(p))) for p in (inputs.validation, inputs.test))
    return BaselineOutputs(*(smearing * forecast for forecast in forecasts))


def lag_terms(inputs: BaselineInputs) -> LagTerms:
    """From rows to the declared lags in the unit of the target, (n, lags), the latest first.

    Where the target is the log of a variance, a lag may be the variance itself: its training
    values are all above zero, and their logs lie nearer to those of the target. Missing ones get
    the median of the training rows.
    """
    train = inputs.train[[*inputs.lags]].to_numpy(dtype=np.float64)
    medians = np.nan_to_num(np.nanmedian(np.where(np.isfinite(train), train, np.nan), axis=0))
    level = inputs.train_target.mean()
    is_variance = np.array(
        [
            inputs.is_log_variance
            and _all_above_zero(lag[np.isfinite(lag)])
            and abs(np.log(median) - level) < abs(median - level)
            for lag, median in zip(train.T, medians, strict=True)
        ]
    )

    def terms(part: "pd.DataFrame") -> np.ndarray:
        lags = part[[*inputs.lags]].to_numpy(dtype=np.float64)
        lags = np.where(np.isfinite(lags), lags, medians)
        smallest = np.where(is_variance, np.nanmin(train, axis=0), 1.0)
        logs = np.log(np.maximum(lags, smallest))
        return np.where(is_variance, logs, lags)

    return terms


def _all_above_zero(*values: np.ndarray) -> bool:
    return all(bool((some > 0).all()) for some in values)
