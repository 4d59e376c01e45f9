"""From a table to rows that can be learnt from: one way, and one vocabulary of rules."""

import gc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_models import COLUMNS, loan_table, loans, prepared, run_of

from modelling.data.target_codes import code_classes, labelled_rows
from modelling.data.typed_columns import type_columns
from modelling.declaration import Finite, InOrder, OutOfTime, UniqueRows, time
from modelling.refusals import DataRefused
from tasks.reporting import record_data
from tasks.validation import Validator

BECAUSE = {"because": "a test asks for it"}


def dated(**declared):
    return loans(columns=(*COLUMNS, time("opened_on")), **declared)


@pytest.fixture
def table():
    days = pd.date_range("2020-01-01", periods=600, freq="D")
    return loan_table(600).assign(opened_on=days, balance=np.linspace(1, 2, 600))


@pytest.mark.parametrize(
    ("rule", "column", "value", "said", "rows"),
    [
        (InOrder(column="opened_on", **BECAUSE), "opened_on", pd.Timestamp("2019-01-01"),
         "opened_on: rows are in order", 1),
        (Finite(column="balance", **BECAUSE), "balance", np.inf, "balance: is a finite number", 1),
        (Finite(column="balance", above=0, **BECAUSE), "balance", 0.0,
         "balance: is a finite number above 0", 1),
        (UniqueRows(columns=("opened_on",), severity="critical", **BECAUSE), "opened_on",
         pd.Timestamp("2020-01-01"), "opened_on: no value is there twice", 2),
    ],
)  # fmt: skip
def test_a_rule_is_kept_or_named_with_its_rows(table, rule, column, value, said, rows):
    use_case = dated(expectations=(rule,))
    assert prepared(use_case, table).report.rules > prepared(dated(), table).report.rules
    table.loc[5, column] = value
    with pytest.raises(DataRefused, match=said) as refused:
        prepared(use_case, table)
    (broken,) = [one for one in refused.value.broken if one.column == column]
    assert broken.rows == rows


def test_a_table_that_was_validated_is_freed_with_what_was_found_of_its_rows():
    use_case, table = loans(), loan_table(2011)  # as many rows as no other table has
    validator = Validator(use_case, {})
    typed = type_columns(table, use_case).table
    validator.check_types(typed)
    coded = code_classes(typed, use_case)
    validator.check_content(coded)
    gc.collect()
    whole = [one for one in gc.get_objects() if isinstance(one, pd.DataFrame | pd.Series)]
    of_rows = {id(one) for one in whole if len(one) == len(table)}
    assert of_rows <= {id(table), id(typed), id(coded)}


def test_rows_without_a_label_are_refused_or_left_out_and_counted(caplog):
    table = loan_table(600)
    table["default"] = table["default"].map({0: "paid", 1: "late"})
    table.loc[:9, "default"] = None
    table.loc[10:29, "default"] = "running"
    labels = ("paid", "late")
    with pytest.raises(DataRefused, match="default: target is known"):
        prepared(loans(classes=labels), table)
    with caplog.at_level("INFO", logger="finflows"):
        data = prepared(loans(classes=labels, unlabelled="drop"), table)
    assert len(data.table) == 570
    assert "30 rows without a label dropped" in caplog.text
    assert "Left out before: 30 rows without a label.\n" in data.report.markdown()
    assert replace(data.report, unlabelled=1, duplicates=1).left_out == [
        "1 row without a label",
        "1 duplicate",
    ]
    with pytest.raises(DataRefused, match="default: no row has one of gone, lost"):
        prepared(loans(classes=("gone", "lost"), unlabelled="drop"), table)
    values = loans(problem="regression", gate=None, unlabelled="drop")
    with pytest.raises(DataRefused, match="default: no row has a value"):
        labelled_rows(table.assign(default=np.nan), values)


def test_cells_of_rows_that_are_left_out_break_nothing():
    """As of a header that stands in the file again, where two exports were joined."""
    table = loan_table(600).astype({"age": "str", "income": "str"}).astype(object)
    table.loc[300] = table.columns
    data = prepared(loans(classes=("0", "1"), unlabelled="drop"), table)
    assert (len(data.table), data.report.unlabelled) == (599, 1)
    assert data.table["income"].dtype == np.float64
    table.loc[5, "income"] = "much"
    with pytest.raises(DataRefused) as refused:
        prepared(loans(classes=("0", "1"), unlabelled="drop"), table)
    assert [(rule.column, rule.rows) for rule in refused.value.broken] == [("income", 1)]


def test_a_warning_is_counted_and_the_rows_stay(table):
    rule = Finite(column="balance", above=1.5, severity="warning", **BECAUSE)
    data = prepared(dated(expectations=(rule,)), table)
    (broken,) = data.report.warnings
    assert broken.rows == (table["balance"] <= 1.5).sum()
    assert len(data.table) == len(table)


def test_the_same_table_is_prepared_the_same(table):
    use_case = dated(split=OutOfTime(column="opened_on"))
    first, again = prepared(use_case, table), prepared(use_case, table.copy())
    assert first.data_hash == again.data_hash
    for part, same in zip(first.parts, again.parts, strict=True):
        pd.testing.assert_frame_equal(part, same)
    assert sum(map(len, first.parts)) == len(first.table)


def test_a_target_whose_labels_are_not_declared_is_answered_with_the_line_to_add(table):
    table["default"] = table["default"].map({0: "paid", 1: "late"})
    line = r'declare classes=\("paid", "late"\)'
    with pytest.raises(DataRefused, match=line):
        prepared(loans(), table)
    table.loc[:2, "default"] = "a name"  # of too few rows to be said
    with pytest.raises(DataRefused, match="target is one of 0, 1") as refused:
        prepared(loans(), table)
    assert "a name" not in str(refused.value)


def test_how_many_rows_were_without_a_label_is_a_metric_of_the_run(store):
    table = loan_table(600)
    table["default"] = table["default"].astype("Int64")
    table.loc[:9, "default"] = None
    use_case = loans(unlabelled="drop")
    data = prepared(use_case, table)
    with run_of(use_case) as run:
        record_data(run, data)
    assert run.client.get_run(run.run_id).data.metrics["rows_without_label"] == 10


def test_a_resumed_run_takes_its_own_rows_alone_and_says_where_it_had_recorded_none(store, caplog):
    """It may be killed at any moment: what it reads is recorded before all else."""
    use_case, data = loans(), prepared(loans(), loan_table(600))
    with run_of(use_case) as run:
        resumed = replace(run, resumed=True)
        with caplog.at_level("INFO", "finflows"):
            resumed.log_data(data.parts, "", data.data_hash, data.origin)
        assert "resumed     it had not recorded its data: these may be other rows" in caplog.text
        inputs = run.client.get_run(run.run_id).inputs.dataset_inputs
        assert len(inputs) == 3, "a run that was killed before they were logged has them, too"
        caplog.clear()
        resumed.log_data(data.parts, "", data.data_hash, data.origin)
        assert not caplog.text
        with pytest.raises(DataRefused, match="the data have changed since this run started"):
            resumed.log_data(data.parts, "", "another", data.origin)
