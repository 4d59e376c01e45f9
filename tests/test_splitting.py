"""Nothing of the test rows is known while training: whatever the way of splitting."""

import numpy as np
import pandas as pd
import pytest

from modelling.columns import identifier, number, time
from modelling.declaration import Grouped, OutOfTime, Source, Stratified, UseCase
from modelling.refusals import DataRefused
from modelling.splitting import split_table


def declared(split, problem="binary"):
    return UseCase(
        name="loans",
        title="Loans",
        problem=problem,
        source=Source(uri="none"),
        target="y",
        columns=(number("x"), identifier("who"), time("opened_on")),
        split=split,
    )


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    n = 5000
    return pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "who": rng.integers(0, 700, n),
            "opened_on": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "y": (rng.random(n) < 0.1).astype(int),
        }
    )


@pytest.mark.parametrize(
    "split", [Stratified(), Grouped(column="who"), OutOfTime(column="opened_on")]
)
def test_no_row_is_in_two_parts_and_shares_are_kept(table, split):
    parts = split_table(table, declared(split))
    rows = np.concatenate([part.index for part in parts])
    assert len(set(rows)) == len(rows) == len(table)
    assert len(parts.test) / len(table) == pytest.approx(0.2, abs=0.03)
    assert len(parts.validation) / len(table) == pytest.approx(0.2, abs=0.03)


def test_stratified_parts_have_the_same_rate(table):
    parts = split_table(table, declared(Stratified()))
    rates = [part["y"].mean() for part in parts]
    assert max(rates) - min(rates) < 0.001


def test_a_regression_target_has_the_same_distribution_in_every_part(table):
    table["y"] = np.exp(table["x"])
    parts = split_table(table, declared(Stratified(), "regression"))
    medians = [part["y"].median() for part in parts]
    assert max(medians) / min(medians) < 1.1


def test_nobody_is_on_both_sides(table):
    people = [set(part["who"]) for part in split_table(table, declared(Grouped(column="who")))]
    assert not people[0] & people[1]
    assert not people[0] & people[2]
    assert not people[1] & people[2]


def test_out_of_time_leaves_the_gap_out(table):
    split = OutOfTime(column="opened_on", gap_days=30)
    train, validation, test = split_table(table, declared(split))
    gap = pd.Timedelta(days=30)
    assert train["opened_on"].max() < validation["opened_on"].min() - gap
    assert validation["opened_on"].max() < test["opened_on"].min() - gap


def test_the_seed_decides_the_split(table):
    one, same, other = (split_table(table, declared(Stratified(seed=s))).test for s in (1, 1, 2))
    assert one.index.equals(same.index)
    assert not one.index.equals(other.index)


def test_parts_that_can_not_be_used_are_refused(table):
    with pytest.raises(DataRefused, match="train part is empty"):
        split_table(table, declared(OutOfTime(column="opened_on", gap_days=5000)))
    table["y"] = (table["opened_on"] > "2022-01-01").astype(int)
    with pytest.raises(DataRefused, match="single class"):
        split_table(table, declared(OutOfTime(column="opened_on")))
    with pytest.raises(DataRefused, match="too few rows"):
        split_table(table.head(3), declared(Stratified()))
