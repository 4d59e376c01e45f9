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
from modelling.declaration.declared_derivations import (
    RETURN,
    TARGET_KNOWN_ON,
    VARIANCE,
    log_variance_name,
    negative_return_name,
    target_name,
)
from modelling.refusals import BrokenRule, DataRefused, refuse_broken, refuse_taken_names

# A day whose high is its low has variance 0, and log 0 is no target. A range of 0.017 %, less than
# a fifth of the narrowest day of the S&P 500 in twenty years, is as still as a market gets.
LEAST_VARIANCE_DAILY = 1e-8


def derive_price_history(table: pd.DataFrame, declared: PriceHistory) -> pd.DataFrame:
    """One row for each day that has a full history and a full horizon, in time order.

    Parameters
    ----------
    table : DataFrame of n days
        Positive, finite prices without a gap, each day once, in any order.
    declared : PriceHistory
        Names the columns, the lags and the horizon.

    Returns
    -------
    DataFrame of fewer rows, labels from 0
        The columns of ``price_features``; the target, the log of the mean variance a day over the
        horizon; and ``target_known_on``, the date on which the horizon's last day has passed.

    Raises
    ------
    DataRefused
        Where a day has several rows, a derived name is taken, or no row is left.
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
    """The raw columns and all that is known at each day's close, in time order.

    Includes the last days, whose target is still to come: these are the rows to score. Added are
    the day's return and realised variance; over each lag (and the horizon) the log of the mean
    realised variance, the heterogeneous terms of Corsi (2009); and over each lag the negative
    return, the leverage terms of Corsi and Reno (2012).

    Parameters
    ----------
    table : DataFrame of n days
        Positive, finite prices without a gap, each day once, in any order: many vendors write the
        newest first.
    declared : PriceHistory
        Names the columns and the lags.

    Returns
    -------
    DataFrame of fewer rows, labels from 0
        Returns as shares (0.01 is about 1 %), variances as squared shares a day. Days without a
        full history are left out.

    Raises
    ------
    DataRefused
        Where a day has several rows, or the table a column of a derived name already.

    References
    ----------
    Corsi (2009), "A simple approximate long-memory model of realized volatility", Journal of
    Financial Econometrics 7. Corsi and Reno (2012), "Discrete-time volatility forecasting with
    persistent leverage effect", Journal of Business and Economic Statistics 30.
    """
    table = table.reset_index(drop=True)  # what is computed has its rows by position
    prices = as_kinds(table, declared.raw_kinds).sort_values(declared.time)
    _refuse_parts_of_days(prices[declared.time])
    table = table.loc[prices.index]
    log_close = np.log(prices[declared.close])
    variance = parkinson_variance(prices[declared.high], prices[declared.low])
    computed = {RETURN: log_close.diff(), VARIANCE: variance}
    for days in sorted({*declared.lags_days, declared.horizon_days}):
        computed[log_variance_name(days)] = np.log(variance.rolling(days).mean())
    for days in declared.lags_days:
        computed[negative_return_name(days)] = log_close.diff(days).clip(upper=0.0)
    refuse_taken_names([*computed, target_name(declared), TARGET_KNOWN_ON], table)
    derived = table.assign(**prices, **computed)
    return derived.dropna(subset=list(computed)).reset_index(drop=True)


def _refuse_parts_of_days(times: pd.Series) -> None:
    """Minutes and hours would be taken for days, their variance for that of a day."""
    if several := int(times.dt.normalize().duplicated(keep=False).sum()):
        rule = "no other row is of the same day"
        remedy = "give one row a day: the highest high, the lowest low and the last close"
        refuse_broken([BrokenRule(str(times.name), rule, several, remedy=remedy)])


def parkinson_variance(high: pd.Series, low: pd.Series) -> pd.Series:
    """Parkinson's estimate of a day's variance: log(high / low)^2 / (4 log 2).

    Unbiased for a driftless random walk that is observed all day; overnight jumps are not in it.

    Parameters
    ----------
    high, low : float series (n,)
        Prices in one unit, positive, ``high`` not below ``low``.

    Returns
    -------
    float series (n,)
        Squared shares a day, at least ``LEAST_VARIANCE_DAILY``; NaN where a price is NaN.

    References
    ----------
    Parkinson (1980), "The extreme value method for estimating the variance of the rate of return",
    Journal of Business 53.
    """
    return (np.log(high / low) ** 2 / (4 * np.log(2))).clip(lower=LEAST_VARIANCE_DAILY)
