"""Which baselines there are: all records that the modules of this room list as ``BASELINES``."""

from functools import cache

from modelling.judgement.baselines.baseline import Baseline
from modelling.variants import variants_in

ROOM = "modelling.judgement.baselines"
FIRST = ("constant", "linear", "trees", "volatility")  # the order of messages


@cache
def all_baselines() -> dict[str, Baseline]:
    """Every baseline by its name."""
    return {baseline.name: baseline for baseline in variants_in(ROOM, "BASELINES", FIRST)}
