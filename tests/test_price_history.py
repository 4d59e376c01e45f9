"""A volatility forecast's rows: what they measure, and that none of them knows the future."""

import re

import numpy as np
import pandas as pd
import pytest
from small_models import prepared

from modelling.data.derived_columns import derive_columns
from modelling.data.loading import read_table
from modelling.data.price_history import (
    LEAST_VARIANCE_DAILY,
    derive_price_history,
    parkinson_variance,
    price_features,
)
from modelling.declaration import OutOfTime
from modelling.declaration.overrides import override
from modelling.refusals import DataRefused, UsageError
from use_cases import find_use_case

USE_CASE = find_use_case("market_volatility")
DERIVED = USE_CASE.derived
TARGET = USE_CASE.target
SECRET = 987654.25  # a cell that must never be quoted


@pytest.fixture(scope="module")
def prices():
    """The S&P 500, daily, 1999-2018: 5,031 days."""
    table = read_table(USE_CASE.source)
    return table.assign(**table.drop(columns="Date").astype(float))


@pytest.fixture(scope="module")
def derived(prices):
    return derive_columns(prices, USE_CASE)


def test_the_published_open_is_the_previous_close_on_most_days_before_2006(prices):
    """Why no estimator is used that reads the open: Garman-Klass, Rogers-Satchell, Yang-Zhang."""
    year = pd.to_datetime(prices["Date"]).dt.year
    stale = prices["Open"] == prices["Close"].shift()
    assert stale[year < 2006].mean() > 0.95
    assert stale[year > 2013].mean() < 0.01


def test_the_range_of_a_random_walk_estimates_its_variance_five_times_as_well_as_the_return():
    """Parkinson (1980): unbiased, 4.9 times as efficient; a walk of steps misses some extremes."""
    steps = np.random.default_rng(0).normal(0, 0.01 / np.sqrt(2000), (3000, 2000))
    path = np.cumsum(steps, axis=1)
    high, low = (pd.Series(np.exp(side(path, 1))) for side in (np.max, np.min))
    estimates, squared_returns = parkinson_variance(high, low), path[:, -1] ** 2
    assert estimates.mean() == pytest.approx(0.01**2, rel=0.06)
    assert squared_returns.var() / estimates.var() == pytest.approx(4.9, rel=0.2)


def test_every_column_is_what_its_name_says(prices, derived):
    """Against a literal version, day by day."""
    high, low, close = (prices[name].to_numpy() for name in ("High", "Low", "Close"))
    variance = np.log(high / low) ** 2 / (4 * np.log(2))
    first = list(prices["Date"]).index(f"{derived['Date'][0]:%-m/%-d/%Y}")
    assert first == 22
    for row in (0, 1, 700, 2433, len(derived) - 1):
        day, known = first + row, derived.loc[row]
        assert known["Date"] == pd.Timestamp(prices["Date"][day])
        assert known["return_1_day"] == pytest.approx(np.log(close[day] / close[day - 1]))
        assert known["realised_variance_1_day"] == pytest.approx(variance[day])
        for days, name in ((1, "1_day"), (5, "5_days"), (22, "22_days")):
            mean = variance[day - days + 1 : day + 1].mean()
            assert known[f"log_variance_{name}"] == pytest.approx(np.log(mean))
            loss = min(np.log(close[day] / close[day - days]), 0)
            assert known[f"negative_return_{name}"] == pytest.approx(loss)
        assert known[TARGET] == pytest.approx(np.log(variance[day + 1 : day + 6].mean()))
        assert known["target_known_on"] == pd.Timestamp(prices["Date"][day + 5])


def test_features_do_not_know_what_happens_after_the_close(prices, derived):
    day = 3000
    otherwise = prices.copy()
    factor = np.random.default_rng(0).uniform(0.5, 1.5, (len(prices) - day - 1, 1))
    otherwise.loc[day + 1 :, ["High", "Low", "Close"]] *= factor
    features = [column.name for column in USE_CASE.features]
    known = derived["Date"] <= pd.Timestamp(prices["Date"][day])
    changed = derive_price_history(otherwise, DERIVED)
    np.testing.assert_array_equal(changed.loc[known, features], derived.loc[known, features])
    assert (changed.loc[known, TARGET] != derived.loc[known, TARGET]).sum() == 5


def test_the_last_days_can_be_scored_but_not_trained_on(prices, derived):
    to_score = price_features(prices, DERIVED)
    assert len(to_score) == len(derived) + 5
    assert to_score["Date"].iloc[-1] == pd.Timestamp(prices["Date"].iloc[-1])
    pd.testing.assert_frame_equal(
        to_score.head(len(derived)), derived[to_score.columns], check_exact=True
    )


def test_a_day_without_a_range_has_a_finite_log_variance(prices):
    still = prices.head(60).assign(High=1000.0, Low=1000.0, Close=1000.0)
    derived = derive_price_history(still, DERIVED)
    np.testing.assert_allclose(derived[TARGET], np.log(LEAST_VARIANCE_DAILY), rtol=1e-9)
    narrowest = parkinson_variance(prices["High"], prices["Low"]).min()
    assert narrowest > 50 * LEAST_VARIANCE_DAILY  # so that no real day is touched


def test_no_target_reaches_into_the_next_part():
    table, (train, validation, test), *_ = prepared(USE_CASE)
    assert train["target_known_on"].max() < validation["Date"].min()
    assert validation["target_known_on"].max() < test["Date"].min()
    assert len(train) + len(validation) + len(test) > len(table) - 25


@pytest.mark.parametrize("freq", ["W-FRI", "ME"])
def test_forecasts_that_reach_into_the_next_part_are_refused(prices, freq):
    """Five weeks span 35 days, not the fortnight that trading days need."""
    days = prices.set_index(pd.to_datetime(prices["Date"]))[["High", "Low", "Close"]]
    longer = days.resample(freq).agg({"High": "max", "Low": "min", "Close": "last"}).reset_index()
    with pytest.raises(DataRefused, match=r"Date: \d+ rows forecast .*gap_days to (35|153) ") as no:
        prepared(override(USE_CASE, {"expectations": ()}), longer)
    needed = {"expectations": (), "split.gap_days": int(re.findall(r"(\d+) or", str(no.value))[0])}
    train, validation, test = prepared(override(USE_CASE, needed), longer).parts
    assert train["target_known_on"].max() < validation["Date"].min()
    assert validation["target_known_on"].max() < test["Date"].min()


def test_many_vendors_write_the_newest_day_first(prices, derived):
    for rows in (prices.iloc[::-1], prices.sample(frac=1, random_state=0)):
        pd.testing.assert_frame_equal(derive_columns(rows, USE_CASE), derived, check_exact=True)


def test_five_trading_days_span_thirteen_calendar_days_when_the_exchange_was_shut(derived):
    span = derived["target_known_on"] - derived["Date"]
    assert span.max() == pd.Timedelta(days=13)
    assert derived.loc[span.idxmax(), "Date"].strftime("%Y-%m") == "2001-09"
    assert USE_CASE.split.gap_days > 13


@pytest.mark.parametrize(
    "setting",
    [{"split.gap_days": 5}, {"derived.horizon_days": 22}, {"split.method": "stratified"}],
)
def test_a_split_that_lets_targets_overlap_is_refused(setting):
    with pytest.raises(UsageError, match=r"split\.gap_days of (14|38) or more"):
        override(USE_CASE, setting)


def test_another_horizon_has_a_name_of_its_own(prices):
    longer = {
        "derived.horizon_days": 22,
        "target": "log_variance_next_22_days",
        "split.gap_days": 40,
    }
    use_case = override(USE_CASE, longer)
    assert use_case.split == OutOfTime(column="Date", gap_days=40)
    assert use_case.target in derive_columns(prices, use_case)


def test_a_use_case_that_derives_nothing_keeps_its_table(prices):
    assert derive_columns(prices, find_use_case("credit_scoring")) is prices


def test_the_shipped_data_keeps_every_rule():
    table, _, report, *_ = prepared(USE_CASE)
    assert not report.broken
    assert len(table) == 5004


def spoil(name, rows, value):
    def spoiled(prices):
        prices[name] = prices[name].astype(object)
        prices.loc[rows, name] = value
        return prices

    return spoiled


REFUSED = {
    "no such column": (lambda p: p.drop(columns="Low"), "Low", "column exists", None),
    "text": (spoil("High", [3, 4], f"about {SECRET}"), "High", "is a number", 2),
    "no date": (spoil("Date", [7], f"day {SECRET}"), "Date", "is a time", 1),
    "a gap": (spoil("Close", [3, 4, 5], None), "Close", "as derived.close needs", 3),
    "not positive": (spoil("Low", [9], -SECRET), "Low", "finite number above 0", 1),
    "not finite": (spoil("High", [9], np.inf), "High", "finite", 1),
    "high below low": (spoil("Low", [8, 9], SECRET), "(table)", "'Low' is not above 'High'", 2),
    "hours": (
        lambda p: p.assign(Date=pd.date_range("2020-01-06 09:00", periods=100, freq="h")),
        "Date",
        "no other row is of the same day",
        100,
    ),
    "a day twice": (
        lambda p: pd.concat([p, p.tail(2)]).sort_index(),
        "Date",
        "no value is there twice",
        4,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_prices_that_can_not_be_used_are_refused_with_counts(case, prices):
    spoiled, column, rule, rows = REFUSED[case]
    with pytest.raises(DataRefused, match=f"{re.escape(column)}: .*{rule}") as refused:
        prepared(USE_CASE, spoiled(prices.head(100).copy()))
    first = refused.value.broken[0]
    assert (first.column, first.rows) == (column, rows)
    assert "987654" not in str(refused.value) + str(refused.value.broken)


def test_too_few_days_are_refused(prices):
    assert len(derive_columns(prices.head(28), USE_CASE)) == 1
    with pytest.raises(DataRefused, match=r"too few days: 27;.*at least 28"):
        derive_columns(prices.head(27), USE_CASE)


@pytest.mark.parametrize("name", ["return_1_day", "target_known_on", TARGET])
def test_a_column_of_the_tables_own_is_not_written_over(name, prices):
    with pytest.raises(DataRefused, match=f"{name}: must not have the name of a derived column"):
        derive_columns(prices.head(100).assign(**{name: 1.0}), USE_CASE)
