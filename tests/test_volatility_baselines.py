"""Volatility baselines: the formulas of their papers, and nothing of the future in them."""

import numpy as np
import pandas as pd
import pytest

from modelling.data.loading import read_table
from modelling.data.price_history import derive_price_history
from modelling.data.splitting import Parts
from modelling.data.typed_columns import type_columns
from modelling.declaration.declared_derivations import target_name
from modelling.judgement.baseline_predictions import price_series
from modelling.judgement.baselines.volatility import (
    filter_variance,
    garch,
    log_har,
    mean_expected_variance,
    random_walk,
    riskmetrics_ewma,
)
from use_cases import find_use_case

USE_CASE = find_use_case("market_volatility")
DERIVED = USE_CASE.derived
TRAIN_ROWS = pd.RangeIndex(1500)
FORECASTS = [random_walk, riskmetrics_ewma, log_har, garch]


def forecast_of(forecast, table, derived=DERIVED):
    use_case = USE_CASE.model_copy(update={"derived": derived, "target": target_name(derived)})
    train, rest = table.loc[TRAIN_ROWS], table.iloc[len(TRAIN_ROWS) :]
    return forecast(price_series(table, Parts(train, rest, rest), use_case))


@pytest.fixture(scope="module")
def prices():
    return type_columns(read_table(USE_CASE.source), USE_CASE).table.head(2600)


@pytest.fixture(scope="module")
def table(prices):
    return derive_price_history(prices, DERIVED)


@pytest.mark.parametrize("forecast", FORECASTS)
def test_no_forecast_knows_what_comes_after_its_day(forecast, prices, table):
    """Other prices after row 2,000 change no forecast up to it, and some after it."""
    otherwise = prices.copy()
    later = slice(22 + 2001, None)
    factor = np.random.default_rng(0).uniform(0.9, 1.1, (len(prices.loc[later]), 1))
    otherwise.loc[later, ["High", "Low", "Close"]] *= factor
    otherwise.loc[later, "High"] *= 1.01
    changed = derive_price_history(otherwise, DERIVED)
    before, after = (forecast_of(forecast, rows) for rows in (table, changed))
    assert before.shape == (len(table),)
    assert np.isfinite(before).all()
    np.testing.assert_array_equal(after[:2001], before[:2001])
    assert (after[2001:] != before[2001:]).mean() > 0.9


@pytest.mark.parametrize("forecast", FORECASTS)
def test_parameters_come_from_training_rows_only(forecast, table):
    """A table that ends with the training rows gives the same forecasts for them."""
    whole = forecast_of(forecast, table)
    alone = forecast_of(forecast, table.loc[TRAIN_ROWS])
    np.testing.assert_allclose(whole[TRAIN_ROWS], alone, rtol=1e-12)


@pytest.mark.parametrize("forecast", FORECASTS)
def test_any_horizon_is_forecast_also_one_without_a_lag_of_its_length(forecast, prices):
    derived = DERIVED.model_copy(update={"horizon_days": 3})
    table = derive_price_history(prices, derived)
    forecasts = forecast_of(forecast, table, derived)
    later = table.index.difference(TRAIN_ROWS)
    known = np.corrcoef(forecasts[later], table.loc[later, target_name(derived)])[0, 1]
    assert known > 0.4


def test_the_random_walk_repeats_the_last_target(table):
    """What it forecasts at t is what was to be forecast five days before."""
    forecast = forecast_of(random_walk, table)
    np.testing.assert_allclose(forecast[5:], table[USE_CASE.target][:-5], rtol=1e-12)


def test_riskmetrics_is_its_recursion(table):
    """What ``arch`` computes, to twelve digits: the sum is done in another order."""
    returns = table["return_1_day"].to_numpy()
    variance = np.mean(returns[TRAIN_ROWS] ** 2)
    expected = []
    for value in returns:
        variance = 0.94 * variance + 0.06 * value**2
        expected.append(np.log(variance))
    np.testing.assert_allclose(forecast_of(riskmetrics_ewma, table), expected, rtol=1e-12)


def test_har_is_least_squares_on_three_horizons(table):
    terms = table[["log_variance_1_day", "log_variance_5_days", "log_variance_22_days"]].to_numpy()
    terms = np.column_stack([np.ones(len(terms)), terms])
    target = table[USE_CASE.target].to_numpy()
    weights = np.linalg.lstsq(terms[TRAIN_ROWS], target[TRAIN_ROWS], rcond=None)[0]
    np.testing.assert_allclose(forecast_of(log_har, table), terms @ weights, rtol=1e-9)
    assert 0.7 < weights[1:].sum() < 1  # persistent, and it returns to its mean


def test_garch_forecasts_what_arch_itself_forecasts(table):
    """With the parameters of the training rows, once the start of the recursion is forgotten."""
    from arch import arch_model

    returns = 100 * table["return_1_day"]
    settings = {"vol": "GARCH", "p": 1, "q": 1, "rescale": False}
    parameters = arch_model(returns[TRAIN_ROWS], **settings).fit(disp="off").params
    fixed = arch_model(returns, **settings).fix(parameters)
    expected = fixed.forecast(horizon=5, start=0).variance.mean(axis=1)
    forecast = forecast_of(garch, table)
    np.testing.assert_allclose(
        np.exp(forecast[1000:]), expected[1000:] / 100**2, rtol=1e-6, err_msg="horizon of five days"
    )


def test_a_garch_forecast_goes_back_to_the_mean_by_its_closed_form():
    """E[variance in h days] = v + persistence^(h - 1) (variance of the next day - v)."""
    omega, alpha, beta = 0.02, 0.08, 0.9
    mean, next_day = omega / (1 - alpha - beta), np.array([0.3, 1.0, 9.0])
    by_day = [mean + (alpha + beta) ** h * (next_day - mean) for h in range(5)]
    got = mean_expected_variance(next_day, omega, alpha + beta, 5)
    np.testing.assert_allclose(got, np.mean(by_day, axis=0))
    np.testing.assert_array_equal(mean_expected_variance(next_day, 0.0, 1.0, 5), next_day)


def test_a_filter_without_shocks_settles_at_its_fixed_point():
    settled = filter_variance(np.full(2000, 2.0), 0.1, 0.05, 0.9, start=50.0)
    assert settled[-1] == pytest.approx((0.1 + 0.05 * 2.0) / (1 - 0.9))
    assert settled[0] == pytest.approx(0.1 + 0.05 * 2.0 + 0.9 * 50.0)
