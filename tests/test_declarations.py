"""Facts that every declared use case must keep, and the words with which a setting is refused."""

import pytest
from pydantic import ValidationError
from small_models import loans

from modelling.declaration import (
    AlertBudget,
    Costs,
    DelayedFeedback,
    Gate,
    Grouped,
    NotAbove,
    OutOfTime,
    PriceHistory,
    Stratified,
    TargetRate,
    TransactionWindows,
    UniqueRows,
    UseCase,
    amount,
    category,
    identifier,
    number,
    time,
)
from modelling.declaration.overrides import override, parse_overrides
from modelling.refusals import UsageError
from use_cases import find_use_case, use_case_names


@pytest.mark.parametrize("name", use_case_names())
def test_every_declaration_is_whole(name):
    use_case = find_use_case(name)
    assert use_case.name == name
    assert use_case.features
    assert use_case.model_dump_json()
    for column in use_case.columns:
        assert not column.special_codes or column.note, f"{column.name}: say what the codes mean"


def test_unknown_use_case_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'credit_scoring'"):
        find_use_case("credit_skoring")


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("training.epoch=5", "unknown setting 'training.epoch'; did you mean 'training.epochs'"),
        ("trainin.epochs=5", "did you mean 'training'"),
        ("seed=7", "did you mean 'split.seed' or 'training.seed'?"),
        ("Learning_Rat=7", "did you mean 'training.learning_rate'?"),
        ("training.dropout=0.1", "did you mean 'network.dropout'?"),
        ("xyzzy=1", "valid: approval, approval_days, baselines,"),
        ("training.epochs=many", "training.epochs: Input should be a valid integer"),
        ("training.epochs=0", "training.epochs: Input should be greater than 0"),
        ("network.activation=rely", "network.activation: Input should be 'relu'"),
        ("split.gap_days=3", "unknown setting 'split.gap_days'"),
        ("split.method=out_of_time", "split.column"),
        ("network.hidden_units=[0]", "network.hidden_units"),
        ("decision.cut_off=0.2", "unknown setting 'decision.cut_off'"),
        ("decision.method=alert_budget", "decision.time: Field required"),
        ("costs.amount=age_in_dog_years", "is not a number among the features"),
        ('headline=["auc"]', "headline.0: Input should be 'roc_auc'"),
        ("headline=[]", "headline: name at least one metric"),
        ("epochs", "write it as NAME=VALUE"),
        ("title.first=x", "set title itself"),
        ("name=fraud_detection", "name can't be set for a run"),
        ("name.first=x", "name can't be set for a run"),
    ],
)
def test_a_wrong_override_is_refused_by_name(assignment, said):
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        override(find_use_case("credit_scoring"), parse_overrides([assignment]))


def test_a_wrong_setting_of_another_method_is_told_those_of_that_method():
    """The declared split is stratified, and has neither a column nor a gap."""
    wrong = parse_overrides(["split.method=out_of_time", "split.gap=3"])
    with pytest.raises(UsageError, match=r"'split.gap'; did you mean 'split.gap_days'\?"):
        override(find_use_case("credit_scoring"), wrong)


def test_overrides_change_what_they_name_and_nothing_else():
    before = find_use_case("credit_scoring")
    after = override(
        before,
        parse_overrides(
            [
                "training.epochs=5",
                "network.hidden_units=[]",
                "source.uri=mine.csv",
                "decision.method=cut_off",
            ]
        ),
    )
    assert (after.training.epochs, after.network.hidden_units) == (5, ())
    assert (after.source.uri, after.decision.cut_off) == ("mine.csv", 0.5)
    assert after.training.batch_size == before.training.batch_size
    assert after.columns == before.columns


def test_another_way_of_splitting_starts_from_its_own_defaults():
    after = override(loans(), parse_overrides(["split.method=grouped", "split.column=region"]))
    assert (after.split.method, after.split.column) == ("grouped", "region")


def test_a_function_as_source_can_be_replaced_by_a_file():
    assert override(find_use_case("iris"), {"source.uri": "iris.csv"}).source.uri == "iris.csv"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"target": "x"}, "must not be among the columns"),
        ({"columns": (number("x"), number("x"))}, "declared twice"),
        ({"problem": "multiclass"}, "three or more classes"),
        ({"collums": ()}, "Extra inputs"),
        ({"columns": (number("x", role="context"),)}, "no column is a feature"),
    ],
)
def test_a_contradictory_declaration_is_refused(wrong, said):
    sound = {
        "name": "sound",
        "title": "Sound",
        "problem": "binary",
        "source": {"uri": "x.csv"},
        "target": "y",
        "columns": (number("x"),),
    }
    assert UseCase(**sound).classes == (0, 1)
    with pytest.raises(ValidationError, match=said):
        UseCase(**{**sound, **wrong})


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"split": {"method": "stratified"}}, "split.method stratified: .* must be in time"),
        ({"derived.delay_days": 0}, "derived.delay_days 0: frauds are known after 7 days"),
        ({"derived.delay_days": 3}, "derived.delay_days 3: frauds are known after 7 days"),
    ],
)
def test_frauds_that_nobody_could_know_are_no_features(overrides, said):
    with pytest.raises(UsageError, match=said):
        override(find_use_case("fraud_detection"), overrides)


def test_a_regression_has_no_class_weights():
    with pytest.raises(UsageError, match="class_weights: a regression has no classes"):
        override(find_use_case("diabetes"), {"training.class_weights": "balanced"})


BECAUSE = {"because": "it is so"}
NAMED = {
    "a number as time": (
        {"split": OutOfTime(column="year")},
        "split.column 'year' is not of kind time",
    ),
    "a number as group": (
        {"split": Grouped(column="year")},
        "split.column 'year' is not of kind identifier or category",
    ),
    "a column that is not there": (
        {"split": Grouped(column="who")},
        "split.column 'who' is not among the columns",
    ),
    "the target as time": (
        {"split": OutOfTime(column="default")},
        "split.column 'default' is not among the columns",
    ),
    "a category as customer": (
        {"split": DelayedFeedback(column="opened_on", customer="branch")},
        "split.customer 'branch' is not of kind identifier",
    ),
    "a number as card": (
        {"decision": AlertBudget(time="opened_on", card="year")},
        "decision.card 'year' is not of kind identifier",
    ),
    "a number as day": (
        {"decision": AlertBudget(time="year", card="customer")},
        "decision.time 'year' is not of kind time",
    ),
    "a label as amount": (
        {"costs": Costs(amount="branch")},
        "costs.amount 'branch' is not a number",
    ),
    "a label as a derived amount": (
        {"derived": TransactionWindows(amount="branch"), "split": OutOfTime(column="opened_on")},
        "derived.amount 'branch' is not of kind number",
    ),
    "a number as a derived time": (
        {"derived": PriceHistory(time="year", high="h", low="l", close="c")},
        "derived.time 'year' is not of kind time",
    ),
    "a rule on labels": (
        {"expectations": (NotAbove(low="branch", high="income", **BECAUSE),)},
        "expectations.0.low 'branch' is not of kind number or time",
    ),
    "a rule on two kinds": (
        {"expectations": (NotAbove(low="opened_on", high="income", **BECAUSE),)},
        "'opened_on' and 'income' are of two kinds",
    ),
    "a rule on nothing": (
        {"expectations": (UniqueRows(columns=("customer", "loan"), **BECAUSE),)},
        "expectations.0.columns 'loan' is not among the columns",
    ),
}


@pytest.mark.parametrize("case", NAMED)
def test_a_column_is_of_the_kind_as_which_it_is_named(case):
    wrong, said = NAMED[case]
    columns = (
        number("year", role="context"),
        amount("income"),
        category("branch"),
        time("opened_on"),
        identifier("customer"),
    )
    assert loans(columns=columns, split=OutOfTime(column="opened_on"))
    with pytest.raises(ValidationError, match=said):
        loans(columns=columns, **wrong)


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda: category("c", minimum=3), "minimum is a setting of a number, not of a category"),
        (lambda: time("t", special_codes=(1,)), "special_codes is a setting of a number"),
        (lambda: number("n", categories=("a",)), "categories is a setting of a category"),
        (lambda: number("n", usual=(9, 3)), r"usual must be \(low, high\)"),
        (lambda: number("n", maximum=float("nan")), "finite number"),
        (lambda: number(""), "at least 1 character"),
        (lambda: TargetRate(at_least=0.3, at_most=0.1, **BECAUSE), "at_least is above at_most"),
        (lambda: UniqueRows(columns=(), **BECAUSE), "at least 1 item"),
        (lambda: Gate(metric="roc_auc"), "say what roc_auc must reach"),
        (lambda: Gate(metric="roc_auc", at_least=0.9, at_most=0.8), "at_least is above at_most"),
        (lambda: loans(gate=Gate(metric="roc_auc", at_least=7)), "at_least 7: roc_auc is 1 at be"),
        (lambda: loans(gate=Gate(metric="accuracy", at_least=80)), "accuracy is 1 at best"),
        (lambda: loans(gate=Gate(metric="log_loss", at_most=-0.1)), "log_loss is 0 at best"),
        (lambda: Stratified(validation=0), "greater than 0"),
        (lambda: Stratified(seed=-1), "greater than or equal to 0"),
        (lambda: loans(classes=(0, "0")), "'0' is declared twice"),
        (lambda: loans(problem="regression", classes=(0, 1)), "a regression has no classes"),
        (
            lambda: loans(problem="regression", costs=Costs(false_negative=1)),
            "costs: only a binary problem has one",
        ),
    ],
)  # fmt: skip
def test_a_setting_that_nothing_can_keep_is_refused(declare, said):
    with pytest.raises(ValidationError, match=said):
        declare()


@pytest.mark.parametrize("baseline", ["random_walk", "riskmetrics_ewma", "log_har", "garch"])
def test_a_baseline_of_prices_finds_its_columns(baseline):
    """The table keeps declared columns only."""
    whole = find_use_case("market_volatility")
    features = tuple(c for c in whole.columns if c.kind == "time" or "negative" in c.name)
    with pytest.raises(UsageError, match=f"baselines: {baseline} reads the derived column"):
        override(whole, {"columns": features, "expectations": (), "baselines": (baseline,)})
    with pytest.raises(UsageError, match="which is not the target"):
        override(whole, {"derived.horizon_days": 3, "baselines": (baseline,)})


FORMER_COSTS = {"missed": 9, "missed_share": 0.5, "false_alarm": 1, "false_alarm_share": 0.2}


def test_former_names_of_costs_are_read_and_say_what_they_are_called_now():
    with pytest.warns(FutureWarning, match="Costs: missed_share is called false_negative_share"):
        costs = Costs(missed_share=0.5)
    assert costs == Costs(false_negative_share=0.5)


def test_former_names_of_costs_are_read_in_overrides_as_in_the_parameters_of_older_runs(caplog):
    use_case = loans(costs=Costs(false_negative=3, false_positive=2))
    former = {f"costs.{name}": value for name, value in FORMER_COSTS.items()}
    changed = [override(use_case, former) for _ in range(2)]
    present = Costs(
        false_negative=9, false_negative_share=0.5, false_positive=1, false_positive_share=0.2
    )
    assert [use_case.costs for use_case in changed] == [present, present]
    assert caplog.text.count("costs.missed is called costs.false_negative now") == 1


def test_a_cost_under_both_names_is_refused():
    use_case = loans(costs=Costs(false_negative=3))
    with pytest.raises(UsageError, match="missed is called false_negative now: set one of them"):
        override(use_case, {"costs.missed": 1, "costs.false_negative": 2})
