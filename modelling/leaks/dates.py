"""Dates that lie behind the decision."""

import pandas as pd

from modelling.data.reading.times import is_time, read_times
from modelling.refusals import DataRefused

PROBED = 200
COARSE = ("Y", "Q", "M", "D")
LATER = 0.9  # of the rows: a column that is only sometimes later may still be known
SOMETIMES_LATER = 0.01


def later_share(decision: pd.Series, other: pd.Series) -> float:
    """The share of the rows in which ``other`` is later than the ``decision``, of those in which
    both are known; 0 where there are none. What lies within the same day is not later than a
    decision of which only the day is told, nor within the same month, quarter or year."""
    both = pd.DataFrame({"decision": decision.to_numpy(), "other": other.to_numpy()}).dropna()
    return float((both["other"] > _latest(both["decision"])).mean()) if len(both) else 0.0


def _latest(times: pd.Series) -> pd.Series:
    """The last moment that each of the times (k,) can mean, by how exactly they are told. One date
    for all, such as that of a report on 1 January, is a day."""
    for period in COARSE if times.nunique() > 1 else ("D",):
        periods = times.dt.to_period(period)
        if (periods.dt.start_time == times).all():
            return periods.dt.end_time
    return times


def as_times(cells: pd.Series) -> pd.Series | None:
    """A column (n,) of numbers or labels as times, where it holds such: 20190713, 2019-07-13."""
    known = cells.dropna()
    if known.empty or not is_time(known.iloc[:: max(len(known) // PROBED, 1)], None):
        return None
    try:
        times, unreadable = read_times(cells)
    except DataRefused:  # some cells are times, others are not: so it is no column of times
        return None
    return None if unreadable else times
