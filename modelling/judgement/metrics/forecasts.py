"""How far forecasts of a number, or of the log of a variance, are from what happened."""

import numpy as np

from modelling.judgement.metrics.metric import Metric, Scored, Weighted, weighted_mean


def rmse(scored: Scored) -> float:
    """The root of scikit-learn's ``mean_squared_error``, in the target's unit."""
    return _root_mean_squared_error(scored.target, scored.outputs)


def _root_mean_squared_error(target: np.ndarray, forecasts: np.ndarray) -> float:
    from sklearn.metrics import mean_squared_error

    return float(mean_squared_error(target, forecasts) ** 0.5)


def weighted_rmse(scored: Scored) -> Weighted:
    """Root of the weighted mean of the squared errors, in the target's unit."""
    mean_square = weighted_mean((scored.outputs.astype(np.float64) - scored.target) ** 2)
    return lambda weights: np.sqrt(mean_square(weights))


def mae(scored: Scored) -> float:
    """scikit-learn's ``mean_absolute_error``, in the target's unit."""
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(scored.target, scored.outputs))


def r2(scored: Scored) -> float:
    """scikit-learn's ``r2_score``: 1 is perfect, 0 the mean of these rows; NaN of a single row."""
    from sklearn.metrics import r2_score

    return float(r2_score(scored.target, scored.outputs))


def r2_against_naive(scored: Scored) -> float:
    """The share by which the mean squared error is below that of the naive baseline."""
    return 1 - (rmse(scored) / _root_mean_squared_error(scored.target, scored.naive_outputs)) ** 2


def weighted_qlike(scored: Scored) -> Weighted:
    """Quasi-likelihood loss of log variances: the mean of r - log r - 1, where r is the realised
    over the forecast variance; 0 is perfect.

    One of the two losses that rank forecasts rightly although the realised variance is only an
    estimate. A forecast that is too low costs more than one too high by the same factor, as it does
    whoever holds the risk. NaN in the target or the forecast makes it NaN.

    References
    ----------
    Patton (2011), "Volatility forecast comparison using imperfect volatility proxies", Journal of
    Econometrics 160, equation 25 with its minimum moved to 0.
    """
    log_ratio = scored.target.astype(np.float64) - scored.outputs.astype(np.float64)
    return weighted_mean(np.expm1(log_ratio) - log_ratio)


def level_shift(log_variance: np.ndarray, forecast_log_variance: np.ndarray) -> float:
    """What to add to log forecasts of another scale so that their QLIKE is lowest on these rows.

    Forecasts of a mean of logs, or of variances with the night in them, lie on another level than
    the realised variance. Choose the shift on validation rows.

    Parameters
    ----------
    log_variance, forecast_log_variance : ndarray of shape (n,)
        Logs of the realised and of the forecast variance, in any one unit.

    Returns
    -------
    float
        log(mean(realised / forecast)), where the derivative of QLIKE by a common factor is 0. NaN
        where a value is NaN, or without rows.
    """
    log_ratio = log_variance.astype(np.float64) - forecast_log_variance.astype(np.float64)
    return float(np.log(np.mean(np.exp(log_ratio))))


METRICS = (
    Metric(
        name="rmse",
        problems=("regression",),
        verb="forecasts",
        higher_is_better=False,
        title="root mean squared error",
        unit="in the target's unit",
        plain=rmse,
        weighted=weighted_rmse,
        default_headline_of=("regression",),
    ),
    Metric(
        name="mae",
        problems=("regression",),
        verb="forecasts",
        higher_is_better=False,
        title="mean absolute error",
        unit="in the target's unit",
        plain=mae,
    ),
    Metric(
        name="r2",
        problems=("regression",),
        verb="forecasts",
        higher_is_better=True,
        title="coefficient of determination",
        plain=r2,
    ),
    Metric(
        name="qlike",
        problems=("regression",),
        verb="forecasts",
        higher_is_better=False,
        title="QLIKE loss",
        weighted=weighted_qlike,
        needs=("target_kind log_variance",),
    ),
    Metric(
        name="r2_against_naive",
        problems=("regression",),
        higher_is_better=True,
        title="coefficient of determination against the naive baseline",
        plain=r2_against_naive,
        needs=("baselines",),
    ),
)
