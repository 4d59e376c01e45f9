"""Whether rows are still distributed as those were that a version was judged on."""

from typing import NamedTuple

import numpy as np

from modelling.watching.profile import Counts

MODERATE, LARGE = 0.1, 0.25  # as is usual in credit scoring: Siddiqi (2006)
CHANCE = 0.001  # one column of a thousand without drift would be above ``by_chance``


class Drift(NamedTuple):
    """How far a column or an answer has moved: the population stability index ``psi``, up to where
    it would be ``by_chance``, and the share of rows of the ``bin`` that contributes most of those
    that have gained rows. Fewer rows than may be shown count as that many in these shares, which
    are then ``at_most`` so large: when judged, and now."""

    name: str
    psi: float
    by_chance: float
    bin: str
    share_judged: float
    share_now: float
    at_most: tuple[bool, bool] = (False, False)

    @property
    def level(self) -> str:
        """``none``, ``moderate`` or ``large``; none where it could be chance."""
        if self.psi < MODERATE or self.psi <= self.by_chance:
            return "none"
        return "large" if self.psi >= LARGE else "moderate"

    @property
    def shares(self) -> tuple[str, str]:
        """The share when judged and that of now, as people read them."""
        both = zip(self.at_most, (self.share_judged, self.share_now), strict=True)
        judged, now = (f"{'at most ' if is_bound else ''}{share:.1%}" for is_bound, share in both)
        return judged, now

    @property
    def moved(self) -> str:
        judged, now = self.shares
        return f"{now} of rows, {judged} when judged"

    def __str__(self) -> str:
        return f"{self.name}: PSI {self.psi:.2f}, {self.bin}: {self.moved}"


def drift_of(name: str, judged: Counts, cells: np.ndarray) -> Drift:
    """Compare ``cells`` (n,) of today, of which there are some, with those that were ``judged``:
    numbers or labels as ``Counts.of`` takes them."""
    return drift_between(name, judged, judged.of(cells))


def drift_between(name: str, judged: Counts, now: np.ndarray) -> Drift:
    """``drift_of`` for cells that are counted already, (bins,) of ``judged``."""
    then, rows = np.array(judged.counts), int(now.sum())
    contributions = _contributions(_likeliest(judged, now), now)
    gained = now / now.sum() > then / then.sum()
    most = int(np.where(gained, contributions, -np.inf).argmax())
    bins = int(((then > 0) | (now > 0)).sum())
    shown = judged.shown(now)
    return Drift(
        name,
        float(contributions.sum()),
        by_chance(int(then.sum()), rows, bins),
        judged.names[most],
        float(then[most] / then.sum()),
        float(min(shown[most] / rows, 1.0)),
        (bool(1 < then[most] == judged.least), bool(now[most] < shown[most])),
    )


def _likeliest(judged: Counts, now: np.ndarray) -> np.ndarray:
    """The counts (bins,) that were judged; where one is known only to be from 1 to ``least``, the
    one in this range under which the bin has moved least."""
    then = np.array(judged.counts, dtype=np.float64)
    alike = np.clip(now * then.sum() / now.sum(), 1, judged.least)
    return np.where(then == judged.least, alike, then)


def _contributions(then: np.ndarray, now: np.ndarray) -> np.ndarray:
    """What each bin adds to the population stability index: (p - q) log(p / q), with half a row
    more in each bin that has any, so that an empty one is not infinitely unlikely.

    Siddiqi (2006), "Credit risk scorecards", chapter 9.
    """
    used = (then > 0) | (now > 0)
    shares = [np.where(used, rows + 0.5, 1.0) / (rows[used] + 0.5).sum() for rows in (then, now)]
    return np.where(used, (shares[1] - shares[0]) * np.log(shares[1] / shares[0]), 0.0)


def by_chance(judged_rows: int, rows: int, bins: int) -> float:
    """Up to where the index of two samples of one distribution lies but once in a thousand times:
    it is about chi-square with ``bins`` - 1 degrees of freedom, times (1 / n + 1 / m).

    Yurdakul and Naranjo (2020), "Statistical properties of the population stability index".
    """
    from scipy.special import chdtri  # scipy.stats takes a second to import

    if bins < 2:
        return 0.0
    return float(chdtri(bins - 1, CHANCE) * (1 / judged_rows + 1 / rows))
