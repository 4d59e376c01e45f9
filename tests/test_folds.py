"""Folds of a small table: as its split is declared, of the rows before the test alone."""

import numpy as np
import pandas as pd
import pytest
from test_splitting import declared

from modelling.data.folds import cut_folds, fold_count
from modelling.data.splits.split import RowSplit
from modelling.data.splitting import Parts, split_table
from modelling.declaration import DelayedFeedback, Grouped, OutOfTime, Stratified
from modelling.refusals import DataRefused

IN_TIME = OutOfTime(column="opened_on", gap_days=10)
SPLITS = [Stratified(), Grouped(column="who"), IN_TIME]


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.normal(size=1000),
            "who": rng.integers(0, 150, 1000),
            "opened_on": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 900, 1000), "D"),
            "y": (rng.random(1000) < 0.1).astype(int),
        }
    )


def folds_of(table, split, problem="binary"):
    use_case = declared(split, problem)
    return cut_folds(split_table(table, use_case), use_case)


@pytest.mark.parametrize("split", SPLITS)
def test_each_row_is_held_out_at_most_once_and_test_rows_never(table, split):
    folds = folds_of(table, split)
    assert len(folds) == 4
    held_out = np.concatenate([fold.validation.index for fold in folds])
    assert len(set(held_out)) == len(held_out)
    for fold in folds:
        assert not {*fold.train.index} & {*fold.validation.index}
        assert not {*folds[0].test.index} & {*fold.train.index, *fold.validation.index}
        assert fold.test.equals(folds[0].test)
    before_test = len(folds[0].train) + len(folds[0].validation)
    if split is not IN_TIME:
        assert len(held_out) == before_test
        assert all(len(fold.train) + len(fold.validation) == before_test for fold in folds)
        assert max(abs(len(fold.validation) - 200) for fold in folds) < 40


def test_the_first_fold_is_the_declared_split(table):
    parts = split_table(table, declared(Stratified()))
    first = folds_of(table, Stratified())[0]
    assert all(mine.equals(theirs) for mine, theirs in zip(first, parts, strict=True))


def test_folds_have_the_same_rate_and_the_same_distribution_of_a_target(table):
    rates = [fold.validation["y"].mean() for fold in folds_of(table, Stratified())]
    assert max(rates) - min(rates) < 0.01
    numbers = folds_of(table.assign(y=table["x"]), Stratified(), "regression")
    medians = [fold.validation["y"].median() for fold in numbers]
    assert max(medians) - min(medians) < 0.2


def test_nobody_is_on_both_sides_of_a_fold(table):
    folds = folds_of(table, Grouped(column="who"))
    assert len(folds) == 4
    for fold in folds:
        assert not {*fold.train["who"]} & {*fold.validation["who"]}


def test_a_fold_of_frauds_is_validated_on_other_customers_of_the_same_days(table):
    table["opened_on"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(table.index // 40, "D")
    split = DelayedFeedback(column="opened_on", customer="who", train_days=10, delay_days=3)
    folds = folds_of(table, split)
    assert len(folds) == 5
    for fold in folds:
        assert not {*fold.train["who"]} & {*fold.validation["who"]}
        assert fold.validation["opened_on"].max() < folds[0].test["opened_on"].min()


def test_nobody_learns_from_a_later_day_and_the_gap_is_left_out_of_every_fold(table):
    folds = folds_of(table, IN_TIME)
    begins = [fold.validation["opened_on"].min() for fold in folds]
    assert begins == sorted(begins, reverse=True)
    for fold, begin in zip(folds, begins, strict=True):
        assert begin - fold.train["opened_on"].max() > pd.Timedelta(days=10)
    assert len(folds[-1].train) > 0.4 * len(folds[0].train), "half, without the gap"
    assert all(len(fold.validation) <= len(folds[0].validation) for fold in folds)


@pytest.mark.parametrize(
    ("train", "validation", "folds"),
    [
        (600, 200, 4),
        (900, 100, 5),
        (300, 300, 2),
        (100, 400, 1),
        (6000, 2000, 3),
        (15_000, 5000, 1),
    ],
)
def test_the_fewer_the_validation_rows_the_more_folds(train, validation, folds):
    few, many = pd.DataFrame(index=range(validation)), pd.DataFrame(index=range(train))
    assert fold_count(Parts(many, few, few)) == folds


class Halves(RowSplit):
    """A split of somebody's own, which says nothing of folds."""

    method: str = "halves"

    def positions(self, table, _target):
        return tuple(np.array_split(np.arange(len(table)), 3))


def test_a_split_that_knows_no_folds_has_its_declared_cut(table):
    use_case = declared(Stratified()).model_copy(update={"split": Halves()})
    parts = split_table(table, use_case)
    assert cut_folds(parts, use_case) == [parts]


def test_folds_without_rows_to_learn_a_class_from_are_refused(table):
    use_case = declared(Grouped(column="who"))
    parts = split_table(table, use_case)
    of_one = [part.assign(y=(part["who"] == parts.train["who"].iloc[0]) * 1) for part in parts]
    with pytest.raises(DataRefused, match="a class would have no training row in a fold"):
        cut_folds(Parts(*of_one), use_case)


def test_too_few_rows_for_folds_are_refused(table):
    use_case = declared(Grouped(column="who"))
    few = table.assign(who=[0] * 600 + [1] * 200 + [2] * 200)
    parts = Parts(few[:600], few[600:800], few[800:])
    with pytest.raises(DataRefused, match="too few rows for folds"):
        cut_folds(parts, use_case)
