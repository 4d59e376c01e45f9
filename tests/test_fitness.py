"""What makes a model doubtful, whatever its metrics say."""

from dataclasses import replace

import numpy as np
import pytest
from small_models import loan_table, loans, small_model

from modelling.declaration import identifier, time
from modelling.declaration.overrides import judgement_overrides, override
from modelling.judgement.fitness import promotion_requirements
from modelling.judgement.intervals import Interval
from modelling.judgement.judging import Predictions
from modelling.judgement.promotion import decide, unmet_requirements
from use_cases import find_use_case

LEAK = "does a column contain the outcome?"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("fit") / "model")


def doubts(small, decided=None, unknown=None, **diagnosis):
    judgement = replace(small.judgement, unknown=unknown or {})
    if decided is not None:
        judgement = replace(
            judgement, predictions=Predictions(judgement.predictions.outputs, decided)
        )
    return unmet_requirements(
        promotion_requirements(judgement, replace(small.trained.diagnosis, **diagnosis))
    )


def test_a_sound_model_is_not_doubted(small):
    assert doubts(small) == ""


def test_a_forecast_has_no_calibration_error_to_meet(small):
    metrics = {"roc_auc": 0.8}  # as of a regression: none of probabilities
    met = promotion_requirements(replace(small.judgement, metrics=metrics), small.trained.diagnosis)
    assert not [result.reason for result in met if "calibration" in result.reason]


def test_who_is_no_better_than_the_naive_baseline_beyond_chance_is_doubted(small):
    for low, doubted in ((-0.01, True), (0.0, True), (0.01, False)):
        judgement = replace(small.judgement, skill=Interval(0.02, low, 0.05))
        found = unmet_requirements(promotion_requirements(judgement, small.trained.diagnosis))
        assert found.startswith("skill over the baseline constant 0.02") == doubted


def test_a_leak_and_labels_that_training_did_not_know_are_doubts(small):
    assert doubts(small, leak_suspected=LEAK) == f"a leak is suspected: {LEAK}"
    said = (
        "region: 12.0% of the test rows have a label that no training row had, wanted at most 5.0%"
    )
    assert doubts(small, unknown={"region": 0.12}) == said
    assert doubts(small, unknown={"region": 0.05}) == ""
    several = doubts(small, verdict="overfit", unknown={"region": 0.12})
    assert several == f"the learning curve is overfit; {said}"


def with_error(small, error, rows):
    """The calibration requirement of a model with this expected calibration error on test rows."""
    judgement = small.judgement
    few = np.arange(rows) % len(judgement.rows)
    predictions = Predictions(*(values[few] for values in judgement.predictions))
    known = {name: value for name, value in judgement.metrics.items() if "calibration" not in name}
    metrics = known if error is None else {**known, "expected_calibration_error": error}
    judgement = replace(
        judgement, rows=judgement.rows.iloc[few], predictions=predictions, metrics=metrics
    )
    return unmet_requirements(promotion_requirements(judgement, small.trained.diagnosis))


def test_the_calibration_error_that_few_rows_have_by_chance_is_no_doubt(small):
    """In each of ten bins a perfect model misses its rate by 0.8 standard errors."""
    assert with_error(small, 0.07, rows=1000) == ""
    assert with_error(small, 0.07, rows=10_000) == "expected calibration error 0.0700"
    assert with_error(small, 0.16, rows=100) == ""
    assert with_error(small, 0.12, rows=1000) == "expected calibration error 0.1200"
    assert with_error(small, None, rows=1000) == "", "several classes and forecasts have none"


def test_the_reasons_of_what_is_met_say_so(small):
    """The dossier lists all requirements, with those that are met."""
    declared = {
        one.reason: one.passed
        for one in promotion_requirements(small.judgement, small.trained.diagnosis)
    }
    assert declared["a gate is declared"]
    assert declared["no leak is suspected"]
    ungated = replace(
        small.judgement, use_case=small.judgement.use_case.model_copy(update={"gate": None})
    )
    found = promotion_requirements(ungated, small.trained.diagnosis)
    assert unmet_requirements(found) == "no gate is declared"


def test_who_starts_a_run_does_not_choose_by_what_it_is_judged(small):
    declared = find_use_case("credit_scoring")
    free = {"training.epochs": 5, "network.dropout": 0.3, "source.uri": "mine.csv", "title": "Mine"}
    assert judgement_overrides(declared, override(declared, free)) == []
    same = {"gate.at_least": declared.gate.at_least, "split.seed": declared.split.seed}
    assert judgement_overrides(declared, override(declared, same)) == []
    bars = {"gate": None, "gate.at_least": 0.1, "split.seed": 7, "baselines": [], "costs": None}
    bars |= {"decision": {"method": "cut_off", "cut_off": 0.3}, "expectations": []}
    bars |= {"duplicates": "keep", "headline": ["brier"], "off_contract": "treat_as_missing"}
    for name, value in bars.items():
        changes = {name: value} | ({"decision.method": "cut_off"} if name == "costs" else {})
        otherwise = judgement_overrides(declared, override(declared, changes))
        assert name.partition(".")[0] in otherwise, name
    found = promotion_requirements(small.judgement, small.trained.diagnosis, ["gate", "split"])
    assert unmet_requirements(found) == "not judged as declared: gate, split set for this run"


def test_labels_of_test_rows_that_no_training_row_had_are_counted(tmp_path):
    table = loan_table()
    table["region"] = table["region"].where(
        np.arange(len(table)) % 500 > 0, [f"r{n}" for n in range(2000)]
    )
    unknown = small_model(tmp_path / "model", table=table).judgement.unknown
    assert 0 < unknown["region"] < 0.01


def test_a_cut_off_that_accepts_or_refuses_nearly_everybody_is_a_doubt(small):
    target = small.judgement.rows["default"].to_numpy()
    nobody, everybody = np.zeros_like(target), np.ones_like(target)
    assert doubts(small, nobody) == (
        "0.0% of the positives are refused, wanted at least 10% "
        "(a lower decision.cut_off refuses more, as costs with LeastCost() may)"
    )
    assert doubts(small, everybody) == "0.0% of the negatives accepted, wanted at least 10%"
    assert doubts(small, target) == ""


def test_a_half_as_cut_off_is_one_where_few_default(tmp_path):
    """8 % default: a calibrated probability hardly ever reaches a half."""
    table = loan_table(8000)
    odds = -2.75 + 0.8 * table["balance"] / 500
    draw = np.random.default_rng(3).random(len(table))
    table["default"] = (draw < 1 / (1 + np.exp(-odds))).astype(int)
    assert table["default"].mean() == pytest.approx(0.08, abs=0.01)
    small = small_model(tmp_path / "model", table=table)
    found = doubts(small)
    assert "of the positives are refused, wanted at least 10%" in found
    command = 'finflows promote loans --version 1 --reason "..."'
    fitness = promotion_requirements(small.judgement, small.trained.diagnosis)
    decision = decide(small.judgement.gate, fitness, None, None, None, command)
    assert not decision.promoted
    assert decision.reason == f"doubtful: {found}. To promote it: {command}"
    told_apart = small_model(
        tmp_path / "told apart",
        table=table,
        decision={"method": "cut_off", "cut_off": float(table["default"].mean())},
    )
    assert doubts(told_apart) == ""


def test_a_budget_of_alerts_may_catch_few_but_not_nobody(small):
    few = np.zeros(len(small.judgement.rows), dtype=int)
    few[np.flatnonzero(small.judgement.rows["default"])[:1]] = 1
    budget = {"method": "alert_budget", "time": "opened", "card": "customer", "alerts_a_day": 1}
    columns = (*loans().columns, time("opened"), identifier("customer"))
    alerts = loans(decision=budget, columns=columns)
    small = replace(small, judgement=replace(small.judgement, use_case=alerts))
    assert doubts(small, few) == ""
    assert "wanted some" in doubts(small, np.zeros_like(few))


def test_a_class_that_is_never_predicted_is_a_doubt(small):
    flowers = find_use_case("iris")
    judged = replace(small.judgement, use_case=flowers, rows=flowers.source())
    small, codes = replace(small, judgement=judged), np.arange(len(judged.rows)) % 3
    assert doubts(small, codes) == ""
    two = np.where(codes == 1, 2, codes)
    assert doubts(small, two) == f"never predicted: {flowers.classes[1]}"
    excused = override(flowers, {"gate.need_not_predict": [flowers.classes[1]]})
    small = replace(small, judgement=replace(judged, use_case=excused))
    assert doubts(small, two) == ""
    judged = replace(small.judgement, predictions=Predictions(judged.predictions.outputs, two))
    met = promotion_requirements(judged, small.trained.diagnosis)
    assert met[-1].reason == f"never predicted: {flowers.classes[1]}, as is allowed"
    assert doubts(small, np.zeros_like(codes)).startswith("never predicted")
