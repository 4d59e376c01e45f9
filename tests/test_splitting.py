"""Nothing of the test rows is known while training: whatever the way of splitting."""

import numpy as np
import pandas as pd
import pytest
from small_models import loans, prepared

from modelling.data.independence import groups_of
from modelling.data.splitting import split_table
from modelling.declaration import (
    Grouped,
    OutOfTime,
    Source,
    Stratified,
    UseCase,
    category,
    identifier,
    number,
    time,
)
from modelling.refusals import DataRefused


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


def test_earlier_cut_dates_lose_no_row_and_look_at_the_later_half():
    days = pd.date_range("2020-01-01", periods=100).repeat(30)
    rows = pd.DataFrame({"opened_on": days})
    train, validation = rows.iloc[:2400], rows.iloc[2400:]
    folds = OutOfTime(column="opened_on").folds(train, validation, None, 4)
    held_out, middle = 0, train["opened_on"].quantile(0.5, "lower")
    for learnt, block in folds:
        held_out += len(block)
        assert len(learnt) + held_out == len(train), "days at a cut are in the block, whole"
        assert train.loc[learnt, "opened_on"].max() < train.loc[block, "opened_on"].min()
        assert train.loc[block, "opened_on"].min() >= middle
    assert held_out == pytest.approx(len(train) / 2, rel=0.1)


def test_nobody_learns_from_a_day_that_is_judged():
    days = pd.DataFrame({"opened_on": pd.date_range("2020-01-01", periods=9)})
    split = OutOfTime(column="opened_on")
    split.check(days[:3], days[3:6], days[6:])
    for train, validation, test in ((4, 3, 6), (3, 3, 5)):
        with pytest.raises(AssertionError, match="row is later than a"):
            split.check(days[:train], days[validation:6], days[test:])


def test_the_seed_decides_the_split(table):
    one, same, other = (split_table(table, declared(Stratified(seed=s))).test for s in (1, 1, 2))
    assert one.index.equals(same.index)
    assert not one.index.equals(other.index)


def test_parts_that_can_not_be_used_are_refused(table):
    sizes = r"train part is empty \(0 train, .* of 5,000 rows; opened_on spans 899 days, 98% .*\)"
    with pytest.raises(DataRefused, match=sizes):
        split_table(table, declared(OutOfTime(column="opened_on", gap_days=5000)))
    table["y"] = (table["opened_on"] > "2022-01-01").astype(int)
    with pytest.raises(DataRefused, match="single class"):
        split_table(table, declared(OutOfTime(column="opened_on")))
    with pytest.raises(DataRefused, match=r"class '0' has 2 rows, .* needed in each of 3 parts"):
        split_table(table.head(3), declared(Stratified()))


def grades(rows_of_rarest):
    use_case = loans(
        problem="multiclass",
        classes=("A", "B", "C"),
        columns=(number("x"),),
        headline=("log_loss",),
        gate=None,
    )
    codes = np.repeat([0, 1, 2], [900, 300, rows_of_rarest])
    return pd.DataFrame({"x": np.arange(len(codes)), "default": codes}), use_case


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_class_of_too_few_rows_is_named(rows):
    table, use_case = grades(rows)
    with pytest.raises(DataRefused, match=f"class 'C' has {rows} rows.*merge_classes"):
        split_table(table, use_case)


def test_a_class_that_training_never_sees_is_named():
    """The network would have an output that nothing teaches; a linear model would lack it."""
    table, use_case = grades(0)
    with pytest.raises(DataRefused, match="no training row is of class 'C'"):
        split_table(table, use_case.model_copy(update={"split": Grouped(column="x")}))


def test_one_in_five_thousand_is_split_where_each_part_gets_one(table):
    rare = pd.concat([table] * 10, ignore_index=True)
    rare["y"] = 0
    rare.loc[::5000, "y"] = 1
    assert [part["y"].sum() for part in split_table(rare, declared(Stratified()))] == [6, 2, 2]
    with pytest.raises(DataRefused, match="class '1' has 1 rows"):
        split_table(rare.head(5000), declared(Stratified()))


def test_rows_of_one_customer_are_not_independent(table):
    """Intervals are drawn by these codes, from 0 on, one for each customer."""
    codes = groups_of(table.assign(who=table.index % 3 + 70), declared(Grouped(column="who")))
    assert codes.tolist() == (table.index % 3).tolist()


@pytest.mark.parametrize(("rows", "is_refused"), [(50, False), (40, True)])
def test_a_part_of_less_than_a_quarter_of_its_share_is_refused(table, rows, is_refused):
    """A fifth of the rows is declared for validation, and for test."""
    parts = (table.head(700), table.head(160), table.head(rows))
    split = Grouped(column="who")
    if not is_refused:
        split.check(*parts)
        return
    with pytest.raises(DataRefused, match=r"the test part has 4\.4% of the rows instead of 20%"):
        split.check(*parts)
    with pytest.raises(DataRefused, match=r"the train part has 4\.4% of the rows instead of 60%"):
        split.check(*parts[::-1])


def test_a_group_that_is_nearly_everything_is_refused(table):
    table["who"] = np.where(np.arange(len(table)) % 20, 0, table["who"] + 1)
    for seed in range(4):  # whichever part it falls into
        with pytest.raises(DataRefused, match=r"split\.column 'who': groups are so unequal"):
            split_table(table, declared(Grouped(column="who", seed=seed)))
    with pytest.raises(DataRefused, match="'who' holds 2 groups"):
        split_table(table.assign(who=table["who"] > 0), declared(Grouped(column="who")))


def test_a_test_part_of_one_day_is_refused_before_anything_is_trained(table):
    days = np.repeat([0, 40, 80], [3000, 1000, 1000])
    table["opened_on"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(days, "D")
    with pytest.raises(DataRefused, match="all of one day"):
        split_table(table, declared(OutOfTime(column="opened_on")))


@pytest.mark.parametrize("absurd", [np.inf, -1e308, 1e30])
def test_an_absurd_target_is_named_and_not_averaged(table, absurd):
    table["y"] = np.exp(table["x"])
    table.loc[17, "y"] = absurd
    with pytest.raises(DataRefused, match="y: is a finite number, at most a million times"):
        split_table(table, declared(Stratified(), "regression"))


@pytest.mark.parametrize(("column", "kind"), [("opened_on", time), ("region", category)])
def test_a_row_without_what_it_is_split_by_is_refused(table, column, kind):
    """It would be in no part, or all of them in one, and nobody would be told."""
    split = OutOfTime(column=column) if kind is time else Grouped(column=column)
    columns = (number("x"), kind(column, missing_at_most=0.5))
    use_case = loans(target="y", columns=columns, split=split)
    table = table.assign(region=table["who"].astype(str) + " km")
    table.loc[:6, column] = None
    with pytest.raises(DataRefused, match=rf"{column}: is in every row, as split\.column needs"):
        prepared(use_case, table)
