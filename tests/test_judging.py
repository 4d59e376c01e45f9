"""Judgement: calibrated and cut on validation alone, beside baselines that get a fair try."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from sklearn.metrics import roc_auc_score
from small_models import COLUMNS, loan_table, loans, prepared

from modelling.data.splitting import Parts
from modelling.declaration import (
    AlertBudget,
    Costs,
    CutOff,
    Gate,
    LeastCost,
    amount,
    category,
    number,
)
from modelling.declaration.overrides import override
from modelling.features.preprocessing import preprocess
from modelling.figures.judgement import draw_judgement
from modelling.judgement.baseline_predictions import baseline_inputs
from modelling.judgement.baselines.catalogue import all_baselines
from modelling.judgement.calibration import fit_calibration
from modelling.judgement.decisions.costs import amounts_of, costs_at, costs_by_decision
from modelling.judgement.decisions.decision_rule import decision_rule
from modelling.judgement.evaluation import RequirementResult, evaluate, gate_state, judge_gate
from modelling.judgement.judging import Judgement, Predictions
from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.metric import format_value
from modelling.judgement.metrics.probabilities import expected_calibration_error
from modelling.refusals import UsageError
from modelling.scorer.decisions import expected_cost_share
from modelling.scorer.scoring import calibrated, log_odds
from use_cases import find_use_case

CREDIT = find_use_case("credit_scoring")


@pytest.fixture
def outcomes():
    """20,000 true probabilities of a rare event, and what happened."""
    generator = np.random.default_rng(0)
    truth = generator.beta(0.5, 6, 20_000)
    return truth, (generator.random(20_000) < truth).astype(np.int64)


@pytest.mark.parametrize("distorted", [lambda p: p**0.5, lambda p: p / (p + (1 - p) * 8)])
def test_calibration_undoes_a_monotone_distortion(outcomes, distorted):
    truth, happened = outcomes
    fitted_on, judged = slice(0, 10_000), slice(10_000, None)
    outputs = distorted(truth)
    state = fit_calibration(happened[fitted_on], outputs[fitted_on], CREDIT)
    after = calibrated(outputs[judged], state)
    before = expected_calibration_error(happened[judged], outputs[judged])
    assert expected_calibration_error(happened[judged], after) < 0.01 < 0.05 < before
    assert roc_auc_score(happened[judged], after) == pytest.approx(
        roc_auc_score(happened[judged], outputs[judged]), abs=1e-5
    )


def test_probabilities_that_are_right_are_left_alone(outcomes):
    truth, happened = outcomes
    assert fit_calibration(happened, truth, CREDIT)["method"] == "none"


def log_loss_of(happened, probabilities):
    return -np.log(np.where(happened, probabilities, 1 - probabilities)).mean()


@pytest.mark.parametrize(("share", "steps"), [(0.3, True), (0.05, False)])
def test_steps_are_fitted_only_to_many_rows_of_the_rarer_class(share, steps):
    """Seen on caravan: steps of 70 positives among 1,164 rows cost a tenth of the log loss."""
    generator = np.random.default_rng(0)
    level = generator.integers(0, 3, 1200)
    truth = share * np.array([0.02, 1.45, 1.53])[level]
    outputs = np.array([0.10, 0.11, 0.90])[level]  # no slope and offset lead from it to the truth
    happened = (generator.random(1200) < truth).astype(np.int64)
    assert (happened.sum() >= 200) == steps
    assert (fit_calibration(happened, outputs, CREDIT)["method"] == "isotonic") == steps


@pytest.mark.parametrize("distorted", [lambda p: p, lambda p: p**4 / (p**4 + (1 - p) ** 4)])
def test_on_few_rows_calibration_does_not_make_the_log_loss_of_fresh_rows_worse(distorted):
    """200 validation rows, ten times. A step function of so few would follow their noise."""
    changes, methods = [], set()
    for seed in range(10):
        generator = np.random.default_rng(seed)
        truth = generator.beta(2, 5, 20_200)
        happened, outputs = generator.random(20_200) < truth, distorted(truth)
        state = fit_calibration(happened[:200].astype(np.int64), outputs[:200], CREDIT)
        after = calibrated(outputs[200:], state)
        changes.append(
            log_loss_of(happened[200:], after) - log_loss_of(happened[200:], outputs[200:])
        )
        methods.add(state["method"])
    assert "isotonic" not in methods
    assert np.mean(changes) <= 0.001
    assert max(changes) < 0.02


def test_two_outputs_become_platts_targets_by_hand():
    """Platt (1999), section 2.2: the k rows of one class are certain up to (k + 1) / (k + 2), also
    where they are told apart without an error. A slope and an offset reach both; a slope alone,
    which moves both alike, their mean over rows."""
    happened = np.repeat([0, 1], [480, 20])
    targets = {0: 481 / 482, 1: 21 / 22}  # of the own class
    state = fit_calibration(happened, np.where(happened, 0.3, 0.2), CREDIT)
    assert state["method"] == "platt"
    expected = [1 - targets[0], targets[1]]
    assert calibrated(np.array([0.2, 0.3]), state) == pytest.approx(expected, abs=2e-3)
    state = fit_calibration(happened, np.where(happened, 0.6, 0.4), CREDIT)
    assert state["method"] == "temperature"
    mean = (480 * targets[0] + 20 * targets[1]) / 500
    assert calibrated(np.array([0.6, 0.4]), state) == pytest.approx([mean, 1 - mean], abs=1e-4)


@pytest.mark.parametrize(("rows", "method"), [(9, "none"), (10, "temperature")])
def test_each_fold_has_two_rows_of_the_rarer_class_to_fit_a_calibration_to(rows, method):
    happened = np.repeat([0, 1], [490, rows])
    assert fit_calibration(happened, np.where(happened, 0.6, 0.4), CREDIT)["method"] == method


@pytest.mark.parametrize("absent", [0, 1, 2])
def test_nothing_is_fitted_where_no_validation_row_is_of_some_class(absent):
    generator = np.random.default_rng(1)
    present = [code for code in range(3) if code != absent]
    happened = generator.choice(present, 500)
    timid = (1 + np.eye(3)[happened]) / 4
    assert fit_calibration(happened, timid, find_use_case("iris"))["method"] == "none"
    nobody = np.zeros(500, dtype=np.int64)
    outputs = generator.uniform(0.1, 0.3, 500)
    assert fit_calibration(nobody, outputs, CREDIT)["method"] == "none"


def test_calibration_never_turns_the_order_of_a_model_around():
    outputs = np.linspace(0.05, 0.95, 400)
    happened = (np.arange(400) % 10 > outputs * 10).astype(np.int64)
    assert np.diff(calibrated(outputs, fit_calibration(happened, outputs, CREDIT))).min() > 0


def test_temperature_sharpens_what_was_too_timid():
    generator = np.random.default_rng(1)
    truth = generator.dirichlet(np.full(3, 0.4), 5000)
    happened = np.array([generator.choice(3, p=row) for row in truth])
    timid = np.sqrt(truth.clip(1e-9))
    timid /= timid.sum(axis=1, keepdims=True)
    state = fit_calibration(happened, timid, find_use_case("iris"))
    assert state["method"] == "temperature"
    assert state["slope"] == pytest.approx(2.0, rel=0.15)
    assert calibrated(timid, state).sum(axis=1) == pytest.approx(1.0)


def test_the_level_of_log_variances_is_where_qlike_is_lowest():
    use_case = find_use_case("diabetes").model_copy(update={"target_kind": "log_variance"})
    generator = np.random.default_rng(2)
    forecast = generator.normal(size=500)
    realised = forecast + generator.normal(0.3, 0.8, 500)
    state = fit_calibration(realised, forecast, use_case)
    rows = pd.DataFrame({use_case.target: realised})

    def qlike(shift: float) -> float:
        level = {"method": "level", "offset": state["offset"] + shift}
        return evaluate(rows, calibrated(forecast, level), np.zeros(500), use_case)["qlike"]

    assert qlike(0) < min(qlike(-0.01), qlike(0.01))


def test_several_classes_are_calibrated_where_the_most_probable_one_is():
    use_case = find_use_case("iris").model_copy(update={"baselines": ()})
    generator = np.random.default_rng(3)
    truth = generator.dirichlet(np.full(3, 0.5), 20_000)
    happened = (truth.cumsum(axis=1) > generator.random((len(truth), 1))).argmax(axis=1)
    rows = pd.DataFrame({use_case.target: happened})
    bold = truth**3 / (truth**3).sum(axis=1, keepdims=True)
    honest, overconfident = (
        evaluate(rows, outputs, outputs.argmax(axis=1), use_case) for outputs in (truth, bold)
    )
    error = "expected_calibration_error"
    assert honest[error] < 0.01 < 0.1 < overconfident[error]
    errors = ((truth - np.eye(3)[happened]) ** 2).sum(axis=1)
    assert honest["brier"] == pytest.approx(errors.mean())
    predictions = Predictions(truth, truth.argmax(axis=1))
    judgement = Judgement(
        use_case, rows, predictions, {}, honest, {}, {}, {}, None, RequirementResult(True, ""), {}
    )
    figures = draw_judgement(judgement)
    assert set(figures) == {"confusion", "reliability", "scores_by_class"}
    said = figures["reliability"].get_supxlabel()
    assert f"expected_calibration_error {format_value(honest[error])} is over" in said
    drawn = figures["reliability"].axes[0].lines[1].get_xydata()
    assert drawn[:, 1] == pytest.approx(drawn[:, 0], abs=0.03)


SEVERAL = (
    "credit_scoring",
    "fraud_detection",
    "credit_grade",
    "market_volatility",
    "wine",
    "diabetes",
)


def judged_rows(use_case):
    """90 rows with what the metrics of the use case read."""
    rows = pd.DataFrame({use_case.target: np.arange(90) % max(len(use_case.classes), 2)})
    for setting in (use_case.costs, use_case.decision):
        for column in map(vars(setting).get, ("amount", "card")) if setting else ():
            rows = rows.assign(**{column: np.arange(90.0)}) if column else rows
    if isinstance(use_case.decision, AlertBudget):
        rows[use_case.decision.time] = pd.date_range("2026-01-01", periods=90, freq="h")
    return rows


def outputs_by_chance(use_case):
    """Outputs (90,) or (90, classes) that know nothing, and what they decide."""
    generator = np.random.default_rng(0)
    outputs = generator.random(90)
    if use_case.problem == "multiclass":
        outputs = generator.dirichlet(np.ones(len(use_case.classes)), 90)
        return outputs, outputs.argmax(axis=1)
    return outputs, (outputs > 0.5).astype(int)


def test_a_gate_is_passed_from_its_bound_on_and_none_is_never_passed():
    at, below = (judge_gate({"roc_auc": value}, CREDIT) for value in (0.85, 0.8499))
    assert (at.passed, gate_state(at)) == (True, "passed")
    assert (below.passed, gate_state(below)) == (False, "failed")
    assert below.reason == "roc_auc 0.8499, wanted at least 0.85"
    most = CREDIT.model_copy(update={"gate": Gate(metric="log_loss", at_most=0.2)})
    assert [judge_gate({"log_loss": value}, most).passed for value in (0.2, 0.21)] == [True, False]
    assert not judge_gate({"roc_auc": np.nan}, CREDIT).passed, "not defined on these rows"
    none = judge_gate({"roc_auc": 0.99}, CREDIT.model_copy(update={"gate": None}))
    assert (none.passed, gate_state(none), none.reason) == (False, "none", "no gate declared")


@pytest.mark.parametrize("name", SEVERAL)
def test_a_gate_can_ask_for_what_is_computed_and_for_nothing_else(name):
    use_case = find_use_case(name)
    computed = evaluate(judged_rows(use_case), *outputs_by_chance(use_case), use_case)
    assert {*computed} == {*use_case.metrics} - {"r2_against_naive"}
    with pytest.raises(UsageError, match=f"gate.metric: '{use_case.metrics[0]}s' .* did you mean"):
        override(use_case, {"gate": {"metric": f"{use_case.metrics[0]}s", "at_least": 0}})


@pytest.mark.parametrize("name", SEVERAL)
def test_each_metric_is_better_of_a_model_that_knows_than_of_chance(name):
    use_case = find_use_case(name)
    if isinstance(use_case.decision, AlertBudget):  # fewer alerts than there are cards a day
        use_case = override(use_case, {"decision.alerts_a_day": 5})
    rows, (outputs, decided) = judged_rows(use_case), outputs_by_chance(use_case)
    target = rows[use_case.target].to_numpy()
    knows = target.astype(float)
    if use_case.problem == "multiclass":
        knows = np.eye(len(use_case.classes))[target]
    naive = np.full_like(outputs, outputs.mean())
    by_chance = evaluate(rows, outputs, decided, use_case, naive)
    known = evaluate(rows, knows, target, use_case, naive)
    worse = [
        metric
        for metric, value in known.items()
        if not find_metric(metric, use_case.problem).gain(value, by_chance[metric]) > 0
    ]
    assert worse == []


def test_metrics_of_a_ranking_are_what_the_field_calls_so(outcomes):
    truth, happened = (values[:500] for values in outcomes)
    rows = pd.DataFrame({CREDIT.target: happened}).assign(MonthlyIncome=100.0)
    metrics = evaluate(rows, truth, (truth > 0.5).astype(int), CREDIT)
    assert metrics["gini"] == pytest.approx(2 * roc_auc_score(happened, truth) - 1)
    apart = ks_2samp(truth[happened == 1], truth[happened == 0])
    assert metrics["ks"] == pytest.approx(apart.statistic)


def test_the_expected_calibration_error_by_hand():
    """Ten bins of equal width (Naeini and others 2015); each row weighs the same."""
    probabilities = np.array([0.11, 0.31, 0.39, 0.85, 1.0, 1.0])
    occurred = np.array([0, 1, 0, 1, 1, 0])
    error = expected_calibration_error(occurred, probabilities)
    assert error == pytest.approx((0.11 + 2 * 0.15 + 0.15 + 2 * 0.5) / 6)
    with pytest.raises(ValueError, match="NaN"):
        expected_calibration_error(occurred, np.where(occurred, probabilities, np.nan))


def test_what_is_certain_has_finite_log_odds():
    """A network in single precision says exactly 1, and calibration multiplies its log-odds."""
    certain = log_odds(np.array([0.0, 1.0]))
    assert certain == pytest.approx([-16.118, 16.118], abs=1e-3)
    for method in ({"method": "temperature", "slope": 2.0}, {"method": "platt", "slope": 2.0}):
        assert np.isfinite(calibrated(np.array([0.0, 1.0]), method)).all()


def chosen_cut_off(parts, probabilities, use_case):
    return decision_rule(use_case).choose_cut_off(parts, probabilities, use_case)


def one_amount(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"MonthlyIncome": np.full(rows, 100.0)})


def cost_of(rows, is_refused, use_case):
    """In all, row by row."""
    if_accepted, if_refused = costs_by_decision(rows, use_case)
    return np.where(is_refused, if_refused, if_accepted).sum()


AMOUNT = "MonthlyIncome"
NO_COST = ("false_negative", "false_negative_share", "false_positive")


def test_cost_by_hand():
    use_case = CREDIT.model_copy(
        update={
            "costs": Costs(
                false_negative=10,
                false_negative_share=0.5,
                false_positive=3,
                amount="MonthlyIncome",
            )
        }
    )
    rows = one_amount(4).assign(SeriousDlqin2yrs=[1, 1, 0, 0])
    predictions = (np.full(4, 0.5), np.array([0, 1, 1, 0]))
    metrics = evaluate(rows, *predictions, use_case)
    assert metrics["cost"] == 10 + 50 + 3
    assert metrics["saved_against_accept_all"] == 120 - 63
    assert metrics["saved_against_refuse_all"] == 6 - 63
    assert metrics["savings"] == pytest.approx(1 - 63 / 6)


def test_the_probability_of_equal_cost_by_hand():
    """At a cut-off of a half (a share of the expected cost) both errors are expected to cost the
    same: p * 60 = (1 - p) * 3."""
    amounts = one_amount(2)
    rule = decision_rule(CREDIT.model_copy(update={"decision": LeastCost()}))
    costs = Costs(false_negative=10, false_negative_share=0.5, false_positive=3, amount=AMOUNT)
    priced = CREDIT.model_copy(update={"costs": costs})
    assert rule.refused_from(0.5, amounts, priced) == pytest.approx([3 / 63] * 2)
    assert rule.refused_from(0.2, amounts, priced) == pytest.approx([0.6 / (0.6 + 48)] * 2)
    shared = costs.model_copy(update={"false_positive_share": 0.1})  # 13 instead of 3
    for declared, at_a_fifth in ((costs, 12 / (12 + 2.4)), (shared, 12 / (12 + 10.4))):
        found = expected_cost_share(np.full(2, 0.2), np.full(2, 100.0), declared.model_dump())
        assert found == pytest.approx([at_a_fifth] * 2)
    free = CREDIT.model_copy(update={"costs": costs.model_copy(update=dict.fromkeys(NO_COST, 0))})
    assert rule.refused_from(0.5, amounts, free).tolist() == [1, 1], "nobody need be refused"


def test_the_costs_at_many_cut_offs_are_those_of_each(outcomes):
    truth, happened = outcomes
    costs = Costs(
        false_negative=10, false_negative_share=0.5, false_positive=3, amount="MonthlyIncome"
    )
    use_case = CREDIT.model_copy(update={"costs": costs})
    rows = pd.DataFrame({"MonthlyIncome": np.arange(len(truth)), "SeriousDlqin2yrs": happened})
    cut_offs = np.array([0.5, 0.0, 0.25, 2.0])
    for model in (truth, 1 - truth):  # the highest score is a default's, or it is not
        compared = model.round(1)  # with ties, some of them at a cut-off
        one_by_one = [cost_of(rows, compared >= cut_off, use_case) for cut_off in cut_offs]
        assert costs_at(cut_offs, rows, compared, use_case) == pytest.approx(one_by_one, rel=1e-12)


def test_for_true_probabilities_the_cheapest_cut_off_is_elkans(outcomes):
    """With costs 9 to 1 refuse from a probability of 0.1 on: half of the expected cost."""
    truth, happened = outcomes
    costs = Costs(false_negative=9, false_positive=1)
    use_case = CREDIT.model_copy(update={"costs": costs, "decision": LeastCost()})
    rows = one_amount(len(truth)).assign(SeriousDlqin2yrs=happened)
    parts = Parts(rows, rows, rows)
    assert expected_cost_share(np.array([0.1]), np.zeros(1), costs.model_dump()) == pytest.approx(
        0.5
    )
    chosen = chosen_cut_off(parts, truth, use_case)
    shares = expected_cost_share(truth, np.zeros(len(truth)), costs.model_dump())
    at = {cut: cost_of(rows, shares >= cut, use_case) for cut in (chosen, 0.5, 0.2, 0.8)}
    assert at[chosen] <= at[0.5] <= min(at[0.2], at[0.8])
    assert chosen == pytest.approx(0.5, abs=0.12)


def test_a_missing_amount_is_the_median_of_training_whatever_else_is_judged():
    costs = Costs(
        false_negative=0, false_negative_share=0.5, false_positive=1, amount="MonthlyIncome"
    )
    use_case = CREDIT.model_copy(update={"costs": costs, "minimum_rows_per_value": 1})
    train = pd.DataFrame({"MonthlyIncome": [1.0, np.nan, 2.0, 6.0]})
    for other in (10.0, 10_000.0):
        rows = pd.DataFrame({"MonthlyIncome": [np.nan, other]})
        assert amounts_of(rows, use_case, known=train).tolist() == [2.0, other]


def test_an_amount_is_capped_and_what_is_no_amount_is_the_median():
    costs = Costs(false_negative_share=0.5, amount="income", amount_at_most=1000)
    columns = (amount("income", special_codes=(9999,)), number("balance"))
    use_case = loans(columns=columns, costs=costs)
    rows = pd.DataFrame({"income": [100.0, 300.0, 5000.0, np.inf, 9999.0, np.nan]})
    assert amounts_of(rows, use_case).tolist() == [100, 300, 1000, 300, 300, 300]
    assert amounts_of(rows[3:], use_case).tolist() == [0, 0, 0], "of no amount nothing is known"


def test_to_accept_everybody_may_cost_least():
    """A model that knows nothing, of a default that costs as much as a good customer refused."""
    rows = one_amount(50).assign(SeriousDlqin2yrs=[1] * 3 + [0] * 47)
    costs = Costs(false_negative=1, false_positive=1)
    use_case = CREDIT.model_copy(update={"costs": costs, "decision": LeastCost()})
    cut_off = chosen_cut_off(Parts(rows, rows, rows), np.full(len(rows), 0.06), use_case)
    assert cut_off > 1


def test_a_fixed_cut_off_is_taken_as_declared(outcomes):
    use_case = CREDIT.model_copy(update={"decision": CutOff(cut_off=0.3)})
    assert chosen_cut_off(Parts(*[one_amount(1)] * 3), np.ones(1), use_case) == 0.3


def test_an_alert_budget_is_kept_in_proportion_to_the_cards_seen():
    """100 cards a day in all, 20 of them in validation; 10 alerts a day are 2 of these 20."""
    days = np.repeat(pd.date_range("2018-04-01", periods=5), 100)
    table = pd.DataFrame({"at": days, "card": np.tile(np.arange(100), 5)})
    decision = AlertBudget(alerts_a_day=10, time="at", card="card")
    use_case = CREDIT.model_copy(update={"decision": decision})
    inside = table.card < 20
    parts = Parts(table[~inside], table[inside], table[:0])
    probabilities = np.random.default_rng(0).permutation(100) / 100
    cut_off = chosen_cut_off(parts, probabilities, use_case)
    assert (probabilities >= cut_off).sum() == 2 * 5


@pytest.fixture(scope="module")
def inputs(credit_file):
    table, parts, *_ = prepared(CREDIT, pd.read_csv(credit_file))
    return baseline_inputs(table, parts, preprocess(parts, CREDIT), CREDIT)


@pytest.mark.parametrize("name", ["linear", "boosting", "random_forest"])
def test_a_baseline_learns_and_sees_no_test_outcome(inputs, name):
    fit, happened = all_baselines()[name].fit, inputs.test[CREDIT.target]
    before = fit(inputs)
    after = fit(replace(inputs, test=inputs.test.assign(**{CREDIT.target: 1 - happened})))
    assert roc_auc_score(happened, before.test) > 0.75
    np.testing.assert_array_equal(before.test, after.test)
    np.testing.assert_array_equal(before.validation, after.validation)


@pytest.mark.parametrize("name", ["iris", "wine", "diabetes"])
def test_every_problem_has_its_naive_baseline(name):
    use_case = find_use_case(name)
    table, parts, *_ = prepared(use_case)
    inputs = baseline_inputs(table, parts, preprocess(parts, use_case), use_case)
    names = ("constant", "linear", "boosting")
    outputs = {name: all_baselines()[name].fit(inputs).test for name in names}
    assert np.ptp(outputs["constant"], axis=0).max() == 0
    metric = use_case.headline[0]
    values = {
        name: evaluate(parts.test, of_one, of_one.argmax(axis=-1), use_case)[metric]
        for name, of_one in outputs.items()
    }
    assert max(values["linear"], values["boosting"]) < values["constant"]


@pytest.mark.parametrize("name", ["linear", "boosting", "random_forest"])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_baseline_reads_what_the_network_can_read(name):
    """Columns that training never saw, and numbers that overflow."""
    table = loan_table(600).assign(score=np.nan, channel=None)
    table.loc[400:, ["score", "channel"]] = [700.0, "web"]
    table.loc[[3, 4, 450], "balance"] = [1e308, -1.7e308, 3.4e38]
    use_case = loans(columns=(*COLUMNS, number("score"), category("channel")))
    parts = Parts(table[:400], table[400:500], table[500:])
    inputs = baseline_inputs(table, parts, preprocess(parts, use_case), use_case)
    outputs = all_baselines()[name].fit(inputs)
    assert np.isfinite(outputs.validation).all()
    assert roc_auc_score(parts.test["default"], outputs.test) > 0.6
