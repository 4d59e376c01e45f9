"""What a hundred alerts a day catch: cards counted once, and no longer after they are blocked."""

import numpy as np
import pandas as pd
import pytest

from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.metric import Scored


def alerts(name, day, customer, fraud, probability, amount, alerts_per_day):
    arrays = {"days": day, "cards": customer, "amounts": amount}
    arrays = {key: np.asarray(values) for key, values in arrays.items()}
    scored = Scored(
        np.asarray(fraud), np.asarray(probability), alerts_per_day=alerts_per_day, **arrays
    )
    return find_metric(name, "binary").value(scored)


def card_precision(day, customer, fraud, probability, alerts_per_day=100):
    return alerts("card_precision", day, customer, fraud, probability, [], alerts_per_day)


def money_caught(day, customer, fraud, probability, amount, alerts_per_day=100):
    return alerts("money_caught", day, customer, fraud, probability, amount, alerts_per_day)


def rows(*transactions):
    """(day, customer, fraud, probability, amount) as five columns."""
    return [np.array(column) for column in zip(*transactions, strict=True)]


def test_a_card_is_alerted_once_for_its_most_suspicious_transaction():
    day, customer, fraud, probability, _ = rows(
        (1, "a", 0, 0.2, 1), (1, "a", 1, 0.9, 1), (1, "b", 0, 0.8, 1), (1, "c", 1, 0.1, 1)
    )
    assert card_precision(day, customer, fraud, probability, 1) == 1
    assert card_precision(day, customer, fraud, probability, 2) == 0.5
    assert card_precision(day, customer, fraud, probability, 3) == pytest.approx(2 / 3)
    # Three cards fill four alerts; the handbook divides by four.
    assert card_precision(day, customer, fraud, probability, 4) == 0.5


def test_a_detected_card_makes_room_the_day_after():
    day, customer, fraud, probability, amount = rows(
        (1, "a", 1, 0.9, 100), (1, "b", 1, 0.5, 30),
        (2, "a", 1, 0.9, 400), (2, "b", 1, 0.5, 70),
    )  # fmt: skip
    assert card_precision(day, customer, fraud, probability, 1) == 1  # a, then b
    # b's first fraud is missed; a's second does not happen any more.
    assert money_caught(day, customer, fraud, probability, amount, 1) == 570 / 600


def test_a_false_alarm_blocks_nobody():
    day, customer, fraud, probability, amount = rows(
        (1, "a", 0, 0.9, 10), (2, "a", 1, 0.9, 20), (2, "b", 0, 0.1, 5)
    )
    assert card_precision(day, customer, fraud, probability, 1) == 0.5
    assert money_caught(day, customer, fraud, probability, amount, 1) == 1


def test_chance_hits_the_base_rate_and_knowledge_everything():
    rng = np.random.default_rng(0)
    day, customer = np.repeat(np.arange(200), 500), np.tile(np.arange(500), 200)
    fraud = (rng.random(len(day)) < 0.004).astype(int)
    amount = rng.random(len(day))
    blind, knowing = rng.random(len(day)), fraud + rng.random(len(day)) / 2
    assert card_precision(day, customer, fraud, blind, 50) == pytest.approx(0.004, abs=0.002)
    assert money_caught(day, customer, fraud, knowing, amount, 50) == 1


def test_equals_the_handbooks_own_way_with_pandas():
    rng = np.random.default_rng(1)
    n, k = 5000, 20
    table = pd.DataFrame(
        {
            "day": rng.integers(0, 7, n),
            "customer": rng.integers(0, 300, n),
            "fraud": rng.random(n) < 0.03,
            "score": rng.random(n),
        }
    )
    detected, precision = set(), []
    for _, today in table.groupby("day"):
        cards = today[~today["customer"].isin(detected)].groupby("customer").max()
        top = cards.sort_values("score", ascending=False).head(k)
        hits = set(top.index[top["fraud"]])
        precision.append(len(hits) / k)
        detected |= hits
    ours = card_precision(table["day"], table["customer"], table["fraud"], table["score"], k)
    assert ours == pytest.approx(np.mean(precision))


def test_nothing_to_judge_is_nan_and_a_score_that_is_none_is_refused():
    none = np.array([])
    assert np.isnan(card_precision(none, none, none, none))
    one = np.array([1])
    assert np.isnan(money_caught(one, one, np.array([0]), np.array([0.5]), one))
    with pytest.raises(ValueError, match="NaN"):
        card_precision(one, one, one, np.array([np.nan]))
