"""A table whose columns hold the last values of its target."""

import keras
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.linear_model import LinearRegression, Ridge
from small_models import prepared

from modelling import ridge
from modelling.declaration import (
    Network,
    OutOfTime,
    Preprocessing,
    Source,
    Training,
    UseCase,
    amount,
    number,
    time,
)
from modelling.declaration.overrides import override
from modelling.features.preprocessing import preprocess
from modelling.judgement.baseline_predictions import baseline_inputs
from modelling.judgement.baselines.catalogue import all_baselines
from modelling.refusals import DataRefused
from modelling.training.finished_network import with_stock_layers
from modelling.training.linear_skip import LINEAR_SKIP, begin_as_ridge
from modelling.training.network import build_network
from use_cases import find_use_case

LAGS = ("rv_day", "rv_week", "rv_month")


def realised_volatility(kind=number, **declared) -> UseCase:
    """As somebody declares it who computed the lags."""
    usual = {
        "name": "volatility",
        "title": "Volatility",
        "problem": "regression",
        "target": "rv_next",
    }
    usual |= {"source": Source(uri="rv.csv"), "split": OutOfTime(column="day"), "lags": LAGS}
    usual |= {"target_kind": "log_variance", "baselines": ("constant", "random_walk", "log_har")}
    lags = (kind(name, **({"unit": None} if kind is amount else {})) for name in LAGS)
    return UseCase(**{**usual, "columns": (time("day"), *lags), **declared})


WITH_SKIP = realised_volatility(network={"linear_skip": True})


def log_variances(days: int = 900) -> pd.DataFrame:
    """A persistent log variance around -9, and its means over a day, a week and a month."""
    shocks = np.random.default_rng(0).normal(0, 0.5, days + 23)
    level = np.zeros(days + 23)
    for day in range(1, len(level)):
        level[day] = 0.95 * level[day - 1] + shocks[day]
    variance = pd.Series(np.exp(level + np.random.default_rng(1).normal(-9, 0.5, len(level))))
    means = {
        name: np.log(variance.rolling(d).mean()) for name, d in zip(LAGS, (1, 5, 22), strict=True)
    }
    table = pd.DataFrame({**means, "rv_next": np.log(variance).shift(-1)}).dropna()
    return table.assign(day=pd.date_range("2015-01-01", periods=len(table))).reset_index(drop=True)


@pytest.fixture(scope="module")
def table():
    return log_variances()


def inputs_of(use_case, table):
    parts = prepared(use_case, table).parts
    return baseline_inputs(table, parts, preprocess(parts, use_case), use_case)


def test_on_declared_lags_the_random_walk_repeats_and_log_har_is_least_squares(table):
    inputs = inputs_of(realised_volatility(), table)
    walk, har = (all_baselines()[name].fit(inputs) for name in ("random_walk", "log_har"))
    np.testing.assert_array_equal(walk.test, inputs.test["rv_day"])
    lags = [*LAGS]
    fitted = LinearRegression().fit(inputs.train[lags].to_numpy(), inputs.train["rv_next"])
    np.testing.assert_allclose(har.test, fitted.predict(inputs.test[lags].to_numpy()), rtol=1e-9)


def test_lags_may_be_variances_where_the_target_is_the_log_of_one(table):
    """Their logs are regressed, and the network gets them: log1p would leave them as they are."""
    variances = table.assign(**{name: np.exp(table[name]) for name in LAGS})
    of_logs = inputs_of(realised_volatility(), table)
    of_variances = inputs_of(realised_volatility(amount), variances)
    for name in ("random_walk", "log_har"):
        ours, theirs = (all_baselines()[name].fit(rows) for rows in (of_variances, of_logs))
        np.testing.assert_allclose(ours.test, theirs.test, rtol=1e-6)
    for logs, features in zip(of_logs.train_features.T, of_variances.train_features.T, strict=True):
        assert np.corrcoef(logs, features)[0, 1] > 0.995


def test_a_target_that_is_no_log_is_forecast_in_its_own_unit(table):
    sales = np.exp(table[[*LAGS, "rv_next"]] + 12).assign(day=table["day"])
    inputs = inputs_of(realised_volatility(target_kind="value"), sales)
    har, target = all_baselines()["log_har"].fit(inputs).test, inputs.test["rv_next"]
    assert np.corrcoef(np.log(har), np.log(target))[0, 1] > 0.6
    assert har.mean() == pytest.approx(target.mean(), rel=0.3)


def test_a_missing_lag_does_not_stop_a_baseline(table):
    gaps = table.copy()
    gaps.loc[::7, "rv_week"] = np.nan
    inputs = inputs_of(realised_volatility(), gaps)
    assert np.isfinite(all_baselines()["log_har"].fit(inputs).test).all()


def test_special_codes_among_the_lags_are_no_values_of_theirs(table):
    use_case = realised_volatility(
        columns=(time("day"), *(number(name, special_codes=(-999,)) for name in LAGS))
    )
    coded = table.copy()
    for position, name in enumerate(LAGS):
        coded.loc[position::10, name] = -999.0
    for name in ("random_walk", "log_har"):
        clean, of_coded = (
            np.mean((all_baselines()[name].fit(rows).test - rows.test["rv_next"]) ** 2)
            for rows in (inputs_of(use_case, table), inputs_of(use_case, coded))
        )
        assert of_coded < 2 * clean, name  # beside -999 it would be thousands


MAY_BE_MISSING = (time("day"), *(number(name, missing_at_most=1) for name in LAGS))


def test_a_lag_that_is_empty_in_training_is_left_out_and_named(table, caplog):
    empty = table.assign(rv_week=table["rv_week"].tail(50))
    inputs = inputs_of(realised_volatility(columns=MAY_BE_MISSING), empty)
    assert inputs.lags == ("rv_day", "rv_month")
    assert "rv_week is empty in all training rows: random_walk and log_har" in caplog.text
    assert np.isfinite(all_baselines()["log_har"].fit(inputs).test).all()


def test_lags_that_are_all_empty_are_refused(table):
    empty = table.assign(**{name: table[name].tail(50) for name in LAGS})
    with pytest.raises(DataRefused, match="lags: rv_day, rv_week, rv_month: empty in all"):
        inputs_of(realised_volatility(columns=MAY_BE_MISSING), empty)


def test_there_are_no_bins_no_logs_of_logs_and_no_end_at_the_range_of_training(table):
    use_case = realised_volatility()
    parts = prepared(use_case, table).parts
    transformer = preprocess(parts, use_case).transformer
    assert transformer.feature_names == [*LAGS]
    calm = parts.train.head(2).assign(**dict.fromkeys(LAGS, parts.train["rv_day"].min() - 1))
    assert (transformer.transform(calm) < preprocess(parts, use_case).train.features.min(0)).all()
    as_declared = realised_volatility(
        preprocessing=Preprocessing(piecewise_bins=4), network=Network(linear_skip=False)
    )
    names = preprocess(parts, as_declared).transformer.feature_names
    assert "rv_day (bin 4)" in names
    assert not as_declared.network.linear_skip
    assert override(as_declared, {"network.dropout": 0.2}).preprocessing.piecewise_bins == 4
    assert realised_volatility(network={"dropout": 0.2}).network == Network(dropout=0.2)


@pytest.mark.parametrize("clip", [8.0, None])
def test_only_the_past_of_the_target_has_no_end_at_the_range_of_training(clip, table):
    """Without a clip all the less; another number ends where training ended, as everywhere."""
    table = table.assign(temperature=np.random.default_rng(2).normal(20, 3, len(table)))
    declared = {name: number(name) for name in LAGS} | {
        "temperature": number("temperature", transform="none")
    }
    use_case = realised_volatility(
        columns=(time("day"), *declared.values()), preprocessing={"clip": clip}
    )
    parts = prepared(use_case, table).parts
    features = preprocess(parts, use_case)
    beyond = parts.train.head(1).assign(temperature=99.0, rv_day=parts.train["rv_day"].max() + 1)
    largest, found = features.train.features.max(axis=0), features.transformer.transform(beyond)[0]
    names = features.transformer.feature_names
    assert found[names.index("rv_day")] > largest[names.index("rv_day")]
    assert found[names.index("temperature")] == largest[names.index("temperature")]


def test_the_defaults_of_a_series_come_and_go_with_what_makes_it_one():
    plain = realised_volatility(lags=(), target_kind="value", baselines=("constant",))
    assert plain.preprocessing == Preprocessing()
    series = override(plain, {"lags": ["rv_day"], "network.dropout": 0.2})
    assert series.network == Network(dropout=0.2, linear_skip=True)
    assert series.preprocessing == Preprocessing(piecewise_bins=0)
    again = override(series, {"lags": []})
    assert again.network == series.network
    assert again.preprocessing == Preprocessing()
    risk = override(series, {"target_kind": "log_variance"})
    assert risk.network == Network(dropout=0.2)
    assert risk.preprocessing == Preprocessing(piecewise_bins=0, keep_plain=False)
    assert override(risk, {"target_kind": "value"}).network == series.network
    declared = override(series, {"preprocessing.piecewise_bins": 0})
    assert override(declared, {"lags": []}).preprocessing == Preprocessing(piecewise_bins=0)


def test_a_regression_with_hidden_layers_begins_as_ridge_and_is_trained_for_longer():
    plain = realised_volatility(lags=(), target_kind="value", baselines=("constant",))
    assert plain.network == Network(linear_skip=True)
    assert plain.training.epochs == 120
    assert override(plain, {"training.epochs": 5}).training.epochs == 5
    assert not override(plain, {"network.hidden_units": []}).network.linear_skip
    assert not override(plain, {"network.linear_skip": False}).network.linear_skip
    risk = {"problem": "binary", "headline": ("brier",), "baselines": ("constant",)}
    of_classes = realised_volatility(lags=(), target_kind="value", **risk)
    assert (of_classes.network, of_classes.training) == (Network(), Training())


@pytest.mark.parametrize("members", [1, 3])
def test_a_network_with_a_linear_skip_begins_as_ridge_regression(members, table, monkeypatch):
    monkeypatch.setattr(ridge, "ROWS_AT_ONCE", 100)  # several chunks, the last one smaller
    monkeypatch.setattr(ridge, "PENALTIES", np.array([3.0]))
    use_case = override(WITH_SKIP, {"training.members": members})
    features = preprocess(prepared(use_case, table).parts, use_case)
    network = build_network(use_case, 3, features.train.target)
    begin_as_ridge(network, features.train, features.validation)
    fitted = Ridge(alpha=3.0).fit(features.train.features, features.train.target)
    expected = fitted.predict(features.validation.features)
    for one in (network, with_stock_layers(network)):
        outputs = np.asarray(one(features.validation.features))[:, 0]
        np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_the_skip_keeps_a_direction(table):
    use_case = WITH_SKIP
    features = preprocess(prepared(use_case, table).parts, use_case)
    network = build_network(use_case, 3, features.train.target, np.array([-1, 0, 0]))
    begin_as_ridge(network, features.train, features.validation)
    rows, target = features.train.features, features.train.target
    left = np.mean((np.asarray(network(rows))[:, 0] - target) ** 2)
    without = Ridge(alpha=1.0).fit(rows[:, 1:], target).predict(rows[:, 1:])
    assert left <= 1.001 * np.mean((without - target) ** 2)  # refitted, not only cut
    kernel = keras.ops.convert_to_numpy(network.get_layer(LINEAR_SKIP).kernel)
    assert (kernel[:, 0] <= 0).all()
    assert (kernel[:, 1] != 0).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lags": ("rv_year",)}, "lags 'rv_year' is not among the columns: declare it"),
        ({"lags": ("rv_day", "rv_day")}, "lags: 'rv_day' is named twice: name it once"),
        ({"lags": ("day",)}, "lags 'day' is not of kind number"),
        ({"problem": "binary"}, "target_kind: only a regression has one: remove it"),
        ({"problem": "binary", "target_kind": "value"}, "lags: only a regression has one"),
        ({"lags": (), "target_kind": "value"}, "baselines: random_walk needs lags"),
        ({"baselines": ("garch",)}, "baselines: garch needs derived.method price_history"),
    ],
)
def test_lags_that_can_not_be_are_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        realised_volatility(**wrong)
    with pytest.raises(ValidationError, match="those of a price_history"):
        UseCase(**{**dict(find_use_case("market_volatility")), "lags": ("log_variance_1_day",)})
