"""QLIKE: what it punishes, and the common factor that makes forecasts of another scale fair."""

import numpy as np
import pytest

from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.forecasts import level_shift
from modelling.judgement.metrics.metric import Scored

RNG = np.random.default_rng(0)
LOG_VARIANCE = RNG.normal(-10, 1, 500)


def qlike(log_variance, forecast):
    return find_metric("qlike", "regression").value(Scored(log_variance, forecast))


def test_a_perfect_forecast_costs_nothing_and_every_other_something():
    assert qlike(LOG_VARIANCE, LOG_VARIANCE) == 0
    for error in (-2.0, -1e-3, 1e-3, 2.0):
        assert qlike(LOG_VARIANCE, LOG_VARIANCE + error) > 0


def test_it_is_pattons_formula():
    forecast = LOG_VARIANCE + RNG.normal(0, 0.5, 500)
    ratio = np.exp(LOG_VARIANCE) / np.exp(forecast)
    assert qlike(LOG_VARIANCE, forecast) == pytest.approx(np.mean(ratio - np.log(ratio) - 1))


def test_too_low_a_forecast_costs_more_than_too_high_a_one():
    half, double = (qlike(LOG_VARIANCE, LOG_VARIANCE + sign * np.log(2)) for sign in (-1, 1))
    assert half == pytest.approx(1 - np.log(2))
    assert double == pytest.approx(np.log(2) - 0.5)
    assert half > double


def test_it_is_least_for_the_mean_of_a_noisy_variance():
    """Patton (2011): the proxy's noise does not move the best forecast away from its mean."""
    proxy = 1e-4 * RNG.chisquare(1, 200_000)
    costs = [qlike(np.log(proxy), np.log(1e-4 * factor)) for factor in (0.9, 1.0, 1.1)]
    assert min(costs) == costs[1]


def test_the_shift_is_the_best_common_factor_and_repairs_any():
    forecast = LOG_VARIANCE + RNG.normal(0, 0.5, 500)
    shift = level_shift(LOG_VARIANCE, forecast)
    best = qlike(LOG_VARIANCE, forecast + shift)
    assert best < min(qlike(LOG_VARIANCE, forecast + shift + off) for off in (-0.01, 0.01))
    assert level_shift(LOG_VARIANCE, forecast - 3.0) == pytest.approx(shift + 3.0)


def test_a_missing_value_is_never_hidden():
    assert np.isnan(qlike(LOG_VARIANCE, np.where(LOG_VARIANCE > -10, np.nan, LOG_VARIANCE)))
