"""What an expert would forecast volatility with before trying a network.

Each forecast takes the table of ``data.price_history`` (n rows in time order), the positions
of the training rows in it and the declaration, and gives the forecast log variance of
the coming horizon for every row, shape (n,): parameters from the training rows, then only what is
known at the row's close. The variances of ``riskmetrics_ewma`` and ``garch`` are those of returns
from close to close, night included, and so lie above the daily range's: compare after one common
factor (``volatility_metrics.level_shift``).
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from sklearn.linear_model import LinearRegression

from modelling.declaration import PriceHistory
from modelling.declaration.price_names import RETURN, VARIANCE, log_variance_name, target_name

Forecast = Callable[[pd.DataFrame, np.ndarray, PriceHistory], np.ndarray]

# The decay factor of daily data in RiskMetrics: Technical Document, 4th edition (1996), chapter 5.
DECAY_DAILY = 0.94
PERCENT = 100.0  # `arch` wants returns in percent: its optimiser fails on variances of 0.0001


def random_walk(table: pd.DataFrame, _: np.ndarray, derived: PriceHistory) -> np.ndarray:
    """Tomorrow as today: the realised variance of the last days, as many as the horizon has,
    or as there are in the first rows."""
    days = table[VARIANCE].rolling(derived.horizon_days, min_periods=1)
    return np.log(days.mean()).to_numpy()


def riskmetrics_ewma(table: pd.DataFrame, train_rows: np.ndarray, _: PriceHistory) -> np.ndarray:
    """RiskMetrics (1996): variance' = 0.94 variance + 0.06 return^2, the same for all days to come.

    The recursion starts from the mean squared return of the training rows.
    """
    squares = table[RETURN].to_numpy() ** 2
    start = float(squares[train_rows].mean())
    return np.log(filter_variance(squares, 0.0, 1 - DECAY_DAILY, DECAY_DAILY, start))


def log_har(table: pd.DataFrame, train_rows: np.ndarray, derived: PriceHistory) -> np.ndarray:
    """The heterogeneous autoregression of Corsi (2009) in logs, by ordinary least squares."""
    terms = table[[log_variance_name(days) for days in derived.lags_days]]
    target = table[target_name(derived)]
    fitted = LinearRegression().fit(terms.iloc[train_rows], target.iloc[train_rows])
    return fitted.predict(terms)


def garch(table: pd.DataFrame, train_rows: np.ndarray, derived: PriceHistory) -> np.ndarray:
    """GARCH(1,1) of Bollerslev (1986) with a constant mean and normal shocks, by ``arch``.

    Maximum likelihood on the returns of the training rows; then filtered on with these parameters.
    The forecast is the mean of the expected variances of the horizon's days.
    """
    from arch import arch_model

    returns = table[RETURN] * PERCENT
    fitted = arch_model(returns.iloc[train_rows], vol="GARCH", p=1, q=1, rescale=False).fit(
        disp="off"
    )
    mu, omega, alpha, beta = fitted.params[["mu", "omega", "alpha[1]", "beta[1]"]]
    squares = (returns.to_numpy() - mu) ** 2
    start = float(squares[train_rows].mean())
    next_day = filter_variance(squares, omega, alpha, beta, start)
    mean_variance = mean_expected_variance(next_day, omega, alpha + beta, derived.horizon_days)
    return np.log(mean_variance / PERCENT**2)


def filter_variance(
    squares: np.ndarray, omega: float, alpha: float, beta: float, start: float
) -> np.ndarray:
    """The variance of the day after each day t: omega + alpha squares[t] + beta variance[t].

    ``squares`` (n,) are squared shocks, ``start`` is the variance of the first day. Shape (n,).
    """
    variance, _ = lfilter([1.0], [1.0, -beta], omega + alpha * squares, zi=[beta * start])
    return variance


def mean_expected_variance(
    next_day: np.ndarray, omega: float, persistence: float, days: int
) -> np.ndarray:
    """The mean of what a GARCH(1,1) expects of the next ``days`` days, shape of ``next_day``.

    The expected variance of a day is omega + persistence * that of the day before, where
    ``persistence`` is alpha + beta; it may be 1.
    """
    expected = [next_day]
    for _ in range(days - 1):
        expected.append(omega + persistence * expected[-1])
    return np.mean(expected, axis=0)


VOLATILITY_BASELINES: Mapping[str, Forecast] = {
    "random_walk": random_walk,
    "riskmetrics_ewma": riskmetrics_ewma,
    "log_har": log_har,
    "garch": garch,
}
