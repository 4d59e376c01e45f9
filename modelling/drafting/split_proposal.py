"""How the rows should be split, so that the test says what the model will do."""

import numpy as np
import pandas as pd

from modelling.data.splits.grouped import Grouped
from modelling.data.splits.out_of_time import OutOfTime
from modelling.data.splits.split import RowSplit, Target
from modelling.drafting.columns.exclusions import repeats
from modelling.drafting.columns.findings import SplitFinding, TargetFinding
from modelling.drafting.columns.profiles import Profile
from modelling.refusals import DataRefused

LEAST_DAYS = 60
LEAST_DATES = 24
LEAST_OF_A_CLASS = 10


def propose_split(
    target: TargetFinding, codes: np.ndarray, time: Profile | None, who: Profile | None
) -> SplitFinding:
    """Out of time where there is time enough, by group where somebody has several rows, else
    random; ``codes`` (s,) of the target's classes or numbers, of the sampled rows."""
    why_not = ""
    if time is not None:
        times = time.values
        days, dates = (times.max() - times.min()).days, times.dt.normalize().nunique()
        enough = days >= LEAST_DAYS and dates >= LEAST_DATES
        if enough and _works(OutOfTime(column=time.name), target, codes, time):
            reason = f"{time.name!r} spans {days:,} days: a model is used on what comes later."
            return SplitFinding("out_of_time", reason, time.name)
        why_not = f"{time.name!r} spans {days:,} days on {dates:,} dates, " + (
            "the last of which have too few rows of a class: "
            if enough
            else "too few to test on the last: "
        )
    if who is not None and repeats(who):
        if _works(Grouped(column=who.name), target, codes, who):
            rows = who.counts.sum() / who.distinct
            said = f"each {who.name!r} has {rows:.1f} rows on average, which stay together."
            return SplitFinding("grouped", why_not + said, who.name)
        why_not += (
            f"the rows of one {who.name!r} can't stay together, some have so many (or few) that a "
            "part would lack a class: "
        )
    return SplitFinding("stratified", f"{why_not}random rows, with the same mix in every part.")


def _works(split: RowSplit, target: TargetFinding, codes: np.ndarray, column: Profile) -> bool:
    """Whether all three parts have rows, and some of each class."""
    table = pd.DataFrame({column.name: column.values, "\0target": codes})
    try:
        parts = split.positions(table, Target("\0target", target.classes))
        split.check(*(table.iloc[part] for part in parts))
    except (DataRefused, ValueError, AssertionError):
        return False
    if target.problem == "regression":
        return all(len(part) >= LEAST_OF_A_CLASS for part in parts)
    counts = [np.bincount(codes[part].astype(int), minlength=len(target.classes)) for part in parts]
    return all(count.min() >= LEAST_OF_A_CLASS for count in counts)
