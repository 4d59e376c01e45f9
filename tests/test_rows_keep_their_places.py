"""Rows are known by their position: whatever labels a frame has, filtered, shuffled or doubled,
the answers are those of the same rows with labels from 0 on."""

import numpy as np
import pandas as pd
import pytest
from small_models import loan_table, loans, small_model

from modelling.data.derived_columns import derive_columns
from modelling.data.independence import groups_of
from modelling.data.loading import read_table
from modelling.data.special_codes import without_special_codes
from modelling.data.splitting import Parts, split_table
from modelling.data.target_codes import code_classes
from modelling.data.typed_columns import type_columns
from modelling.declaration import (
    AlertBudget,
    Costs,
    DelayedFeedback,
    Grouped,
    LeastCost,
    OutOfTime,
    Stratified,
    TransactionWindows,
    amount,
    category,
    identifier,
    number,
    time,
)
from modelling.features.preprocessing import fit_transformer, preprocess
from modelling.judgement.baseline_predictions import baseline_inputs, predict_baselines
from modelling.judgement.baselines.catalogue import all_baselines
from modelling.judgement.decisions.alert_budget import days_and_cards
from modelling.judgement.decisions.costs import amounts_of, costs_at
from modelling.judgement.decisions.decision_rule import decision_rule
from modelling.judgement.evaluation import evaluate
from modelling.judgement.judging import judge
from use_cases import find_use_case

COLUMNS = (
    number("age", special_codes=(30,)),
    amount("income"),
    category("housing"),
    time("booked_on"),
    identifier("card"),
)
COSTS = Costs(amount="income", false_negative_share=1.0, false_positive=50)
VOLATILITY = find_use_case("market_volatility")
OF_PRICES = [name for name, baseline in all_baselines().items() if baseline.reads]
SPLITS = {
    "stratified": Stratified(),
    "grouped": Grouped(column="card"),
    "out_of_time": OutOfTime(column="booked_on"),
    "delayed_feedback": DelayedFeedback(
        column="booked_on", customer="card", train_days=60, test_days=60
    ),
}


def declared(**settings):
    usual = {"columns": COLUMNS, "costs": COSTS, "baselines": ("constant", "linear")}
    return loans(**{**usual, **settings})


@pytest.fixture(scope="module")
def table():
    generator = np.random.default_rng(1)
    table = loan_table(1500)
    table["booked_on"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(
        generator.integers(0, 200, len(table)), "D"
    )
    return table.assign(card=generator.integers(0, 300, len(table)))


@pytest.fixture(scope="module")
def prices():
    return read_table(VOLATILITY.source).head(600)


RELABELLED = {
    "filtered": lambda rows: 7 + 3 * np.arange(rows),
    "shuffled": lambda rows: np.random.default_rng(0).permutation(rows),
    "doubled": lambda rows: np.arange(rows) // 2,
    "all the same": lambda rows: np.zeros(rows, dtype=int),
    "text": lambda rows: [f"loan {-row}" for row in range(rows)],
}


@pytest.fixture(params=RELABELLED)
def relabel(request):
    def apply(frame):
        return frame.set_axis(pd.Index(RELABELLED[request.param](len(frame)), name="id"), axis=0)

    return apply


def same(ours, theirs):
    """Equal in content and order; the labels may differ."""
    if isinstance(ours, tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            same(one, other)
    elif isinstance(ours, pd.DataFrame):
        pd.testing.assert_frame_equal(ours.reset_index(drop=True), theirs.reset_index(drop=True))
    elif isinstance(ours, np.ndarray) and np.issubdtype(ours.dtype, np.floating):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)  # threads add in any order
    else:
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("method", SPLITS)
def test_splits(table, relabel, method):
    use_case = declared(split=SPLITS[method])
    expected = split_table(table, use_case)
    parts = split_table(relabel(table), use_case)
    same(tuple(parts), tuple(expected))
    for part, positions in zip(parts, expected, strict=True):
        same(table.iloc[part.index], table.iloc[positions.index])


def test_types_and_special_codes(table, relabel):
    use_case = declared()
    raw = table.assign(age=table["age"].astype(str), booked_on=table["booked_on"].astype(str))
    expected, typed = (type_columns(rows, use_case).table for rows in (raw, relabel(raw)))
    same(typed, expected)
    same(code_classes(typed, use_case), code_classes(expected, use_case))
    same(without_special_codes(relabel(table), COLUMNS), without_special_codes(table, COLUMNS))


def test_prices(prices, relabel):
    same(derive_columns(relabel(prices), VOLATILITY), derive_columns(prices, VOLATILITY))


def test_transaction_windows(table, relabel):
    windows = TransactionWindows(
        customer="card", terminal="region", time="booked_on", amount="balance", fraud="default"
    )
    use_case = declared(derived=windows, split=SPLITS["out_of_time"])
    same(derive_columns(relabel(table), use_case), derive_columns(table, use_case))


def test_preprocessing(table, relabel):
    use_case = declared()
    parts = split_table(table, use_case)
    moved = Parts(*map(relabel, parts))
    ours, theirs = preprocess(moved, use_case), preprocess(parts, use_case)
    assert ours.transformer.state == theirs.transformer.state
    for name in ("train", "validation"):
        same(getattr(ours, name).features, getattr(theirs, name).features)
        same(getattr(ours, name).target, getattr(theirs, name).target)
    transform = fit_transformer(relabel(parts.train), use_case).transform
    same(transform(relabel(parts.test)), theirs.transformer.transform(parts.test))


@pytest.mark.parametrize("name", sorted(all_baselines().keys() - {*OF_PRICES}))
def test_baselines(table, name):
    use_case = declared()
    parts = Parts(*(part.head(150) for part in split_table(table, use_case)))
    features = preprocess(parts, use_case)
    moved = Parts(*(part.set_axis(np.arange(len(part)) // 2) for part in parts))
    expected, ours = (
        all_baselines()[name].fit(baseline_inputs(table, of_rows, features, use_case))
        for of_rows in (parts, moved)
    )
    same(ours, expected)


@pytest.mark.parametrize("name", OF_PRICES)
def test_forecasts_of_a_series_find_their_rows_by_position(prices, relabel, name):
    """In a table with other labels, as ``split_table`` cuts it."""
    table = derive_columns(prices, VOLATILITY)
    moved = relabel(table)
    features = preprocess(split_table(table, VOLATILITY), VOLATILITY)
    expected, ours = (
        all_baselines()[name].fit(
            baseline_inputs(rows, split_table(rows, VOLATILITY), features, VOLATILITY)
        )
        for rows in (table, moved)
    )
    same(ours, expected)


@pytest.mark.parametrize(
    "decision", [LeastCost(), AlertBudget(alerts_a_day=3, time="booked_on", card="card")]
)
def test_decisions_metrics_and_money(table, relabel, decision):
    use_case = declared(decision=decision)
    parts = split_table(table, use_case)
    moved = Parts(*map(relabel, parts))
    generator = np.random.default_rng(4)
    validated, tested = (generator.random(len(part)) for part in parts[1:])
    choose_cut_off = decision_rule(use_case).choose_cut_off
    cut_off = choose_cut_off(parts, validated, use_case)
    assert choose_cut_off(moved, validated, use_case) == cut_off
    refused = tested >= cut_off
    test, expected = moved.test, parts.test
    same(amounts_of(test, use_case, moved.train), amounts_of(expected, use_case, parts.train))
    levels = np.array([0.2, 0.5])
    same(costs_at(levels, test, tested, use_case), costs_at(levels, expected, tested, use_case))
    if isinstance(decision, AlertBudget):
        same(days_and_cards(test, decision), days_and_cards(expected, decision))
    ours = evaluate(test, tested, refused.astype(int), use_case)
    assert ours == evaluate(expected, tested, refused.astype(int), use_case)


@pytest.mark.parametrize("method", SPLITS)
def test_groups_of_an_interval(table, relabel, method):
    use_case = declared(split=SPLITS[method])
    same(groups_of(relabel(table), use_case), groups_of(table, use_case))


def test_a_judgement(table, relabel, tmp_path):
    small = small_model(tmp_path / "model", table=table, columns=COLUMNS, costs=COSTS)
    use_case, parts = small.trained.use_case, small.parts
    moved = Parts(*map(relabel, parts))
    features = preprocess(moved, use_case)
    baselines = predict_baselines(relabel(table), moved, features, use_case)
    ours = judge(small.package, moved, use_case, baselines)
    assert ours.metrics == small.judgement.metrics
    assert ours.intervals == small.judgement.intervals
    assert ours.advantages == small.judgement.advantages
