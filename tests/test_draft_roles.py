"""What a draft takes columns for: whom rows are about, when they were decided, codes and sizes."""

import numpy as np
import pandas as pd
import pytest
from small_models import drafted, loan_table

from modelling.data.loading import read_table
from modelling.declaration import Source
from modelling.declaration.use_case_files import find_use_case
from modelling.drafting.columns.number_format import find_missing_words


def test_a_customer_with_several_rows_stays_in_one_part():
    rows = np.arange(2000)
    table = loan_table(2000).assign(customer_id=1000 + rows // 4)
    split = drafted(table, "default").split
    assert (split.method, split.column) == ("grouped", "customer_id")
    table = table.assign(account=table.pop("customer_id"))
    assert drafted(table, "default", identifier="account").split.column == "account"


@pytest.mark.parametrize("months", [24, 72])
def test_a_customer_of_a_panel_is_no_label_however_many_months_it_has(months):
    """Also where each customer has more than fifty rows; a branch with as many stays a label."""
    rows = np.arange(120 * months)
    ends = pd.date_range("2018-01-31", periods=months, freq="ME")
    table = loan_table(len(rows)).assign(
        customer_id=40_000 + rows // months, branch_id=300 + rows % 110, month=ends[rows % months]
    )
    kinds = {c.name: c.kind for c in drafted(table, "default").kept}
    assert (kinds["customer_id"], kinds["month"]) == ("identifier", "time")
    assert kinds.get("branch_id") != "identifier"


@pytest.mark.parametrize("letters", ["", "C"])
def test_of_two_identifiers_one_keeps_rows_together_and_none_is_a_size(letters):
    """The one that somebody names, else the first, however it is written."""
    rows = np.arange(2000)
    customers = pd.Series(1000 + rows // 4).map(lambda number: f"{letters}{number}")
    table = loan_table(2000).assign(customer_id=customers, shop_no=rows % 60)
    for named, split_by in ((None, "customer_id"), ("shop_no", "shop_no")):
        findings = drafted(table, "default", identifier=named)
        assert findings.split.column == split_by
        kinds = {c.name: c.kind for c in findings.kept}
        assert kinds[split_by] == "identifier"
        assert kinds.get("shop_no") in ("identifier", "category")
    (other,) = (c for c in findings.left_out if c.name == "customer_id")
    assert other.left_out == "500 different labels, hardly one shared: an identifier"


def test_codes_of_industries_agencies_and_statistics_programs_are_no_sizes():
    rows, table = np.arange(2000), loan_table(2000)
    table["nace"] = np.array(["01.11", "10.10", "64.20"])[rows % 3]
    table["sector_code"] = np.array(["01.10", "01.20", "10.00"])[rows // 5 % 3]
    table["hours"] = np.array(["01.10", "01.20", "10.00"])[rows // 7 % 3]
    table["gdp"] = [f"{row / 7:.1f}" if row % 3 == 0 else "." for row in rows]
    table["income"] = (
        table["income"].mask(rows % 9 == 0, 99_999_998).mask(rows % 8 == 0, 99_999_999)
    )
    table["ts"] = 1_600_000_000 + 3600 * rows
    findings = drafted(table.astype({"income": "float64"}), "default")
    found = {column.name: column for column in findings.columns}
    assert found["nace"].categories == ("01.11", "10.10", "64.20")
    assert found["sector_code"].categories == ("01.10", "01.20", "10.00")
    assert found["hours"].kind == "number", "but for its zero it is a size"
    assert found["income"].special_codes == (99_999_998, 99_999_999)
    assert "99999998, 99999999 lie apart" in found["income"].notes[0]
    assert (findings.split.method, findings.split.column) == ("out_of_time", "ts")
    assert find_missing_words(table[["gdp"]], Source(uri="table.csv")) == (".",)


def test_codes_of_the_credit_bureau_are_found_and_named():
    table = read_table(find_use_case("credit_scoring").source)
    columns = {c.name: c for c in drafted(table, "SeriousDlqin2yrs").columns}
    late = [name for name in columns if "PastDue" in name or "90Days" in name]
    assert len(late) == 3
    assert all(98 in columns[name].special_codes for name in late)
    assert not [n for n, c in columns.items() if c.special_codes and n not in late]


def test_whoever_owes_is_whom_rows_are_about_and_of_others_it_is_asked():
    table = loan_table(2000).assign(debtor=[f"D-{row // 4:05d}" for row in range(2000)])
    assert drafted(table, "default").split.column == "debtor"
    (left_out,) = drafted(table.rename(columns={"debtor": "wer"}), "default").left_out
    assert "an identifier (of whom the rows are about? then say --id)" in left_out.left_out


def test_where_rows_can_not_be_split_by_customer_or_date_the_reason_is_said():
    table = loan_table(2000).assign(customer_id=np.maximum(np.arange(2000) - 1600, 0))
    assert "'customer_id' can't stay together" in drafted(table, "default").split.reason
    days = pd.date_range("2019-01-01", periods=2000).strftime("%Y-%m-%d")
    late = loan_table(2000).assign(opened=days)
    late.loc[1500:, "default"] = 0
    assert "the last of which have too few" in drafted(late, "default").split.reason


def test_an_end_that_is_9999_where_it_is_open_is_no_time_of_decision():
    table = loan_table(400)
    opened = pd.Series(pd.date_range("2019-01-01", periods=400, freq="D"))
    ends = (opened + pd.Timedelta(days=90)).dt.strftime("%Y-%m-%d")
    table.insert(0, "ends_on", ends.where(table.index % 3 > 0, "9999-12-31"))
    found = drafted(table.assign(opened_on=opened.dt.strftime("%Y-%m-%d")), "default")
    assert found.split.column == "opened_on"
    left_out = {column.name: column.left_out for column in found.columns}
    assert "later than 'opened_on' in 100.0% of the rows" in left_out["ends_on"]


def test_a_date_of_birth_is_no_time_of_decision():
    table = loan_table(400)
    opened = pd.Series(pd.date_range("2019-01-01", periods=400, freq="D"))
    table.insert(0, "DOB", (opened - pd.Timedelta(days=9000)).dt.strftime("%Y-%m-%d"))
    found = drafted(table.assign(opened_on=opened.dt.strftime("%Y-%m-%d")), "default")
    assert found.split.column == "opened_on"
    left_out = {column.name: column.left_out for column in found.columns}
    assert "no feature: compute days from it" in left_out["DOB"]


def test_a_size_that_lies_apart_and_repeats_is_a_question():
    table = loan_table(2000).assign(rooms=np.arange(2000) % 5 + 1.0)
    table.loc[: len(table) // 20, "rooms"] = 5000
    (rooms,) = [c for c in drafted(table, "default").columns if c.name == "rooms"]
    assert rooms.special_codes == ()
    assert "5000 lies apart and repeated: a size, or a code?" in " ".join(rooms.notes)


@pytest.mark.parametrize(("mark", "label"), [("X", "X"), (1.0, "1"), (True, "1")])
def test_a_mark_or_nothing_is_a_feature_though_it_is_the_same_where_it_is_known(mark, label):
    """As SAP writes X for yes; a currency that some rows lack is left out."""
    table = loan_table(400)
    said = np.where(np.arange(400) % 10 < 8, table["default"], 1 - table["default"])
    table = table.assign(blocked=pd.Series([mark if yes else None for yes in said], dtype=object))
    findings = drafted(table.assign(currency=np.where(said, "EUR", None)), "default")
    columns = {column.name: column for column in findings.columns}
    assert (columns["blocked"].kind, columns["blocked"].categories) == ("category", (label,))
    assert columns["blocked"].notes[-1].endswith("an empty cell is taken for no.")
    assert columns["currency"].left_out == "the same where it is known"
    assert findings.gate.at_least > 0.7  # a linear model learns from it
