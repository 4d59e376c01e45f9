"""What a team of investigators catches that can look at so many cards a day.

A card's score on a day is that of its most suspicious transaction. The cards with the highest
scores are alerted; an alerted card with a fraud on that day is detected and blocked from the next
day on. After chapter 4 of the Fraud Detection Handbook (Le Borgne, Siblini, Lebichot and Bontempi,
2022).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from modelling.judgement.metrics.weighted_metrics import Weighted


def card_precision(
    day: np.ndarray,
    customer: np.ndarray,
    fraud: np.ndarray,
    probability: np.ndarray,
    alerts_a_day: int = 100,
) -> float:
    """Card precision top k: the share of a day's ``alerts_a_day`` that hit, as a mean over days.

    All arguments have shape (n,), a row per transaction: ``day`` any type that sorts by date,
    ``fraud`` 0 or 1. Cards that were detected on an earlier day are left out. A day with fewer
    cards than alerts is still divided by ``alerts_a_day``, as in the handbook. Equal scores are
    taken in the order of the customers' ids. NaN without rows; raises ValueError for NaN scores.
    """
    hits = _alert(day, customer, fraud, probability, alerts_a_day).hits
    return float(np.mean(hits) / alerts_a_day) if len(hits) else float("nan")


def money_caught(
    day: np.ndarray,
    customer: np.ndarray,
    fraud: np.ndarray,
    probability: np.ndarray,
    amount: np.ndarray,
    alerts_a_day: int = 100,
) -> float:
    """The share of the fraudulent amount, over all days, that the alerts catch.

    Caught are the frauds of a card on a day on which it is alerted, and all of its frauds on the
    days after, when it is blocked; so what is caught early counts for more, and the whole is the
    same for every model. Arguments as for ``card_precision``; ``amount`` in any one currency. NaN
    where no fraudulent amount is there.
    """
    stolen = np.asarray(amount, dtype=np.float64) * (np.asarray(fraud) == 1)
    caught = _alert(day, customer, fraud, probability, alerts_a_day).caught
    total = stolen.sum()
    return float(stolen[caught].sum() / total) if total > 0 else float("nan")


def weighted_card_precision(
    day: np.ndarray,
    customer: np.ndarray,
    fraud: np.ndarray,
    probability: np.ndarray,
    alerts_a_day: int = 100,
) -> Weighted:
    """``card_precision`` as a function of weights (n, b) (``weighted_metrics``).

    A customer's rows share one weight, how often the customer was drawn: a card drawn twice takes
    two of the day's alerts.
    """
    _, first_row, card = np.unique(customer, return_index=True, return_inverse=True)
    rows = pd.DataFrame({"day": day, "card": card, "score": probability, "hit": fraud})
    cards = rows.groupby(["day", "card"], sort=True).max().reset_index()
    days = [
        one.sort_values("score", ascending=False, kind="stable") for _, one in cards.groupby("day")
    ]
    ranked = [(one["card"].to_numpy(), one["hit"].to_numpy() == 1) for one in days]

    def value(weights: np.ndarray) -> np.ndarray:
        drawn = weights[first_row].copy()
        hits = np.zeros(weights.shape[1])
        for cards_of_day, struck in ranked:
            waiting = drawn[cards_of_day]
            ahead = waiting.cumsum(axis=0) - waiting
            alerted = np.clip(alerts_a_day - ahead, 0, waiting) * struck[:, None]
            hits += alerted.sum(axis=0)
            drawn[cards_of_day] = np.where(alerted > 0, 0, waiting)  # blocked from tomorrow on
        return hits / (alerts_a_day * len(ranked))

    return value


class _Alerts(NamedTuple):
    """``hits``: detected cards by day. ``caught``: (n,) rows on alerted or blocked cards."""

    hits: list[int]
    caught: np.ndarray


def _alert(
    day: np.ndarray, customer: np.ndarray, fraud: np.ndarray, probability: np.ndarray, k: int
) -> _Alerts:
    probability, fraud = np.asarray(probability, dtype=np.float64), np.asarray(fraud) == 1
    if np.isnan(probability).any():
        raise ValueError("a score is NaN")
    days, today = np.unique(day, return_inverse=True)
    ids, card = np.unique(customer, return_inverse=True)
    blocked, hits = np.zeros(len(ids), dtype=bool), []
    caught = np.zeros(len(card), dtype=bool)
    for number in range(len(days)):
        rows = np.flatnonzero(today == number)
        score = np.full(len(ids), -np.inf)
        np.maximum.at(score, card[rows], probability[rows])
        score[blocked] = -np.inf
        first = np.argsort(-score, kind="stable")[:k]
        alerted = np.zeros(len(ids), dtype=bool)
        alerted[first] = score[first] > -np.inf
        caught[rows] = (alerted | blocked)[card[rows]]
        struck = np.zeros(len(ids), dtype=bool)
        struck[card[rows[fraud[rows]]]] = True
        hits.append(int((alerted & struck).sum()))
        blocked |= alerted & struck
    return _Alerts(hits, caught)
