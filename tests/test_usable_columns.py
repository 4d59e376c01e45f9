"""Columns that a model can't use, or that later rows lack, are named before a training."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import sample

from modelling.data.splitting import Parts
from modelling.declaration import category, number
from modelling.features.microaggregation import microaggregate
from modelling.features.preprocessing import fit_transformer, preprocess
from modelling.features.usable_columns import column_findings
from modelling.refusals import DataRefused


def declared(*columns, least=20):
    return sample(columns=columns, minimum_rows_per_value=least)


@pytest.fixture
def numbers():
    rng = np.random.default_rng(3)
    return pd.DataFrame({"a": rng.normal(50, 9, 800), "b": rng.lognormal(2, 2, 800)})


def said_of_columns(parts, use_case):
    return [f"{one.column}: {one.rule}" for one in column_findings(parts, use_case)]


def test_a_column_that_training_never_saw_says_nothing_then_and_later():
    """Not even its flag, which would only move when the model is used."""
    rows = {"a": np.arange(200.0), "score": np.nan, "channel": None, "y": [0, 1] * 100}
    train = pd.DataFrame(rows)
    later = train.assign(score=700.0, channel="web")
    use_case = declared(number("a"), number("score", minimum=300), category("channel"))
    parts = Parts(train, later, later)
    assert said_of_columns(parts, use_case) == [
        "score: is empty in all training rows: the model can't use it",
        "channel: is empty in all training rows: the model can't use it",
    ]
    fitted = preprocess(parts, use_case)
    np.testing.assert_array_equal(fitted.train.features, fitted.validation.features)


def test_a_feature_that_later_rows_lack_or_name_otherwise_is_said_once():
    """As after a split in time: a product was renamed, and a bureau's score is no longer bought."""
    train = pd.DataFrame(
        {
            "score": [650.0, 700.0] * 100,
            "product": ["Flex", "Fix"] * 100,
            "region": ["north", "south"] * 100,
            "y": [0, 1] * 100,
        }
    )
    later = train.assign(score=None, product=["FlexPlus"] * 150 + ["Fix"] * 50)
    use_case = declared(number("score"), category("product"), category("region"))
    assert said_of_columns(Parts(train, train, later), use_case) == [
        "score: is empty in all test rows, and known in training rows",
        "product: 75.0% of the test rows have a label that no training row had: was one renamed?",
    ]
    assert said_of_columns(Parts(train, later, later), use_case) == [
        "score: is empty in all validation and test rows, and known in training rows",
        "product: 75.0% of the validation and 75.0% of the test rows have a label that no training "
        "row had: was one renamed?",
    ]
    renamed = declared(number("score"), category("product", unknown_at_most=0.8))
    assert len(said_of_columns(Parts(train, train, later), renamed)) == 1


def test_a_feature_that_hardly_differs_is_told(numbers):
    few = np.arange(800) < 19
    rows = numbers.assign(y=0, rare=few * 1.0, euro="EUR", fixed=7.5)
    rows["seldom_empty"] = np.where(few, np.nan, 7.5)
    rows["often_empty"] = np.where(np.arange(800) < 20, np.nan, 7.5)
    names = ("rare", "fixed", "seldom_empty", "often_empty")
    use_case = declared(number("a"), *map(number, names), category("euro"))
    assert said_of_columns(Parts(rows, rows, rows), use_case) == [
        "rare: differs in too few training rows (minimum_rows_per_value 20): the model can't use "
        "it",
        "fixed: is the same in all training rows that have it: the model can't use it",
        "seldom_empty: is the same in all training rows that have it: the model can't use it",
        "euro: is the same in all training rows that have it: the model can't use it",
    ]
    features = preprocess(Parts(rows, rows, rows), use_case).train.features
    changing = fit_transformer(rows, use_case).feature_names
    changing = {name for name, values in zip(changing, features.T, strict=True) if np.ptp(values)}
    assert {name.split(" (")[0] for name in changing} == {"a", "often_empty is missing"}


def test_a_table_too_small_for_any_feature_is_refused(numbers):
    """Each number would be the mean of all rows, and every model the constant answer."""
    small = numbers.head(39).assign(y=[0, 1, 0] * 13)
    use_case = declared(number("a"), number("b"))
    with pytest.raises(DataRefused, match="no feature differs in enough of the 39 training rows"):
        column_findings(Parts(small, small, small), use_case)
    assert np.ptp(fit_transformer(small, use_case).transform(small), axis=0).max() == 0
    enough = numbers.head(40).assign(y=[0, 1] * 20)
    assert not column_findings(Parts(enough, enough, enough), use_case)
    assert np.ptp(fit_transformer(enough, use_case).transform(enough), axis=0).min() > 0


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 4) | st.just(2) | st.just(2), min_size=2, max_size=30),
    st.integers(1, 6),
)
def test_what_hardly_differs_is_what_microaggregation_makes_one_value(values, least):
    known = np.array(values, dtype=np.float64)
    if len(known) < least:
        return
    grouped = microaggregate(known[:, None], least)
    rows = pd.DataFrame({"a": np.arange(len(known)), "x": known, "y": 0})
    use_case = declared(category("a"), number("x"), least=least)
    found = said_of_columns(Parts(rows, rows, rows), use_case)
    assert any(one.startswith("x: ") for one in found) == (np.ptp(grouped) == 0)


def test_absurd_numbers_are_told_without_being_quoted(numbers):
    table = numbers.assign(y=0)
    table.loc[[3, 4], "b"] = 1e300
    parts = Parts(table, table, table)
    assert said_of_columns(parts, declared(number("a"), number("b"))) == [
        "b: 2 training rows have more than a million times the usual size and are clipped"
    ]
    coded = declared(number("a"), number("b", special_codes=(1e300,)))
    assert not said_of_columns(parts, coded)
