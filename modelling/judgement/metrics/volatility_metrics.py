"""How far a forecast of variance was from the variance that was realised, both as logs."""

import numpy as np


def qlike(log_variance: np.ndarray, forecast_log_variance: np.ndarray) -> float:
    """Mean of r - log r - 1, where r = realised / forecast variance; 0 is perfect.

    Patton (2011), "Volatility forecast comparison using imperfect volatility proxies", Journal of
    Econometrics 160: one of the two losses that rank forecasts rightly although the realised
    variance is only an estimate. A forecast that is too low costs more than one too high by the
    same factor, as it does whoever holds the risk. Both arguments have shape (n,), in logs; NaN in
    either makes it NaN, an empty one too.
    """
    log_ratio = _difference(log_variance, forecast_log_variance)
    return float(np.mean(np.expm1(log_ratio) - log_ratio))


def level_shift(log_variance: np.ndarray, forecast_log_variance: np.ndarray) -> float:
    """What to add to log forecasts of another scale so that their ``qlike`` is least on these rows.

    It is log(mean(realised / forecast)), where the derivative of QLIKE by a common factor is 0.
    Forecasts of a mean of logs, or of variances with the night in them, lie on another level than
    the realised variance. Choose it on validation rows.
    """
    return float(np.log(np.mean(np.exp(_difference(log_variance, forecast_log_variance)))))


def _difference(log_variance: np.ndarray, forecast_log_variance: np.ndarray) -> np.ndarray:
    return np.asarray(log_variance, np.float64) - np.asarray(forecast_log_variance, np.float64)
