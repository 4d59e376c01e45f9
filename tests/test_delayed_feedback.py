"""The fraud split: no label from the delay or later, known victims gone, customers kept apart."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from modelling.data.splitting import split_table
from modelling.data.transaction_simulator import simulate_transactions
from modelling.declaration import (
    DelayedFeedback,
    SimulatedTransactions,
    Source,
    UseCase,
    identifier,
    number,
    time,
)
from modelling.refusals import DataRefused

DAY = pd.Timedelta(days=1)
TEST_FROM = pd.Timestamp("2018-05-10")


def declared(**split):
    return UseCase(
        name="cards",
        title="Cards",
        problem="binary",
        source=Source(uri="none"),
        target="fraud",
        columns=(number("amount_usd"), identifier("customer_id"), time("transacted_at")),
        split=DelayedFeedback(column="transacted_at", customer="customer_id", **split),
    )


@pytest.fixture(scope="module")
def table():
    simulation = SimulatedTransactions(customers=400, terminals=1000, days=60, seed=1)
    return simulate_transactions(simulation)


@pytest.fixture(scope="module")
def parts(table):
    return split_table(table, declared(test_from=TEST_FROM.date()))


def test_train_ends_a_delay_before_the_test(parts):
    learned = pd.concat([parts.train, parts.validation])["transacted_at"]
    assert learned.min() >= TEST_FROM - 14 * DAY
    assert learned.max() < TEST_FROM - 7 * DAY
    assert learned.dt.floor("D").nunique() == 7
    assert parts.test["transacted_at"].min() >= TEST_FROM
    assert parts.test["transacted_at"].max() < TEST_FROM + 7 * DAY


def test_a_part_that_learnt_from_the_test_days_is_found(parts):
    split = declared(test_from=TEST_FROM.date()).split
    split.check(*parts)
    with pytest.raises(AssertionError, match="a training row is later"):
        split.check(parts.test, parts.validation, parts.test)
    with pytest.raises(AssertionError, match="a validation row is later"):
        split.check(parts.train, parts.test, parts.test)


def test_a_share_of_the_customers_validates_and_none_of_them_trains(parts):
    training, validating = (set(part["customer_id"]) for part in parts[:2])
    assert not training & validating
    assert len(validating) / len(training | validating) == pytest.approx(0.2, abs=0.01)


def test_the_test_rows_are_those_of_the_handbooks_loop(table, parts):
    """Its ``get_train_test_set``, day by day."""
    day = table["transacted_at"].dt.floor("D")
    start = TEST_FROM - 14 * DAY
    trained_on = (day >= start) & (day < start + 7 * DAY)
    known = set(table.loc[trained_on & (table["fraud"] == 1), "customer_id"])
    kept = []
    for number_ in range(7):
        arrived = day == start + (7 + number_ - 1) * DAY
        known |= set(table.loc[arrived & (table["fraud"] == 1), "customer_id"])
        today = table[day == TEST_FROM + number_ * DAY]
        kept.append(today[~today["customer_id"].isin(known)])
    expected = pd.concat(kept)
    assert parts.test.index.equals(expected.index)
    assert len(expected) < (day >= TEST_FROM).sum()


def test_labels_that_are_not_known_yet_change_nothing_but_the_test_labels(table, parts):
    """Frauds less than a delay old on the first test day must not shape its rows."""
    changed = table.copy()
    young = changed["transacted_at"] >= TEST_FROM - 7 * DAY
    changed.loc[young, "fraud"] = 1 - changed.loc[young, "fraud"]
    other = split_table(changed, declared(test_from=TEST_FROM.date()))
    pd.testing.assert_frame_equal(other.train, parts.train)
    pd.testing.assert_frame_equal(other.validation, parts.validation)
    first, before = (
        part.test.index[part.test["transacted_at"] < TEST_FROM + DAY] for part in (other, parts)
    )
    assert first.equals(before)


def test_without_a_date_the_last_days_are_the_test(table):
    test = split_table(table, declared(test_days=5, train_days=20)).test
    assert test["transacted_at"].min().floor("D") == pd.Timestamp("2018-05-26")
    assert test["transacted_at"].max().floor("D") == pd.Timestamp("2018-05-30")


def test_the_seed_chooses_the_customers_and_leaves_the_test_alone(table, parts):
    other = split_table(table, declared(test_from=TEST_FROM.date(), seed=1))
    assert set(other.validation["customer_id"]) != set(parts.validation["customer_id"])
    assert other.test.index.equals(parts.test.index)


def test_customers_may_have_names(table, parts):
    named = table.assign(customer_id="card " + table["customer_id"].astype(str))
    assert split_table(named, declared(test_from=TEST_FROM.date())).test.index.equals(
        parts.test.index
    )


def test_dates_outside_the_table_are_refused(table):
    with pytest.raises(DataRefused, match="dates of the split"):
        split_table(table, declared(test_from=date(2031, 1, 1)))
    with pytest.raises(DataRefused, match="train part is empty"):
        split_table(table, declared(test_from=TEST_FROM.date(), delay_days=400))
    last = table.index[-1:]
    far = table.assign(transacted_at=table["transacted_at"].mask(table.index.isin(last), "2099"))
    with pytest.raises(DataRefused, match=r"29,494 days, 98% of the rows 58\): .* correct dates"):
        split_table(far, declared())


def test_a_customer_that_is_no_column_is_refused():
    with pytest.raises(ValueError, match=r"split\.customer 'who'"):
        UseCase(
            **declared().model_dump(exclude={"split"}),
            split=DelayedFeedback(column="transacted_at", customer="who"),
        )


def test_nobody_struck_means_nobody_removed(table):
    quiet = table.copy()
    quiet["fraud"] = np.where(quiet["transacted_at"] >= TEST_FROM, quiet["fraud"], 0)
    with pytest.raises(DataRefused, match="train part has a single class"):
        split_table(quiet, declared(test_from=TEST_FROM.date()))
