"""The simulated transactions have the distributions that the handbook publishes."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy.stats import truncnorm

from modelling.data import transaction_simulator
from modelling.data.loading import read_table
from modelling.data.transaction_simulator import simulate_transactions
from modelling.declaration import SimulatedTransactions
from modelling.refusals import UsageError


@pytest.fixture(scope="module")
def full():
    """The full size: 5,000 customers, 10,000 terminals, 183 days."""
    return simulate_transactions(SimulatedTransactions())


def test_size_and_fraud_rate_are_those_of_the_handbook(full):
    assert len(full) == pytest.approx(1_754_155, rel=0.03)
    assert full["fraud"].mean() == pytest.approx(0.0084, abs=0.0008)
    assert full["customer_id"].nunique() > 4900
    assert full["terminal_id"].nunique() > 9900


def test_rows_are_in_order_of_time_and_numbered(full):
    assert full["transacted_at"].is_monotonic_increasing
    assert np.array_equal(full["transaction_id"], np.arange(len(full)))
    assert full["transacted_at"].min() >= pd.Timestamp("2018-04-01")
    assert full["transacted_at"].max() < pd.Timestamp("2018-10-01")


def test_the_day_is_a_normal_around_noon_cut_at_midnight(full):
    seconds = (full["transacted_at"] - full["transacted_at"].dt.floor("D")).dt.total_seconds()
    assert seconds.min() > 0
    assert seconds.max() < 86_400
    assert seconds.mean() == pytest.approx(43_200, abs=60)
    assert seconds.std() == pytest.approx(20_000 * truncnorm(-2.16, 2.16).std(), rel=0.01)


def test_customers_spend_around_their_own_mean_at_their_own_pace(full):
    genuine = full[full["fraud"] == 0].groupby("customer_id")["amount_usd"]
    mean, number = genuine.mean(), genuine.count()
    assert mean[number > 300].between(4, 115).all()
    assert mean.mean() == pytest.approx(54, rel=0.05)
    spread = (genuine.std() / mean)[number > 300]
    assert spread.mean() == pytest.approx(0.48, abs=0.03)  # half the mean, less its negative end
    a_day = number / 183
    assert a_day.mean() == pytest.approx(2 * 0.969, rel=0.05)
    assert a_day.max() < 4.5
    assert full["amount_usd"].min() >= 0
    assert np.allclose(full["amount_usd"], full["amount_usd"].round(2))


def test_every_amount_above_220_is_a_fraud(full):
    assert full.loc[full["amount_usd"] > 220, "fraud"].eq(1).all()


def test_a_compromised_terminal_has_only_frauds_for_28_days(full):
    """Two a day: about 364 spells of about 27 transactions make most of the frauds."""
    day = (full["transacted_at"].dt.floor("D") - pd.Timestamp("2018-04-01")).dt.days
    daily = full.groupby(["terminal_id", day])["fraud"].agg(["min", "size"])
    all_fraud = daily[(daily["min"] == 1) & (daily["size"] >= 2)].index.get_level_values(0)
    spells = all_fraud.value_counts()
    assert 200 < (spells >= 3).sum() <= 364
    share = full.loc[full["terminal_id"].isin(spells[spells >= 3].index), "fraud"].sum()
    assert 0.4 < share / full["fraud"].sum() < 0.8


def test_what_is_spent_with_leaked_credentials_is_beyond_the_customers_habits():
    """Three of forty customers leak each day, for two weeks: most frauds are theirs."""
    few = SimulatedTransactions(customers=40, terminals=3000, days=60, seed=3)
    table = simulate_transactions(few)
    ordinary = table.loc[table["fraud"] == 0].groupby("customer_id")["amount_usd"].max()
    stolen = table[(table["fraud"] == 1) & (table["amount_usd"] > 220)]
    beyond = stolen["amount_usd"] > stolen["customer_id"].map(ordinary)
    assert beyond.mean() > 0.9
    assert 0.1 < table["fraud"].mean() < 0.8


def test_the_seed_decides_everything():
    small = SimulatedTransactions(customers=50, terminals=500, days=20, seed=1)
    one, same = simulate_transactions(small), read_table(small)
    pd.testing.assert_frame_equal(one, same)
    other = simulate_transactions(small.model_copy(update={"seed": 2}))
    assert len(other) != len(one)


def test_a_seed_makes_the_transactions_that_it_has_always_made():
    """However many customers' terminals are listed at once."""
    small = SimulatedTransactions(customers=300, terminals=2000, days=30, seed=1)
    table = simulate_transactions(small)
    assert len(table) == 17_458
    assert table[["terminal_id", "fraud"]].sum().tolist() == [17_271_840, 996]
    with pytest.MonkeyPatch.context() as few:
        few.setattr(transaction_simulator, "CUSTOMERS_AT_ONCE", 7)
        pd.testing.assert_frame_equal(simulate_transactions(small), table)


def test_terminals_nearby_are_not_listed_for_all_customers_at_once():
    """Together they would be 600,000 numbers of Python, about 40 bytes each."""
    many = SimulatedTransactions(customers=4000, terminals=20_000, days=1)
    tracemalloc.start()
    simulate_transactions(many)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 * 2**20


def test_nobody_in_reach_of_a_terminal_is_said():
    with pytest.raises(UsageError, match=r"source\.terminals"):
        simulate_transactions(SimulatedTransactions(customers=1, terminals=1, days=2, seed=0))
