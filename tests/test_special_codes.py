"""Special codes mean something else than their size: nothing that asks for a size reads them."""

import numpy as np
import pandas as pd
import pytest
from small_models import loan_table, loans, prepared, small_model

from modelling.data.special_codes import without_special_codes
from modelling.declaration import Costs, LeastCost, NotAbove, amount, category, count
from modelling.features.microaggregation import microaggregated_median
from modelling.judgement.decisions.costs import amounts_of
from modelling.judgement.packaging import contract_of
from modelling.refusals import DataRefused
from modelling.scorer.contract import Contract
from modelling.scorer.model import Model

COLUMNS = (
    count("age", maximum=120, missing_at_most=0),
    count("months_since", special_codes=(-7, -8, -9), maximum=600, usual=(0, 240)),
    amount("income", special_codes=(-1, 99_999_999), maximum=1e6),
    amount("rent"),
    category("region"),
)
RENT = NotAbove(low="rent", high="income", because="nobody rents for more than the income")


@pytest.fixture
def table():
    """Bureau codes in a third of the rows; where one stands, no size is known."""
    table, generator = loan_table(900), np.random.default_rng(0)
    months = generator.integers(0, 200, 900)
    table["months_since"] = np.where(months % 3, months, generator.choice([-7, -8, -9], 900))
    table["income"] = np.where(months % 3, table["income"].fillna(1000), [-1, 99_999_999] * 450)
    table["rent"] = np.where(months % 3, table["income"] / 3, 500)
    return table


def test_no_range_and_no_order_applies_to_them(table):
    declared = loans(columns=COLUMNS, expectations=(RENT,))
    conformed, _, report, *_ = prepared(declared, table)
    assert not report.broken
    assert (conformed["months_since"] == -7).any(), "the codes stay: each is a flag for the network"


def test_a_missing_number_breaks_no_order(table):
    table.loc[::3, "income"] = np.nan
    assert not prepared(loans(columns=COLUMNS, expectations=(RENT,)), table).report.broken


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("months_since", -6, "months_since: in the allowed range, from 0 to 600"),
        ("income", 99_999_998, "income: in the allowed range"),
        ("rent", 2e6, "'rent' is not above 'income'"),
    ],
)
def test_other_numbers_keep_the_rules(table, column, value, rule):
    wide = table.assign(**{column: table[column].astype("float64")})
    wide.loc[wide.index[wide["months_since"] > 0][0], column] = value
    with pytest.raises(DataRefused, match=rule):
        prepared(loans(columns=COLUMNS, expectations=(RENT,)), wide)


def test_a_registered_contract_lets_them_pass_alone_and_among_others(table):
    contract = Contract(contract_of(loans(columns=COLUMNS), table), {})
    cells, broken, _ = contract.check(table)
    assert set(broken) == {""}
    assert (cells["months_since"] == table["months_since"]).all()
    for months, rule in ((-8, ""), (-8.0, ""), ("-9", ""), (-6, "months_since: is at least 0")):
        row = {**table.iloc[0].to_dict(), "months_since": months}
        assert contract.check_row(row)[1] == rule
        assert contract.check(pd.DataFrame([row]))[1].tolist() == [rule]


def test_a_code_is_no_amount_at_stake(table, tmp_path):
    """The median of training, as for a missing amount: in choosing, deciding and counting alike."""
    costs = Costs(amount="income", false_negative_share=1.0, false_positive_share=0.2)
    small = small_model(
        tmp_path / "model", table=table, columns=COLUMNS, costs=costs, decision=LeastCost()
    )
    use_case, train = small.trained.use_case, small.parts.train
    known = microaggregated_median(without_special_codes(train, COLUMNS)["income"].to_numpy(), 20)
    coded = small.parts.test[small.parts.test["income"].isin([-1, 99_999_999])]
    assert set(amounts_of(coded, use_case, known=train)) == {known}
    answers = Model(small.package.folder, "1").answer(coded)
    emptied = Model(small.package.folder, "1").answer(coded.assign(income=known))
    shares = answers["probability"] * known / (answers["probability"] * 0.8 * known + 0.2 * known)
    assert np.isfinite(small.judgement.metrics["cost"])
    assert small.judgement.metrics["cost"] < 1e6 * len(small.parts.test)
    assert len(emptied) == len(shares) == len(coded)
    by_stake = answers.assign(share=shares).groupby("decision")["share"]
    if by_stake.ngroups == 2:
        assert by_stake.max()[0] <= by_stake.min()[1] + 1e-9


def test_infinite_and_unknown_amounts_are_counted_like_missing_ones():
    use_case = loans(costs=Costs(amount="income", false_negative_share=1.0))
    rows = pd.DataFrame({"income": [10.0, np.inf, np.nan, 30.0]})
    assert amounts_of(rows, use_case).tolist() == [10, 20, 20, 30]
    assert amounts_of(rows.assign(income=np.nan), use_case).tolist() == [0, 0, 0, 0]


def test_the_example_of_a_model_keeps_its_contract(table, tmp_path):
    """Also of columns that are empty in all training rows."""
    columns = (
        *COLUMNS,
        count("score", minimum=300, maximum=850, missing_at_most=1),
        category("channel", "web", "app", missing_at_most=1),
        count("coded", minimum=5, special_codes=(-9,), missing_at_most=0),
    )
    unseen = prepared(loans(columns=COLUMNS), table).parts.test.index[0]
    alone = table.index == unseen
    table = table.assign(coded=-9.0, score=np.where(alone, 500, np.nan))
    table["channel"] = np.where(alone, "web", None)
    small = small_model(tmp_path / "model", table=table, columns=columns)
    answers = Model(small.package.folder, "1").answer(small.package.example)
    assert answers["broken_rules"].tolist() == [""]
    assert small.package.outputs["probability"] == "float64"
