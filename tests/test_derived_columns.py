"""Derived columns: from anybody's transactions, with errors that name the column and no cell."""

import numpy as np
import pandas as pd
import pytest
from small_models import prepared

from modelling.data.derived_columns import derive_columns
from modelling.data.loading import read_table
from modelling.data.typed_columns import type_columns
from modelling.declaration import (
    DelayedFeedback,
    SimulatedTransactions,
    Source,
    TransactionWindows,
    UseCase,
    amount,
    count,
    identifier,
    ratio,
    time,
)
from modelling.declaration.overrides import override
from modelling.refusals import DataRefused, UsageError
from tasks.preparation import source_name
from use_cases import find_use_case

NAMES = {
    "customer_id": "card",
    "terminal_id": "shop",
    "transacted_at": "booked",
    "amount_usd": "eur",
    "fraud": "chargeback",
}
MINE = UseCase(
    name="my_cards",
    title="A bank's own transactions",
    problem="binary",
    source=Source(uri="cards.csv"),
    target="chargeback",
    classes=("no", "yes"),
    derived=TransactionWindows(
        customer="card", terminal="shop", time="booked", amount="eur", fraud="chargeback",
        windows_days=(1, 14), delay_days=3,
    ),
    columns=(
        time("booked"), identifier("card"), amount("eur"),
        count("customer_transactions_14d"), ratio("terminal_fraud_share_14d"),
    ),
    split=DelayedFeedback(column="booked", customer="card", train_days=14, delay_days=3),
)  # fmt: skip


@pytest.fixture(scope="module")
def simulated():
    return read_table(SimulatedTransactions(customers=60, terminals=800, days=60))


@pytest.fixture
def mine(simulated, tmp_path):
    """The same transactions as a bank's own CSV file: other names, text labels, other order."""
    table = simulated.drop(columns="transaction_id").rename(columns=NAMES)
    table["card"] = "c" + table["card"].astype(str)
    table["chargeback"] = table["chargeback"].map({0: "no", 1: "yes"})
    table = table.sample(frac=1, random_state=0)
    table.to_csv(tmp_path / "cards.csv", index=False)
    return read_table(Source(uri=str(tmp_path / "cards.csv")))


def test_a_banks_own_table_gets_the_same_windows(simulated, mine):
    theirs = find_use_case("fraud_detection").model_copy(
        update={"derived": TransactionWindows(windows_days=(1, 14), delay_days=3)}
    )
    expected = derive_columns(simulated, theirs)
    derived = derive_columns(mine, MINE).sort_values(["booked", "card", "eur"])
    again = expected.assign(card="c" + expected["customer_id"].astype(str)).sort_values(
        ["transacted_at", "card", "amount_usd"]
    )
    new = [name for name in derived if name not in mine]
    assert len(new) == 2 + 4 * 2
    for name in new:
        np.testing.assert_array_equal(derived[name], again[name])
    assert derived["terminal_fraud_share_14d"].between(0, 1).all()
    assert list(derive_columns(mine, MINE).index) == list(mine.index)


def test_without_a_declaration_the_table_is_left_alone(credit_table):
    assert derive_columns(credit_table, find_use_case("credit_scoring")) is credit_table


@pytest.mark.parametrize(
    ("spoil", "column", "rule", "rows"),
    [
        (lambda t: t.drop(columns="shop"), "shop", "column exists", None),
        (lambda t: t.assign(eur=t["eur"].astype(str).where(t.index > 2, "4711 pieces")), "eur",
         "is a number", 3),
        (lambda t: t.assign(booked=t["booked"].where(t.index > 0, "4711-77-77")), "booked",
         "is a time", 1),
        (lambda t: t.assign(card=t["card"].where(t.index > 1)), "card",
         "is in every row, as derived.customer needs", 2),
        (lambda t: t.assign(eur=t["eur"].where(t.index > 1, np.inf)), "eur", "finite", 2),
        (lambda t: t.assign(chargeback=t["chargeback"].where(t.index != t["booked"].idxmin())),
         "chargeback", "is known 3 days later, as derived.delay_days says", 1),
        (lambda t: t.assign(customer_transactions_14d=4711), "customer_transactions_14d",
         "must not have the name", None),
    ],
)  # fmt: skip
def test_a_column_that_can_not_be_used_is_named(mine, spoil, column, rule, rows):
    with pytest.raises(DataRefused, match=f"{column}: .*{rule}") as refused:
        prepared(MINE, spoil(mine))
    (broken,) = refused.value.broken
    assert (broken.column, broken.rows) == (column, rows)
    assert "4711" not in str(refused.value) + str(broken)


def test_frauds_that_are_not_known_yet_are_left_out_and_change_no_window(mine):
    """Chargebacks of the last three days come later, and no window looks at them."""
    booked = pd.to_datetime(mine["booked"])
    late = booked > booked.max() - pd.Timedelta(days=3)
    table = mine.assign(chargeback=mine["chargeback"].mask(late))
    with pytest.raises(DataRefused, match="chargeback: target is known"):
        prepared(MINE, table)
    data = prepared(override(MINE, {"unlabelled": "drop"}), table)
    assert data.report.unlabelled == late.sum() > 0
    pd.testing.assert_frame_equal(
        data.table, prepared(MINE, mine).table[~late.to_numpy()].reset_index(drop=True)
    )


def test_transactions_that_are_there_twice_are_counted(mine):
    """As where one file of a folder holds the rows of another."""
    columns = ("card", "shop", "booked", "eur")
    assert not mine.duplicated(list(columns)).any()
    report = prepared(MINE, pd.concat([mine, mine.head(50)])).report
    told = [str(rule) for rule in report.warnings if rule.column == "(table)"]
    assert told == [f"(table): rows are unique in {', '.join(columns)}: not in 100 rows"]


def test_rows_whose_windows_begin_before_the_table_are_counted(mine):
    booked = pd.to_datetime(mine["booked"])
    few_days = mine[booked >= booked.max() - pd.Timedelta(days=25)]
    data = prepared(MINE, few_days)
    first = pd.to_datetime(few_days["booked"]).min()
    early = sum((part["booked"] < first + pd.Timedelta(days=17)).sum() for part in data.parts)
    assert early > 100
    rule = "is 17 days after the first, as far as its windows look back"
    assert f"booked: {rule}: not in {early:,} rows" in map(str, data.report.warnings)
    assert "booked" not in [rule.column for rule in prepared(MINE, mine).report.warnings]


def test_a_simulation_is_set_by_its_settings_and_gives_way_to_a_file():
    before = find_use_case("fraud_detection")
    small = override(before, {"source.customers": 500, "source.start": "2020-01-01"}).source
    assert (small.customers, small.terminals, str(small.start)) == (500, 10_000, "2020-01-01")
    assert override(before, {"source.uri": "cards.csv"}).source == Source(uri="cards.csv")
    assert override(before, {"derived.delay_days": 14}).derived.delay_days == 14
    assert "customers=5000" in source_name(before)


@pytest.mark.parametrize(
    ("dotted", "value", "said"),
    [
        ("source.custmers", 5, "did you mean 'source.customers'"),
        ("source.customers", 0, "source.customers: Input should be greater than 0"),
        ("derived.delay", 5, "did you mean 'derived.delay_days'"),
        ("derived.windows_days", [0], "derived.windows_days"),
        ("split.test_from", "soon", "split.test_from"),
        ("split.customer", "who", "split.customer 'who' is not among the columns"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(dotted, value, said):
    with pytest.raises(UsageError, match=said.replace(".", r"\.")):
        override(find_use_case("fraud_detection"), {dotted: value})


def test_frauds_are_a_binary_problem():
    with pytest.raises(UsageError, match="transaction_windows is about frauds"):
        override(find_use_case("fraud_detection"), {"problem": "regression"})


def test_a_declaration_comes_back_from_its_own_json():
    use_case = find_use_case("fraud_detection")
    assert UseCase.model_validate_json(use_case.model_dump_json()) == use_case


def doubled(table, name):
    return pd.concat([table, table[[name]].iloc[::-1].reset_index(drop=True)], axis=1)


@pytest.mark.parametrize("name", ["card", "eur", "chargeback", "booked"])
def test_a_column_that_is_there_twice_is_named(mine, name):
    with pytest.raises(DataRefused, match=f"{name}: is there once"):
        type_columns(doubled(mine, name), MINE)


def test_a_column_that_nobody_reads_may_be_there_twice(credit_table):
    use_case = find_use_case("credit_scoring")
    with_notes = credit_table.assign(note="x")
    type_columns(doubled(with_notes, "note"), use_case)
    for name in ("age", use_case.target):
        with pytest.raises(DataRefused, match=f"{name}: is there once"):
            type_columns(doubled(credit_table, name), use_case)


def test_an_absurd_amount_leaves_the_means_of_others_as_they_are(mine):
    """Totals are exact whole numbers: beside 1e300, cents would be none."""
    spoiled = mine.copy()
    spoiled.loc[5, "eur"] = "1e300"
    others = mine["card"] != mine.loc[5, "card"]
    name = "customer_mean_amount_14d"
    before, after = (derive_columns(one, MINE).loc[others, name] for one in (mine, spoiled))
    np.testing.assert_allclose(after, before, rtol=1e-6)
