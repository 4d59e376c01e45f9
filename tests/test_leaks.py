"""What gives the target away is found before training, and honest tables raise no alarm."""

import numpy as np
import pandas as pd
import pytest
from conftest import trainings
from small_models import loan_table, loans, small_model

from modelling.data.derived_columns import derive_columns
from modelling.data.loading import read_table
from modelling.data.splitting import split_table
from modelling.data.target_codes import code_classes, merge_classes
from modelling.data.typed_columns import type_columns
from modelling.declaration import (
    Grouped,
    OutOfTime,
    Source,
    Stratified,
    amount,
    category,
    count,
    identifier,
    number,
    ratio,
    time,
)
from modelling.declaration.overrides import override
from modelling.drafting.columns.findings import Wanted
from modelling.drafting.drafting import draft_table
from modelling.judgement.reliance import what_it_rests_on
from modelling.leaks.dates import as_times, later_share
from modelling.leaks.sentinel import find_leaks
from modelling.leaks.separation import Separation, rows_to_examine
from modelling.refusals import DataRefused
from use_cases import find_use_case

KNOWN_LATER = (ratio("interest_rate"), category("sub_grade"), amount("installment"))


def leaks_of(use_case, raw=None):
    """The findings by column, as the preparation asks for them, without validating the table."""
    raw = read_table(use_case.source) if raw is None else raw
    derived = merge_classes(derive_columns(type_columns(raw, use_case).table, use_case), use_case)
    parts = split_table(code_classes(derived, use_case), use_case)
    return {finding.column: finding for finding in find_leaks(parts, use_case)}


def with_columns(use_case, *columns, **declared):
    return use_case.model_copy(update={"columns": (*use_case.columns, *columns), **declared})


@pytest.mark.parametrize(
    "name", ["credit_scoring", "credit_grade", "market_volatility", "iris", "wine", "diabetes"]
)
def test_an_honest_table_raises_no_alarm(name):
    assert leaks_of(find_use_case(name)) == {}


def test_the_simulated_frauds_raise_no_alarm():
    small = {"source.customers": 300, "source.terminals": 600, "source.days": 60}
    use_case = override(find_use_case("fraud_detection"), {**small, "split.test_from": None})
    assert leaks_of(use_case) == {}


def test_the_grade_is_given_away_by_rate_and_sub_grade_alone_and_by_the_instalment_with_others():
    found = leaks_of(with_columns(find_use_case("credit_grade"), *KNOWN_LATER))
    together = "'loan_amount', 'installment' and 'term'"
    assert set(found) == {"interest_rate", "sub_grade", together}
    assert {finding.severity for finding in found.values()} == {"critical"}
    assert "Cohen's kappa" in found["sub_grade"].rule
    assert "6,000 training rows" in found[together].rule


def test_a_draft_leaves_the_instalment_out_with_the_columns_that_make_it_a_leak():
    use_case = find_use_case("credit_grade")
    names = [*(c.name for c in use_case.columns), *(c.name for c in KNOWN_LATER), "grade"]
    findings = draft_table(
        read_table(use_case.source)[names], Source(uri="loans.csv"), (), Wanted("loans", "grade")
    )
    accused = {c.name: c.left_out for c in findings.columns if c.gives_target_away}
    assert set(accused) == {column.name for column in KNOWN_LATER}
    assert accused["installment"].startswith("with 'loan_amount' and 'term' it tells the target")


def test_a_logarithm_of_the_target_tells_it():
    price = np.random.default_rng(2).lognormal(8, 1, 800)
    separation = Separation(price, "regression")
    assert separation.score(separation.bins(-np.log(price))) > 0.99
    assert separation.score(separation.bins(np.random.default_rng(3).random(800))) < 0.1


def planted() -> pd.DataFrame:
    """Borrowers with four more columns that are known only afterwards."""
    table = loan_table(3000)
    target, noise = table["default"], np.random.default_rng(5).random(len(table))
    return table.assign(
        alone=target * 10 + noise,
        label=target.map({0: "ok", 1: "lost"}),
        missing=np.where(target == 1, noise.round(2), np.nan),
        row=(target + 1.5 * noise).rank() + 7,
    )


PLANTED = {
    "alone": (number, "tells the target on its own"),
    "label": (category, "tells the target on its own"),
    "missing": (number, "tells the target by being missing"),
    "row": (count, "numbers the rows"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_column_that_gives_the_target_away_is_critical_unless_somebody_says_why_not(name):
    declare, why = PLANTED[name]
    table = planted()
    found = leaks_of(with_columns(loans(), declare(name, missing_at_most=1)), table)
    assert set(found) == {name}
    assert (found[name].severity, why in found[name].rule) == ("critical", True)
    assert "known_leak_free='why" in found[name].remedy
    reason = "Known from the application form."
    vouched = declare(name, missing_at_most=1, known_leak_free=reason)
    (finding,) = leaks_of(with_columns(loans(), vouched), table).values()
    assert finding.severity == "warning"
    assert finding.rule.endswith(f"declared known_leak_free: {reason}")


def test_a_few_rows_may_be_separated_by_chance_and_only_warn():
    found = leaks_of(with_columns(loans(), number("alone")), planted().groupby("default").head(100))
    assert found["alone"].severity == "warning"


@pytest.mark.parametrize("written", ["%Y-%m-%d", "%Y%m%d"])
def test_a_date_behind_the_decision_is_no_feature(written):
    opened = pd.Timestamp("2021-01-01") + pd.to_timedelta(np.arange(3000) % 900, "D")
    paid_back = opened + pd.to_timedelta(90, "D")
    table = loan_table(3000).assign(opened=opened, closed=paid_back.strftime(written))
    use_case = with_columns(
        loans(), time("opened"), category("closed"), split=OutOfTime(column="opened")
    )
    found = leaks_of(use_case, table)
    assert "is later than 'opened' in 100.0% of the training rows" in found["closed"].rule
    before = table.assign(closed=(opened - pd.to_timedelta(90, "D")).strftime(written))
    assert leaks_of(use_case, before) == {}


@pytest.mark.parametrize("copied", ["exactly", "nearly"])
def test_rows_on_both_sides_of_the_split_are_counted(copied):
    table = loan_table(2000)
    twice = table.copy()
    if copied == "nearly":
        twice["balance"] = twice["balance"] * (1 + 1e-6)
    found = leaks_of(loans(), pd.concat([table, twice]))["(rows)"]
    assert found.severity == "critical"
    assert int(found.rule.split()[0].replace(",", "")) > 200
    assert "duplicates='drop'" in found.remedy
    vouched = loans(split=Stratified(known_leak_free="Each is another loan."))
    assert leaks_of(vouched, pd.concat([table, twice]))["(rows)"].severity == "warning"


def test_rows_of_few_different_cells_are_equal_by_chance():
    labels = np.random.default_rng(0).choice(["a", "b", "c"], (3000, 4))
    table = pd.DataFrame(labels, columns=list("wxyz"))
    table["default"] = (np.random.default_rng(1).random(3000) < 0.3).astype(int)
    assert leaks_of(loans(columns=tuple(map(category, "wxyz"))), table) == {}


def test_an_identifier_whose_order_tells_the_target_is_a_warning():
    table = loan_table(3000).sort_values("default").assign(customer=np.arange(3000) + 50_000)
    use_case = with_columns(loans(), identifier("customer"))
    found = leaks_of(use_case, table)
    assert (set(found), found["customer"].severity) == ({"customer"}, "warning")
    assert (
        leaks_of(use_case, table.sample(frac=1, random_state=0).assign(customer=range(3000))) == {}
    )
    grouped = with_columns(loans(), identifier("customer"), split=Grouped(column="customer"))
    assert leaks_of(grouped, loan_table(3000).assign(customer=np.arange(3000) // 4)) == {}


def test_many_labels_are_no_evidence():
    separation = Separation(np.sort(np.arange(2000) % 2), "binary")
    assert separation.score(np.arange(2000)) == 0.5
    separation = Separation(np.arange(2000) % 4, "multiclass")
    assert separation.score(np.zeros(2000, dtype=int)) == 0


def test_rare_positives_are_all_examined():
    target = np.zeros(200_000, dtype=int)
    target[::1000] = 1
    at = rows_to_examine(target, "binary")
    assert target[at].sum() == 200
    assert len(at) < 50_000


def test_a_training_is_refused_before_anything_is_registered(
    store, prefect_server, client, credit_table, tmp_path
):
    from flows.train import train

    file = tmp_path / "borrowers.csv"
    credit_table.assign(age=30 + 30 * credit_table["SeriousDlqin2yrs"]).to_csv(file, index=False)
    before = len(client.search_model_versions())
    with pytest.raises(DataRefused, match=r"age: tells the target on its own \(ROC AUC 1\.000"):
        train("credit_scoring", {"source.uri": str(file)})
    (run, *_) = trainings(client, "credit_scoring")
    assert run.info.status == "FAILED"
    assert "known_leak_free" in run.data.tags["failure"]
    assert len(client.search_model_versions()) == before


def test_a_model_that_is_too_good_names_what_it_rests_on(tmp_path):
    table = planted()
    vouched = number("alone", known_leak_free="Known from the application form.")
    columns = (*loans().columns, vouched)
    small = small_model(tmp_path / "model", table=table, columns=columns)
    said = what_it_rests_on(small.package, small.parts.validation, small.trained.use_case)
    assert said.startswith("it rests on 'alone' (")
    assert "income" not in said


def test_tomorrows_level_from_todays_is_said_and_allowed():
    """A balance or a rate of which the next one is 99.7 % the last is honest persistence."""
    levels = 100 + np.random.default_rng(0).normal(0, 0.5, 4_000).cumsum()
    raw = pd.DataFrame({"today": levels[:-1], "tomorrow": levels[1:]})
    series = loans(
        problem="regression", target="tomorrow", columns=(number("today"),), classes=(),
        baselines=("constant",), gate=None, costs=None, headline=("rmse",),
    )  # fmt: skip
    found = leaks_of(series, raw)
    assert found["today"].severity == "warning"
    assert "critical" not in {leak.severity for leak in found.values()}


def test_a_table_sorted_by_an_honest_number_is_only_said():
    table = loan_table(2_000)
    generator = np.random.default_rng(0)
    table["turnover"] = np.sort(generator.choice(90_000, 2_000, replace=False) + 10_000)
    risk = 1 / (1 + np.exp((table["turnover"] - 50_000) / 8_000))
    table["default"] = (generator.random(2_000) < risk).astype(int)
    found = leaks_of(with_columns(loans(), number("turnover")), table)
    assert found["turnover"].severity == "warning"
    table["turnover"] = np.arange(2_000)
    assert (
        leaks_of(with_columns(loans(), number("turnover")), table)["turnover"].severity
        == "critical"
    )


def test_labels_of_which_only_some_are_dates_are_no_dates():
    days = pd.Series(["2020-01-31"] * 300 + ["never"])
    assert as_times(days) is None
    assert as_times(pd.Series([20150101.0] * 300 + [0.0])) is None


@pytest.mark.parametrize(
    ("decided", "later"),
    [("2020-05-04 12:00", 3), ("2020-05-04", 2), ("2020-05-01", 1), ("2020-04-01", 0)],
)
def test_what_lies_within_a_coarse_time_of_decision_is_not_later(decided, later):
    days = ["2019-01-01", "2020-05-04 11:00", "2020-05-04 13:00", "2020-05-20", "2020-06-02"]
    others = pd.Series([*map(pd.Timestamp, days)])
    decisions = pd.Series([pd.Timestamp("2019-10-01"), *[pd.Timestamp(decided)] * 4])
    assert later_share(decisions, others) == later / 5


def test_the_one_date_of_a_report_is_a_day_also_at_new_year():
    report, later = pd.Timestamp("2020-01-01"), pd.Timestamp("2020-03-01")
    assert later_share(pd.Series([report] * 3), pd.Series([later] * 3)) == 1.0


def test_a_quarter_is_its_first_day():
    read = as_times(pd.Series(["2021Q3", "2020-Q1", "2020 Q4"]))
    assert read.tolist() == [*map(pd.Timestamp, ("2021-07-01", "2020-01-01", "2020-10-01"))]
