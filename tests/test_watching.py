"""A model in use is compared with what it was judged on: drift by hand, by chance and by cause;
outcomes by the metrics of its judgement."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from scipy.stats import norm
from small_models import COLUMNS, loan_table, loans, register_and_judge, small_model

import finflows
from modelling.data.transaction_columns import rows_with_history
from modelling.declaration import (
    Costs,
    Gate,
    Grouped,
    Groups,
    LeastCost,
    OutOfTime,
    Source,
    TransactionWindows,
    amount,
    identifier,
    time,
)
from modelling.judgement.intervals import Interval
from modelling.judgement.metrics.metric import format_value
from modelling.refusals import DataRefused, UsageError
from modelling.scorer.model import Model
from modelling.watching.drift import Drift, by_chance, drift_of
from modelling.watching.outcomes import gain_of
from modelling.watching.profile import Counts, counts_in, counts_of, profile_of
from modelling.watching.report import Watched, safe_names
from tasks.registry.scoring_runs import load_registered
from tasks.watching.comparison import watch_version
from tasks.watching.watch_runs import record_watch

RNG = np.random.default_rng(5)


def test_the_stability_index_is_that_of_the_textbook():
    judged = Counts([], ["yes", "no"], [50_000, 50_000, 0, 0])
    now = np.array(["yes"] * 20_000 + ["no"] * 80_000, dtype=object)
    drift = drift_of("owns", judged, now)
    by_hand = (0.2 - 0.5) * np.log(0.2 / 0.5) + (0.8 - 0.5) * np.log(0.8 / 0.5)
    assert drift.psi == pytest.approx(by_hand, rel=1e-4)
    assert (drift.level, drift.bin) == ("large", "no")
    assert (drift.share_judged, drift.share_now) == (0.5, 0.8)


def test_a_label_that_nobody_had_is_no_infinite_drift():
    judged = Counts([], ["yes"], [1000, 0, 0])
    drift = drift_of("owns", judged, np.array(["yes"] * 900 + ["maybe"] * 100, dtype=object))
    assert (drift.bin, drift.share_now) == ("other labels", 0.1)
    assert 0.25 < drift.psi < 2


def test_rows_of_one_distribution_cross_the_bound_of_chance_once_in_a_thousand_times():
    levels, crossed = [], 0
    for _ in range(1000):
        drift = drift_of("x", counts_of(RNG.normal(size=300), 20), RNG.normal(size=100))
        crossed += drift.psi > drift.by_chance
        levels.append(drift.level)
    assert crossed <= 8  # binomial: more than 8 of 1,000 have a probability of 1e-6
    assert np.mean([level == "none" for level in levels]) >= 0.99
    # Deciles of so few rows are above the usual bound of 0.1 most of the time.
    assert by_chance(300, 100, 10) > 0.25


@pytest.mark.parametrize(
    ("change", "level", "where"),
    [
        (lambda x: x, "none", None),
        (lambda x: x + 1.0, "large", "above"),
        (lambda x: np.where(RNG.random(len(x)) < 0.3, np.nan, x), "large", "no value"),
        (lambda x: np.where(RNG.random(len(x)) < 0.04, 99.0, x), "none", None),
    ],
)
def test_drift_is_named_by_where_it_is(change, level, where):
    drift = drift_of("x", counts_of(RNG.normal(size=20_000), 20), change(RNG.normal(size=5000)))
    assert drift.level == level
    assert where is None or drift.bin.startswith(where)


def test_what_is_no_number_or_a_special_code_has_no_value(tmp_path):
    counts = counts_of(RNG.normal(size=1000), 20)
    assert counts.of(np.array([0.0, np.nan, np.inf, -np.inf]))[-1] == 3
    coded = (amount("income", special_codes=(-9,)), *(c for c in COLUMNS if c.name != "income"))
    table = loan_table()
    table.loc[::4, "income"] = -9
    small = small_model(tmp_path / "model", table=table, columns=coded)
    income = counts_in(profile_of(Model(small.package.folder, ""), small.judgement), "columns")
    named = dict(zip(income["income"].names, income["income"].counts, strict=True))
    rows = small.parts.test["income"]
    assert named["no value"] == (rows.isna() | (rows == -9)).sum()
    assert min(income["income"].edges) > 0


def test_a_share_that_is_rounded_up_to_be_kept_is_no_drift():
    then, now = (RNG.normal(size=rows) for rows in (400, 20_000))
    then[:2], now[:100] = np.nan, np.nan  # 0.5 % of both, but 2 rows are kept as 20
    drift = drift_of("x", counts_of(then, 20), now)
    assert drift.psi < drift.by_chance
    now[:4000] = np.nan
    assert drift_of("x", counts_of(then, 20), now).bin == "no value"


def test_a_share_that_is_shown_is_that_of_twenty_rows_at_least():
    judged = Counts([], ["yes"], [1000, 0, 0], 20)
    drift = drift_of("owns", judged, np.array(["yes"] * 999 + ["maybe"], dtype=object))
    assert (drift.bin, drift.share_now) == ("other labels", 0.02)
    assert drift.moved == "at most 2.0% of rows, 0.0% when judged"
    kept = drift_of("x", judged._replace(counts=[980, 20, 0]), np.array(["no"] * 20, dtype=object))
    assert kept.moved == "100.0% of rows, at most 2.0% when judged"


def test_columns_whose_names_look_alike_have_numbers_of_their_own():
    safe = safe_names(["a b", "a/b", "a_b", "y" * 300, "y" * 301])
    assert len({*safe.values()}) == 5
    assert safe == safe_names(["y" * 301, "y" * 300, "a_b", "a/b", "a b"])
    assert max(map(len, safe.values())) < 230


def test_a_column_of_two_values_has_two_bins():
    counts = counts_of(np.repeat([0.0, 1.0], [950, 50]), 20)
    assert (counts.names, counts.counts) == (["up to 0", "above 0", "no value"], [950, 50, 0])
    assert drift_of("flag", counts, np.ones(1000)).level == "large"


def test_the_interval_of_a_difference_follows_from_those_of_its_parts():
    judged, now = Interval(0.8, 0.76, 0.83), Interval(0.7, 0.66, 0.75)
    gain = gain_of("roc_auc", judged, now, loans())
    assert gain.value == pytest.approx(-0.1)
    wider = norm.ppf(0.9995) / norm.ppf(0.975)  # 99.9 %, from two of 95 %
    assert gain.low == pytest.approx(-0.1 - wider * np.hypot(0.04, 0.03), abs=1e-4)
    assert gain.high == pytest.approx(-0.1 + wider * np.hypot(0.05, 0.04), abs=1e-4)
    loss = gain_of("log_loss", judged, now, loans())  # lower is better
    assert loss.value == pytest.approx(0.1)
    assert loss.low == pytest.approx(0.1 - wider * np.hypot(0.05, 0.04), abs=1e-4)


def test_no_number_of_a_profile_is_that_of_fewer_customers_than_declared(tmp_path):
    small = small_model(tmp_path / "model")
    profile = profile_of(Model(small.package.folder, version=""), small.judgement)
    assert profile["rows"] == len(small.parts.test)
    for kind in ("columns", "answers"):
        for name, counts in counts_in(profile, kind).items():
            assert all(rows == 0 or rows >= 20 for rows in counts.counts), name
    amounts = set(small.parts.test[["income", "balance"]].to_numpy().ravel())
    columns = counts_in(profile, "columns")
    assert not amounts & {*columns["income"].edges, *columns["balance"].edges}


@pytest.fixture(scope="module")
def watched(store, prefect_server):
    """The champion of ``watched``, and its declaration."""
    register_and_judge(name="watched")
    return load_registered("watched"), loans(name="watched")


@pytest.fixture
def watch(watched, tmp_path):
    """What a watch finds in a table."""
    model, use_case = watched

    def watch(table, **changed):
        table.to_csv(tmp_path / "now.csv", index=False)
        source = Source(uri=str(tmp_path / "now.csv"))
        return watch_version(model, use_case.model_copy(update={"source": source, **changed}))

    return watch


def test_later_rows_of_the_same_kind_raise_no_alarm(watch):
    found = watch(loan_table(seed=8))
    assert found.alarms == []
    assert (found.rows, found.refused, found.judged_rows) == (2000, 0, 400)
    assert found.numbers["psi/income"] < 0.1
    change = found.outcomes.changes[0]
    assert change.metric == "roc_auc"
    assert not change.is_worse
    assert found.outcomes.gate.passed
    assert "No alarm." in found.markdown()


def test_the_metrics_of_outcomes_are_those_of_scikit_learn(watched, watch):
    from sklearn.metrics import log_loss, roc_auc_score

    later = loan_table(seed=9)
    found = watch(later)
    outputs = watched[0].interface.answer(later)["probability"]
    assert found.outcomes.metrics["roc_auc"] == pytest.approx(
        roc_auc_score(later["default"], outputs)
    )
    assert found.outcomes.metrics["log_loss"] == pytest.approx(
        log_loss(later["default"], outputs), rel=1e-6
    )
    assert found.outcomes.level.observed == later["default"].mean()
    assert found.outcomes.level.predicted == pytest.approx(outputs.mean())


def test_inflation_is_an_alarm_before_any_outcome_is_known(watch):
    later = loan_table(seed=8).drop(columns="default")
    found = watch(later.assign(income=later["income"] * 3))
    (alarm, *_) = [text for text in found.alarms if text.startswith("income")]
    assert "PSI" in alarm
    assert "above" in alarm
    assert found.outcomes is None
    assert found.no_outcomes == "not known yet: no row has a default"


def test_more_defaults_than_predicted_are_an_alarm_though_the_ranking_holds(watch):
    later = loan_table(seed=8)
    paid = np.flatnonzero(later["default"] == 0)
    later.loc[RNG.choice(paid, 200, replace=False), "default"] = 1
    alarms = watch(later).alarms
    assert any(alarm.startswith("the level is off: predicted on average 0.") for alarm in alarms)


def test_outcomes_that_have_nothing_to_do_with_the_answers_are_an_alarm(watch):
    later = loan_table(seed=8)
    found = watch(later.assign(default=RNG.permutation(later["default"])))
    worse = [alarm for alarm in found.alarms if alarm.endswith("worse beyond chance")]
    assert [alarm.split()[0] for alarm in worse] == ["roc_auc", "average_precision"]
    assert "the gate is not passed any more: at best roc_auc 0.5" in "; ".join(found.alarms)


def test_rows_whose_outcome_is_not_known_yet_count_for_drift_alone(watch):
    later = loan_table(seed=8).astype({"default": object})
    later.loc[500:, "default"] = None
    found = watch(later)
    assert (found.rows, found.outcomes.rows) == (2000, 500)


def test_rows_that_a_join_repeated_are_counted(watch):
    """One customer with two rows in the table of outcomes is there twice, perhaps with both."""
    table = loan_table(2000, seed=7)
    twice = table.iloc[:300].assign(default=0)
    found = watch(pd.concat([table, twice], ignore_index=True))
    assert (found.rows, found.repeated, watch(table).repeated) == (2300, 300, 0)
    assert found.numbers["repeated"] == 300
    assert "300 rows of 2,300 with the columns of an earlier one" in found.markdown()


def test_outcomes_of_one_class_are_not_judged(watch):
    found = watch(loan_table(seed=8).assign(default=0))
    few = "known of 2,000 rows, too few to judge by: give at least 20 of each of two classes"
    assert found.no_outcomes == few


def test_outcomes_of_a_few_customers_are_not_judged(watch):
    later = loan_table(seed=8)
    later["default"] = 0
    later.loc[:18, "default"] = 1  # an interval from resamples of 19 is too narrow
    assert watch(later).outcomes is None
    later.loc[19, "default"] = 1
    assert watch(later).outcomes.rows == 2000


def test_nothing_is_told_of_fewer_than_twenty_rows(watch):
    with pytest.raises(DataRefused, match="19 rows are too few to watch: give at least 20"):
        watch(loan_table(seed=8)[:19])
    later = loan_table(seed=8)
    later.loc[1:, "age"] = 300  # one row has an answer
    found = watch(later)
    assert found.answers == ()
    words = found.drift_in_words(found.answers, "answers")
    assert words == "too few rows have answers that can be compared"
    assert found.outcomes is None


def test_a_target_that_is_no_class_is_refused_and_never_left_out_silently(watch):
    later = loan_table(seed=8)
    later.loc[:99, "default"] = 2
    with pytest.raises(DataRefused, match="default: is one of 0, 1: where it is n") as refused:
        watch(later)
    assert refused.value.broken[0].rows == 100
    assert watch(later, unlabelled="drop").outcomes.rows == 1900


def test_outcomes_need_the_columns_that_say_which_rows_belong_together(watch):
    split = Grouped(column="branch")
    declared = {"columns": (*COLUMNS, identifier("branch")), "split": split}
    later = loan_table(seed=8)
    assert watch(later, **declared).outcomes.rows == 2000
    alone = later.drop(columns="branch")
    with pytest.raises(DataRefused, match="branch: is there: add it, or leave out default"):
        watch(alone, **declared)
    assert watch(alone.drop(columns="default"), **declared).outcomes is None
    later.loc[:4, "branch"] = None
    with pytest.raises(DataRefused, match="branch: is not missing") as refused:
        watch(later, **declared)
    assert refused.value.broken[0].rows == 5
    times = {"columns": (*COLUMNS, time("branch")), "split": OutOfTime(column="branch")}
    some = ["2026-01-31"] * 1999 + ["soon"]
    with pytest.raises(DataRefused, match="branch: is a time"):
        watch(later.assign(branch=some), **times)


def test_a_version_that_reads_what_is_no_longer_declared_says_so(watched):
    model, use_case = watched
    fewer = tuple(column for column in COLUMNS if column.name != "income")
    with pytest.raises(UsageError, match="reads income, which watched does not declare any more"):
        watch_version(model, use_case.model_copy(update={"columns": fewer}))


def test_refused_rows_are_counted_by_rule_and_judged_nowhere(watch):
    later = loan_table(seed=8)
    later.loc[:9, "age"] = 300
    found = watch(later)
    assert (found.refused, found.outcomes.rows) == (10, 1990)
    assert found.broken == {"age: is at most 120": 10}


def test_a_watch_names_what_is_missing(watch):
    with pytest.raises(DataRefused, match="missing columns: income"):
        watch(loan_table(seed=8).drop(columns="income"))
    with pytest.raises(DataRefused, match=r"has default, and no column that .*: join it, by a key"):
        watch(loan_table(seed=8)[["branch", "default"]])


def test_a_gate_of_selection_is_watched_too(watched, watch):
    later = loan_table(seed=8)
    later.loc[later["housing"] == "own", "balance"] -= 2000  # who is deep in the red is refused
    gate = Gate(metric="roc_auc", at_least=0.55, selection_ratio_at_least={"housing": 0.8})
    alarms = "; ".join(watch(later, gate=gate, groups=Groups(columns=("housing",))).alarms)
    assert "of housing rent and own, wanted at least 0.8" in alarms
    # Of three dozen rows, what looks like another treatment of some is chance, or can't be told.
    few = watch(loan_table(seed=8)[:100], gate=gate, groups=Groups(columns=("housing",)))
    assert few.outcomes.gate.passed


def test_a_declaration_that_asks_something_else_is_refused(watched):
    model, use_case = watched
    with pytest.raises(UsageError, match="answers another question than watched declares now"):
        watch_version(model, use_case.model_copy(update={"classes": (0, 1, 2)}))


def test_transactions_of_which_no_fraud_is_told_are_refused_with_what_to_add(watch):
    with pytest.raises(DataRefused, match=r"no fraud, .* empty for those of the last 3 days"):
        watch(loan_table(), derived=TransactionWindows(delay_days=3))


def test_transactions_without_a_full_history_are_not_compared():
    derived = TransactionWindows(windows_days=(1, 7), delay_days=3)
    hours = pd.date_range("2026-01-01", periods=20 * 24, freq="h")
    table = pd.DataFrame({"transacted_at": hours})
    kept = rows_with_history(table, derived)
    assert kept["transacted_at"].min() == pd.Timestamp("2026-01-11")
    with pytest.raises(DataRefused, match="all transactions are within 10 days"):
        rows_with_history(table[:240], derived)


def test_money_on_the_page_is_in_its_currency_and_metrics_have_their_titles(watch):
    costs = Costs(false_negative=100.0, false_positive=10.0, unit="EUR")
    page = watch(loan_table(seed=8), costs=costs, decision=LeastCost()).markdown()
    (cost,) = [line for line in page.splitlines() if line.startswith("| cost |")]
    assert cost.endswith(" EUR |")


def test_the_watches_of_a_version_are_side_by_side_on_its_page(watched, watch):
    model, use_case = watched
    found = [watch(loan_table(seed=seed)) for seed in (8, 9)]
    use_case = use_case.model_copy(update={"source": Source(uri="month.csv")})
    runs = []
    for one in found:
        with record_watch(model, use_case) as record:
            runs.append(record(one)[0])
    client = MlflowClient()
    pages = [client.download_artifacts(run, "watch.md") for run in runs]
    first, second = (Path(page).read_text() for page in pages)
    assert first.count("month.csv") == 1
    (_, rows) = second.split("## All watches of this version")
    (newest, older) = [line for line in rows.splitlines() if "month.csv" in line]
    auc = found[0].outcomes.metrics["roc_auc"]
    assert format_value(auc) in older
    assert format_value(found[1].outcomes.metrics["roc_auc"]) in newest
    html = Path(client.download_artifacts(runs[1], "watch.html")).read_text()
    assert "<title>watched version 1, watched</title>" in html


def test_more_alarms_than_a_tag_holds_end_in_dots(watched):
    model, use_case = watched
    drifts = tuple(Drift(f"column {n}", 0.5, 0.1, "above 1", 0.1, 0.4) for n in range(200))
    outcomes = {"outcomes": None, "no_outcomes": "not known yet"}
    found = Watched("watched", "1", 2000, 400, 0, {}, {}, drifts, (), **outcomes)
    use_case = use_case.model_copy(update={"source": Source(uri="month.csv")})
    with record_watch(model, use_case) as record:
        run_id, _ = record(found)
    alarm = MlflowClient().get_run(run_id).data.tags["alarm"]
    assert (len(alarm), alarm[-3:]) == (8000, "...")


def test_what_a_column_is_called_breaks_no_page():
    drift = Drift("in|come\nEUR", 0.5, 0.1, "above 1", 0.1, 0.4)
    outcomes = {"outcomes": None, "no_outcomes": "not known yet"}
    found = Watched("loans", "1", 2000, 400, 0, {"a|b: is there": 30}, {}, (drift,), (), **outcomes)
    page = found.markdown()
    assert "| in\\|come\\nEUR | 0.500 |" in page
    assert "| a\\|b: is there | 30 |" in page
    assert "- **in|come EUR: PSI 0.50" in page


def test_a_notebook_watches_a_frame(watched, tmp_path, monkeypatch):
    (tmp_path / "use_cases").mkdir()
    declared = "from small_models import loans\n\nUSE_CASE = loans(name='watched')\n"
    (tmp_path / "use_cases" / "watched.py").write_text(declared)
    monkeypatch.chdir(tmp_path)
    later = loan_table(seed=8)
    found = finflows.load_champion("watched").watch(later.assign(income=later["income"] * 3))
    assert [alarm for alarm in found.alarms if alarm.startswith("income: PSI")]
    assert found.numbers["psi/income"] > 0.25
    assert found.numbers["roc_auc"] < 1
    assert found.url.partition("/#/")[2].startswith("experiments/")
    assert "income: PSI" in repr(found)
    assert "<td" in found._repr_html_()
