"""What an expert would forecast volatility with before trying a network.

Each forecast is the log variance of the coming horizon for every day of a ``PriceSeries``, of shape
(n,): parameters from the training days, then only what is known at the day's close. The variances
of ``riskmetrics_ewma`` and ``garch`` are those of returns from close to close, night included, and
so lie above the daily range's: compare them after one common factor
(``metrics.forecasts.level_shift``).
"""

from collections.abc import Callable

import numpy as np

from modelling.judgement.baselines.baseline import (
    Baseline,
    BaselineInputs,
    BaselineOutputs,
    PriceColumns,
    PriceSeries,
)
from modelling.judgement.baselines.lags import log_har_on_lags, repeat_last_lag

# The decay factor of daily data in RiskMetrics: Technical Document, 4th edition (1996), chapter 5.
DECAY_DAILY = 0.94
PERCENT = 100.0  # `arch` wants returns in percent: its optimiser fails on variances of 0.0001


def random_walk(prices: PriceSeries) -> np.ndarray:
    """The realised variance of the last days, as many as the horizon has or as there are.

    Returns
    -------
    ndarray of shape (n,)
        Logs of a day's variance.
    """
    import pandas as pd

    days = pd.Series(prices.variances).rolling(prices.horizon_days, min_periods=1)
    return np.log(days.mean()).to_numpy()


def riskmetrics_ewma(prices: PriceSeries) -> np.ndarray:
    """RiskMetrics (1996): variance' = 0.94 variance + 0.06 return^2, the same for all days to come.

    The recursion, which is ``arch``'s, starts from the mean squared return of the training days.

    Returns
    -------
    ndarray of shape (n,)
        Logs of a day's variance.
    """
    from arch.univariate import EWMAVariance

    start = float((prices.returns[prices.train] ** 2).mean())
    returns = np.append(prices.returns, 0.0)  # arch gives the variance of each day before its close
    variance, no_bounds = np.empty(len(returns)), np.empty((0, 2))
    ewma = EWMAVariance(lam=DECAY_DAILY)
    ewma.compute_variance(np.empty(0), returns, variance, start, no_bounds)
    return np.log(variance[1:])


def log_har(prices: PriceSeries) -> np.ndarray:
    """The heterogeneous autoregression of Corsi (2009) in logs, by ordinary least squares.

    Returns
    -------
    ndarray of shape (n,)
        Logs of a day's variance.
    """
    from sklearn.linear_model import LinearRegression

    terms = prices.log_variances
    fitted = LinearRegression().fit(terms[prices.train], prices.target[prices.train])
    return fitted.predict(terms)


def garch(prices: PriceSeries) -> np.ndarray:
    """GARCH(1,1) of Bollerslev (1986) with a constant mean and normal shocks, by ``arch``.

    Maximum likelihood on the returns of the training days; then filtered on with these parameters.
    The forecast is the mean of the expected variances of the horizon's days.

    Returns
    -------
    ndarray of shape (n,)
        Logs of a day's variance.
    """
    from arch import arch_model

    returns = prices.returns * PERCENT
    model = arch_model(returns[prices.train], vol="GARCH", p=1, q=1, rescale=False)
    mu, omega, alpha, beta = model.fit(disp="off").params[["mu", "omega", "alpha[1]", "beta[1]"]]
    squares = (returns - mu) ** 2
    start = float(squares[prices.train].mean())
    next_day = filter_variance(squares, omega, alpha, beta, start)
    mean_variance = mean_expected_variance(next_day, omega, alpha + beta, prices.horizon_days)
    return np.log(mean_variance / PERCENT**2)


def filter_variance(
    squares: np.ndarray, omega: float, alpha: float, beta: float, start: float
) -> np.ndarray:
    """The variance of the day after each day t: omega + alpha squares[t] + beta variance[t].

    ``arch`` filters with fixed parameters too, but starts from the first 75 days of whatever series
    it gets; here the start is the mean of the training days, as in ``riskmetrics_ewma``.

    Parameters
    ----------
    squares : ndarray of shape (n,)
        Squared shocks. NaN makes all that follows NaN.
    omega, alpha, beta : float
    start : float
        The variance of the first day.

    Returns
    -------
    ndarray of shape (n,)
    """
    from scipy.signal import lfilter

    variance, _ = lfilter([1.0], [1.0, -beta], omega + alpha * squares, zi=[beta * start])
    return variance


def mean_expected_variance(
    next_day: np.ndarray, omega: float, persistence: float, days: int
) -> np.ndarray:
    """The mean of what a GARCH(1,1) expects of the next days.

    Parameters
    ----------
    next_day : ndarray of shape (n,)
        The variance of the first of them.
    omega, persistence : float
        The expected variance of a day is omega + persistence * that of the day before;
        ``persistence`` is alpha + beta, and may be 1.
    days : int
        At least 1.

    Returns
    -------
    ndarray of shape (n,)
    """
    expected = [next_day]
    for _ in range(days - 1):
        expected.append(omega + persistence * expected[-1])
    return np.mean(expected, axis=0)


def _volatility_baseline(
    name: str,
    title: str,
    forecast: Callable[[PriceSeries], np.ndarray],
    reads: PriceColumns,
    of_lags: Callable[[BaselineInputs], BaselineOutputs] | None = None,
) -> Baseline:
    """A forecast of a price history or, with ``of_lags``, of any target with declared lags."""

    def fit(inputs: BaselineInputs) -> BaselineOutputs:
        if of_lags is not None and inputs.prices is None:
            return of_lags(inputs)
        assert inputs.prices is not None  # the declaration sees to it
        forecasts = forecast(inputs.prices)
        return BaselineOutputs(forecasts[inputs.prices.validation], forecasts[inputs.prices.test])

    return Baseline(
        name=name,
        problems=("regression",),
        title=title,
        fit=fit,
        needs=("derived.method price_history" if of_lags is None else "lags",),
        reads=(reads,),
    )


BASELINES = (
    _volatility_baseline("random_walk", "random walk", random_walk, "variances", repeat_last_lag),
    _volatility_baseline("riskmetrics_ewma", "RiskMetrics", riskmetrics_ewma, "returns"),
    _volatility_baseline("log_har", "log HAR", log_har, "log_variances", log_har_on_lags),
    _volatility_baseline("garch", "GARCH(1,1)", garch, "returns"),
)
