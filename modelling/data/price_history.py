"""A volatility forecast's features and target, from the daily high, low and close of one asset.

The variance of a day is measured by its range, after Parkinson (1980), "The extreme value method
for estimating the variance of the rate of return", Journal of Business 53: about five times as
precise as a squared return. Garman and Klass (1980) and Rogers and Satchell (1991) would be sharper
still, but they read the open, and published opens can't be trusted: in the S&P 500 shipped with
``arch`` the open is the previous close on 96 % of the days before 2006. Its days would jump to
another scale of variance when the opens become real. High, low and close stay what they are.

All prices are in one unit, whichever; returns are log returns as shares (0.01 is about 1 %), and
variances are those of a day's log price, as squares of shares.
"""

import numpy as np
import pandas as pd

from modelling.data.typed_columns import as_kinds
from modelling.declaration import PriceHistory
from modelling.declaration.price_names import (
    RETURN,
    TARGET_KNOWN_ON,
    VARIANCE,
    log_variance_name,
    negative_return_name,
    target_name,
)
from modelling.refusals import DataRefused, refuse_taken

# A day whose high is its low has variance 0, and log 0 is no target. A range of 0.017 %, less than
# a fifth of the narrowest day of the S&P 500 in twenty years, is as still as a market gets.
LEAST_VARIANCE_DAILY = 1e-8


def derive_price_history(table: pd.DataFrame, declared: PriceHistory) -> pd.DataFrame:
    """One row per day that has a full history and a full horizon, in time order, labels from 0.

    ``price_features``'s columns, the target, and the date on which its last day has passed
    (``target_known_on``). Raises DataRefused as ``price_features`` does, and where no row is left.
    """
    derived = price_features(table, declared)
    ahead = declared.horizon_days
    mean_variance = derived[VARIANCE].rolling(ahead).mean()
    derived[target_name(declared)] = np.log(mean_variance).shift(-ahead)
    derived[TARGET_KNOWN_ON] = derived[declared.time].shift(-ahead)
    derived = derived.dropna(subset=[target_name(declared)]).reset_index(drop=True)
    if derived.empty:
        least = max(declared.lags_days) + ahead + 1
        raise DataRefused(
            f"too few days: {len(table)}; with a history of {max(declared.lags_days)} days and a "
            f"horizon of {ahead} a price history takes at least {least}"
        )
    return derived


def price_features(table: pd.DataFrame, declared: PriceHistory) -> pd.DataFrame:
    """The raw columns and all that is known at each day's close; days without a full history go.

    Includes the last days, whose target is still to come: these are the rows to score. Added are
    the day's return and realised variance; over each lag (and the horizon) the log of the mean
    realised variance, the heterogeneous terms of Corsi (2009), "A simple approximate long-memory
    model of realized volatility", Journal of Financial Econometrics 7; and over each lag the
    negative return, the leverage terms of Corsi and Reno (2012), "Discrete-time volatility
    forecasting with persistent leverage effect", Journal of Business and Economic Statistics 30.

    Expects that ``declared.raw_rules`` are kept. Raises DataRefused where the table has a column of
    a derived name.
    """
    table = table.reset_index(drop=True)  # what is computed has its rows by position
    prices = as_kinds(table, declared.raw_kinds)
    log_close = np.log(prices[declared.close])
    variance = parkinson_variance(prices[declared.high], prices[declared.low])
    computed = {RETURN: log_close.diff(), VARIANCE: variance}
    for days in sorted({*declared.lags_days, declared.horizon_days}):
        computed[log_variance_name(days)] = np.log(variance.rolling(days).mean())
    for days in declared.lags_days:
        computed[negative_return_name(days)] = log_close.diff(days).clip(upper=0.0)
    refuse_taken([*computed, target_name(declared), TARGET_KNOWN_ON], table)
    derived = table.assign(**prices, **computed)
    return derived.dropna(subset=list(computed)).reset_index(drop=True)


def parkinson_variance(high: pd.Series, low: pd.Series) -> pd.Series:
    """Parkinson's estimate of a day's variance: log(high / low)^2 / (4 log 2), shape (n,).

    Unbiased for a driftless random walk that is seen all day; jumps over night are not in it. At
    least ``LEAST_VARIANCE_DAILY``. NaN where a price is.
    """
    return (np.log(high / low) ** 2 / (4 * np.log(2))).clip(lower=LEAST_VARIANCE_DAILY)
