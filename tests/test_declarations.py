"""Facts that every declared use case must keep, and the words with which a setting is refused."""

import pytest
from pydantic import ValidationError

from modelling.columns import number
from modelling.declaration import UseCase
from modelling.overrides import override, parse_overrides
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
        ("name.first=x", "set name itself"),
    ],
)
def test_a_wrong_override_is_refused_by_name(assignment, said):
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        override(find_use_case("credit_scoring"), parse_overrides([assignment]))


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
    after = override(
        find_use_case("credit_scoring"),
        parse_overrides(["split.method=grouped", "split.column=age"]),
    )
    assert (after.split.method, after.split.column) == ("grouped", "age")


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
