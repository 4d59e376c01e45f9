"""What a team of investigators catches that can look at so many cards a day.

A card's score on a day is that of its most suspicious transaction. The cards with the highest
scores are alerted; an alerted card with a fraud on that day is detected and blocked from the next
day on. After chapter 4 of the Fraud Detection Handbook (Le Borgne, Siblini, Lebichot and Bontempi,
2022). Rows of one card have one weight, how often the card was drawn: a card that was drawn twice
takes two of the day's alerts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from modelling.judgement.metrics.metric import Metric, Scored, Weighted


def weighted_card_precision(scored: Scored) -> Weighted:
    """Card precision top k: the share of a day's alerts that hit, as a mean over the days.

    A day with fewer cards than alerts is still divided by the alerts, as in the handbook. NaN
    without rows; raises ValueError for scores that are NaN.
    """
    alerts = _Alerts.of(scored)

    def value(weights: np.ndarray) -> np.ndarray:
        hits = np.zeros(weights.shape[1])
        for day in alerts.by_day(weights):
            hits += day.alerted[day.has_fraud].sum(axis=0)
        with np.errstate(invalid="ignore"):
            return hits / (scored.alerts_per_day * len(alerts.days))

    return value


def weighted_money_caught(scored: Scored) -> Weighted:
    """The share of the fraudulent amount, over all days, that the alerts catch.

    Caught are the frauds of a card on a day on which it is alerted, and all of its frauds on the
    days after, when it is blocked; so what is caught early counts for more, and the whole is the
    same for every model. NaN where there is no fraudulent amount; raises ValueError for scores that
    are NaN.
    """
    alerts = _Alerts.of(scored)

    def value(weights: np.ndarray) -> np.ndarray:
        caught, stolen = np.zeros((2, weights.shape[1]))
        for day in alerts.by_day(weights):
            amounts = day.stolen[:, None]
            caught += (amounts * (day.alerted + day.blocked)).sum(axis=0)
            stolen += (amounts * (day.waiting + day.blocked)).sum(axis=0)
        with np.errstate(invalid="ignore"):
            return caught / stolen

    return value


class _Day(NamedTuple):
    """A day's cards, the most suspicious first; equal scores in the order of the cards' ids.

    ``has_fraud`` and ``stolen`` are (cards,); of each resample (cards, b): how many of a card's
    copies were blocked before, were waiting, and were alerted.
    """

    has_fraud: np.ndarray
    stolen: np.ndarray
    blocked: np.ndarray
    waiting: np.ndarray
    alerted: np.ndarray


@dataclass(frozen=True)
class _Alerts:
    """``days``: for each day the codes of its cards, whether they have a fraud, and its amount.
    ``first_rows``: a row of each card, where its weight stands."""

    days: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    first_rows: np.ndarray
    alerts_per_day: int

    @classmethod
    def of(cls, scored: Scored) -> "_Alerts":
        import pandas as pd

        if np.isnan(scored.outputs).any():
            raise ValueError("a score is NaN")
        _, first_rows, card = np.unique(scored.cards, return_index=True, return_inverse=True)
        is_fraud = scored.target == 1
        stolen = is_fraud * (scored.amounts if len(scored.amounts) else 0.0)
        rows = pd.DataFrame({"day": scored.days, "card": card, "score": scored.outputs})
        by_card = rows.assign(has_fraud=is_fraud, stolen=stolen).groupby(["day", "card"])
        cards = by_card.agg({"score": "max", "has_fraud": "max", "stolen": "sum"}).reset_index()
        ranked = cards.sort_values("score", ascending=False, kind="stable").groupby("day")
        days = [
            (day["card"].to_numpy(), day["has_fraud"].to_numpy(), day["stolen"].to_numpy())
            for _, day in ranked
        ]
        return cls(days, first_rows, scored.alerts_per_day)

    def by_day(self, weights: np.ndarray) -> Iterator[_Day]:
        """Who is alerted on each day, with weights (n, b): detected cards make room for others."""
        drawn = weights[self.first_rows]
        undetected = drawn.copy()
        for card, has_fraud, stolen in self.days:
            waiting = undetected[card]
            ahead = waiting.cumsum(axis=0) - waiting
            alerted = np.clip(self.alerts_per_day - ahead, 0, waiting)
            yield _Day(has_fraud, stolen, drawn[card] - waiting, waiting, alerted)
            is_detected = (alerted > 0) & has_fraud[:, None]
            undetected[card] = np.where(is_detected, 0, waiting)


METRICS = (
    Metric(
        name="card_precision",
        problems=("binary",),
        higher_is_better=True,
        title="card precision of the daily alerts",
        weighted=weighted_card_precision,
        needs=("decision.method alert_budget",),
    ),
    Metric(
        name="money_caught",
        problems=("binary",),
        higher_is_better=True,
        title="share of the fraudulent amount caught",
        weighted=weighted_money_caught,
        needs=("decision.method alert_budget", "costs.amount"),
    ),
)
