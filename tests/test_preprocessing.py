"""Preprocessing is fitted on training rows alone, and equals scikit-learn's where it has a name."""

import tracemalloc
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)
from small_models import prepared, sample

from modelling.data.splitting import Parts
from modelling.declaration import Preprocessing, amount, category, count, number
from modelling.declaration.overrides import override
from modelling.features.preprocessing import Examples, fit_transformer, preprocess
from modelling.features.ratios import best_ratios
from modelling.features.usable_columns import refuse_unusable
from modelling.refusals import DataRefused
from modelling.scorer.transformer import ROWS_PER_BATCH, Transformer
from use_cases import find_use_case


def declared(*columns, least=20, **preprocessing):
    return sample(
        columns=columns,
        minimum_rows_per_value=least,
        preprocessing=Preprocessing(**preprocessing),
    )


@pytest.fixture
def numbers():
    rng = np.random.default_rng(3)
    return pd.DataFrame({"a": rng.normal(50, 9, 800), "b": rng.lognormal(2, 2, 800)})


PLAIN = {"transform": "none", "clip": None, "piecewise_bins": 0}


def test_a_row_has_the_same_features_in_whatever_batch_it_is():
    """Batches share their memory: nothing of one may be left in the next."""
    rng = np.random.default_rng(5)
    rows = 2 * ROWS_PER_BATCH + 3
    table = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.integers(0, 9, rows) * 1.0})
    table["c"] = np.where(np.arange(rows) < ROWS_PER_BATCH, "x", rng.choice(["y", None], rows))
    table.loc[rng.choice(rows, rows // 3), "a"] = np.nan
    columns = (number("a"), number("b", special_codes=(7, 8)), category("c"))
    transformer = fit_transformer(table.assign(y=0), declared(*columns))
    whole = transformer.transform(table)
    for first in (0, ROWS_PER_BATCH - 2, rows - 5):
        some = slice(first, first + 5)
        np.testing.assert_array_equal(transformer.transform(table.iloc[some]), whole[some])
    (batch,) = transformer.batches(table.head(5), 16)
    assert batch.shape == (16, whole.shape[1])
    np.testing.assert_array_equal(batch, np.pad(whole[:5], ((0, 11), (0, 0))))


@pytest.mark.parametrize(
    ("preprocessing", "theirs"),
    [
        ({**PLAIN, "scaling": "standard"}, [StandardScaler()]),
        ({**PLAIN, "scaling": "min_max"}, [MinMaxScaler()]),
        (
            {**PLAIN, "transform": "quantile", "keep_plain": False, "scaling": "none"},
            [QuantileTransformer(n_quantiles=800)],
        ),
        (
            {**PLAIN, "transform": "yeo_johnson", "keep_plain": False},
            [PowerTransformer(standardize=False), StandardScaler()],
        ),
    ],
)
def test_numbers_become_what_scikit_learn_makes_of_them(numbers, preprocessing, theirs):
    use_case = declared(number("a"), number("b"), least=1, **preprocessing)
    ours = fit_transformer(numbers, use_case).transform(numbers)
    expected = numbers.to_numpy()
    for step in theirs:
        expected = step.fit_transform(expected)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("preprocessing", "theirs"),
    [
        ({**PLAIN, "scaling": "min_max"}, MinMaxScaler()),
        (
            {**PLAIN, "transform": "quantile", "keep_plain": False, "scaling": "none"},
            QuantileTransformer(n_quantiles=40),
        ),
    ],
)
def test_so_they_do_nearly_where_no_customers_own_value_is_kept(numbers, preprocessing, theirs):
    """Min-max scaling still ends at 0 and 1, where the rows beyond its ends come to lie."""
    use_case = declared(number("a"), number("b"), **preprocessing)
    ours, expected = (
        fit_transformer(numbers, use_case).transform(numbers),
        theirs.fit_transform(numbers.to_numpy()),
    )
    assert (ours.min(axis=0).tolist(), ours.max(axis=0).tolist()) == ([0, 0], [1, 1])
    middle = slice(20, -20)
    for column in range(2):
        order = np.argsort(expected[:, column])[middle]
        together = np.corrcoef(ours[order, column], expected[order, column])[0, 1]
        assert together > 0.999


def test_the_log_stands_beside_the_plain_number(numbers):
    features = fit_transformer(numbers, declared(number("a"), number("b"))).feature_names
    assert features[:4] == ["a", "b", "a (log)", "b (log)"]


def test_the_log_of_small_numbers_tells_more_than_their_sign_and_no_customers_own_value():
    generator = np.random.default_rng(4)
    table = pd.DataFrame({"r": generator.normal(0, 0.01, 2000)})
    table["v"] = generator.lognormal(-9, 1, 2000)
    table.loc[0, "v"] = 1e-12
    transformer = fit_transformer(table, declared(number("r"), number("v"), piecewise_bins=0))
    features = dict(zip(transformer.feature_names, transformer.transform(table).T, strict=True))
    assert np.corrcoef(features["r (log)"], table["r"])[0, 1] > 0.99
    usual = slice(1, None)
    assert np.corrcoef(features["v (log)"][usual], np.log(table["v"][usual]))[0, 1] > 0.98
    units = transformer.state["numeric"]["blocks"][1]["parameters"]
    assert units[0] == 1
    assert units[1] == pytest.approx(np.quantile(table["v"], 0.01) / 10, rel=0.3)


def test_missing_and_special_codes_get_the_median_and_a_flag():
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0, np.nan, 98.0]})
    use_case = declared(number("a", special_codes=(98,)), **PLAIN, scaling="none", least=1)
    transformer = fit_transformer(table, use_case)
    assert transformer.feature_names == ["a", "a is missing", "a is a special code"]
    expected = [[1, 0, 0], [2, 0, 0], [3, 0, 0], [2, 1, 0], [2, 0, 1]]
    np.testing.assert_array_equal(transformer.transform(table), expected)


def test_amounts_of_one_unit_are_also_divided():
    """Not by what most rows have none of, not by another unit; a divisor of zero is missing."""
    generator = np.random.default_rng(5)
    names = ("loan", "income", "fine", "age", "distance")
    train = pd.DataFrame(generator.lognormal(3, 1, (2000, 5)), columns=names)
    train.loc[5:, "fine"] = 0.0
    train["y"] = (train["loan"] > train["income"]).astype(int)
    columns = amount("loan"), amount("income"), amount("fine"), count("age")
    distance = amount("distance", unit="km")
    use_case = declared(*columns, distance, **PLAIN, scaling="none", least=1)
    transformer = fit_transformer(train, use_case)
    names = transformer.feature_names
    assert [name for name in names if "/" in name] == ["loan / income"]
    ratios = transformer.transform(train)[:, names.index("loan / income")]
    np.testing.assert_allclose(ratios, train["loan"] / train["income"], rtol=1e-6)
    without_income = train.head(3).assign(income=[0.0, np.nan, 1.0])
    of_none = transformer.transform(without_income)[:2, names.index("loan / income")]
    np.testing.assert_allclose(of_none, np.median(ratios), rtol=1e-6)
    without = override(use_case, {"preprocessing.ratios": False})
    assert not [name for name in fit_transformer(train, without).feature_names if "/" in name]


def test_labels_become_what_scikit_learn_makes_of_them():
    train = pd.DataFrame({"c": ["x"] * 60 + ["y"] * 38 + ["rare 1", "rare 2"]})
    use_case = declared(category("c"), rare_category_share=0.05, least=1)
    new = pd.DataFrame({"c": ["x", "y", "rare 1", "rare 2", "never seen", None]})
    ours = fit_transformer(train, use_case).transform(new)
    theirs = OneHotEncoder(
        min_frequency=0.05, handle_unknown="infrequent_if_exist", sparse_output=False
    ).fit(train)
    np.testing.assert_array_equal(ours[:5], theirs.transform(new.head(5)))
    np.testing.assert_array_equal(ours[5:], 0)


@pytest.mark.parametrize(("rows", "features"), [(20, ["c=a", "c=b"]), (19, ["c=b"])])
def test_a_label_of_just_enough_rows_has_a_feature_of_its_own(rows, features):
    table = pd.DataFrame({"c": ["b"] * 60 + ["a"] * rows, "y": 0})
    use_case = declared(category("c"), rare_category_share=0.0)
    assert fit_transformer(table, use_case).feature_names == features


def test_a_label_is_the_same_as_number_or_text():
    train = pd.DataFrame({"c": ["1", "2", "1", "2"]})
    transformer = fit_transformer(train, declared(category("c"), least=1))
    for labels in ([1, 2], [1.0, 2.0], ["1", "2"]):
        np.testing.assert_array_equal(transformer.transform(pd.DataFrame({"c": labels})), np.eye(2))


def test_new_numbers_stay_within_what_training_saw(numbers):
    transformer = fit_transformer(numbers, declared(number("a"), number("b")))
    seen = transformer.transform(numbers)
    far = transformer.transform(pd.DataFrame({"a": [1e9, -1e9], "b": [1e12, np.inf]}))
    assert (far >= seen.min(axis=0)).all()
    assert (far <= seen.max(axis=0)).all()


@pytest.fixture
def credit_parts(credit_table):
    use_case = find_use_case("credit_scoring")
    return prepared(use_case, credit_table).parts


def test_statistics_are_those_of_the_training_rows_alone(credit_parts):
    use_case = find_use_case("credit_scoring")
    state = preprocess(credit_parts, use_case).transformer.state["numeric"]
    train, plain = credit_parts.train, state["blocks"][0]
    income, age = (state["names"].index(name) for name in ("MonthlyIncome", "age"))
    assert state["medians"][income] == pytest.approx(train["MonthlyIncome"].median(), rel=0.02)
    assert plain["offset"][age] == pytest.approx(train["age"].mean(), rel=1e-9)
    assert plain["scale"][age] == pytest.approx(train["age"].std(ddof=0), rel=1e-9)
    everyone = pd.concat(credit_parts)
    assert plain["offset"][age] != pytest.approx(everyone["age"].mean(), rel=1e-6)


def test_other_validation_and_test_rows_change_nothing_that_was_fitted(credit_parts):
    use_case = find_use_case("credit_scoring")
    spoiled = Parts(credit_parts.train, credit_parts.validation * 7, credit_parts.test * 0 - 5)
    fitted, refitted = (preprocess(parts, use_case) for parts in (credit_parts, spoiled))
    assert fitted.transformer.state == refitted.transformer.state


def test_a_number_to_forecast_is_standardised_with_the_training_rows_and_codes_stay():
    rows = pd.DataFrame({"x": np.arange(80.0), "y": np.arange(80) % 2})
    parts = Parts(rows[:40], rows[40:60], rows[60:])
    codes = preprocess(parts, declared(number("x")))
    assert codes.train.target.tolist() == rows["y"][:40].tolist()
    forecast = declared(number("x")).model_copy(update={"problem": "regression"})
    grown = Parts(*(part.assign(y=10 * part["x"]) for part in parts))
    found = preprocess(grown, forecast)
    assert found.target_offset == pytest.approx(195)
    assert found.target_scale == pytest.approx(np.arange(0, 400, 10).std())
    of_validation = (np.arange(400, 600, 10) - found.target_offset) / found.target_scale
    assert found.validation.target == pytest.approx(of_validation)


@pytest.mark.parametrize(("known", "is_empty"), [(19, True), (20, False)])
def test_a_number_that_fewer_rows_know_than_one_value_needs_is_taken_for_empty(known, is_empty):
    """The model would keep a mean and a standard deviation of 19 customers otherwise."""
    values = np.where(np.arange(100) < known, 100 + np.arange(100.0), np.nan)
    use_case = declared(number("x"), transform="none")
    fitted = fit_transformer(pd.DataFrame({"x": values, "y": 0}), use_case)
    block = fitted.state["numeric"]["blocks"][0]
    assert (block["offset"] + block["scale"] == [0, 1]) == is_empty


def test_the_state_is_plain_data(credit_parts, tmp_path):
    import json

    transformer = fit_transformer(credit_parts.train, find_use_case("credit_scoring"))
    again = Transformer(json.loads(json.dumps(transformer.state)))
    expected = transformer.transform(credit_parts.test)
    np.testing.assert_array_equal(again.transform(credit_parts.test), expected)
    one = credit_parts.test.head(1)
    np.testing.assert_array_equal(transformer.transform(one), expected[:1])


def test_a_cell_that_is_no_number_is_refused_without_being_quoted(numbers):
    transformer = fit_transformer(numbers, declared(number("a"), number("b")))
    with pytest.raises(ValueError, match="column 'b' must hold numbers only") as refused:
        transformer.transform(pd.DataFrame({"a": [1], "b": ["Smith"]}))
    assert "Smith" not in str(refused.value)


PIECEWISE = {"transform": "none", "clip": None, "scaling": "none"}


def encoded(train, new, bins, least=20):
    """The bins of column ``a`` alone, fitted on ``train``."""
    use_case = declared(number("a"), **PIECEWISE, piecewise_bins=bins, least=least)
    transformer = fit_transformer(pd.DataFrame({"a": train}), use_case)
    return transformer.transform(pd.DataFrame({"a": new}))[:, 1:]


def test_a_number_becomes_the_shares_of_the_bins_that_it_fills():
    """Gorishniy, Rubachev and Babenko (2022), equation 1, with edges 0, 2, 10."""
    train = [0.0, 1.0, 2.0, 6.0, 10.0] * 20
    new = [0.0, 1.0, 2.0, 4.0, 10.0, -5.0, 99.0]
    expected = [[0, 0], [0.5, 0], [1, 0], [1, 0.25], [1, 1], [0, 0], [1, 1]]
    np.testing.assert_allclose(encoded(train, new, bins=2), expected)


def test_bins_hold_as_many_training_rows_each_and_never_fall_with_the_number(numbers):
    values = numbers["b"].to_numpy()
    bins = encoded(values, np.sort(values), bins=8, least=1)
    assert bins.shape == (800, 8)
    assert (np.diff(bins, axis=0) >= 0).all()
    inside = ((bins > 0) & (bins < 1)).sum(axis=0)
    assert inside.min() >= 98
    assert inside.max() <= 100
    assert (np.diff(bins, axis=1) <= 0).all(), "a bin is begun only when those before are full"


def test_equal_quantiles_merge_and_a_constant_has_no_bin():
    counts = [0.0] * 700 + [1.0] * 200 + [5.0] * 100
    np.testing.assert_array_equal(
        encoded(counts, [0, 1, 3, 5], bins=16), [[0, 0], [1, 0], [1, 0.5], [1, 1]]
    )
    assert encoded([3.0] * 50, [1, 3, 9], bins=16).shape == (3, 0)


def test_few_rows_have_few_bins(numbers):
    for rows, bins in ((800, 16), (200, 4), (90, 1)):
        few = numbers["a"].head(rows)
        assert encoded(few, few, bins=16).shape == (rows, bins)


def test_bins_are_fitted_on_training_rows_and_named(credit_parts):
    use_case = find_use_case("credit_scoring")
    state = preprocess(credit_parts, use_case).transformer.state
    age, block = state["numeric"]["names"].index("age"), state["numeric"]["blocks"][-1]
    edges = [left for left, at in zip(block["offset"], block["columns"], strict=True) if at == age]
    ages = credit_parts.train["age"].replace(0, np.nan)
    assert ages.min() <= edges[0] <= ages.quantile(0.02)
    bins = use_case.preprocessing.piecewise_bins
    assert len(edges) == bins
    assert edges[bins // 2] == pytest.approx(ages.median(), abs=1)
    assert "age (bin 1)" in state["feature_names"]
    assert len(state["feature_names"]) == len(set(state["feature_names"]))


def many_amounts(rows, columns, seed=0):
    """Lognormal amounts; the target says which of the first two is larger, with a few errors."""
    generator = np.random.default_rng(seed)
    table = pd.DataFrame(generator.lognormal(6, 1, (rows, columns)))
    table.columns = [f"amount_{number}" for number in range(columns)]
    is_larger = table["amount_0"] > table["amount_1"]
    return table.assign(y=(is_larger ^ (generator.random(rows) < 0.05)).astype(int))


def ratios_of(table, problem="binary"):
    use_case = declared(*(amount(name) for name in table if name != "y"))
    return fit_transformer(table, use_case.model_copy(update={"problem": problem})).ratios


@pytest.mark.parametrize("problem", ["binary", "regression"])
def test_of_many_amounts_those_quotients_are_kept_that_tell_more_than_the_columns(problem):
    table = many_amounts(2000, 15)
    if problem == "regression":
        table["y"] = 1000 * table["y"] + table["amount_7"] + table["amount_8"]
    assert (0, 1) in ratios_of(table, problem)
    assert len(ratios_of(table, problem)) <= 15
    table.iloc[::3, 5] = np.nan  # a missing amount is no quotient, and changes nothing else
    assert (0, 1) in ratios_of(table, problem)


def test_the_numbers_of_a_regression_may_be_whole():
    table = many_amounts(2000, 12)
    table["y"] = 1000 * table["y"] + table["amount_7"].astype(int)
    ratios = ratios_of(table, "regression")
    assert ratios == ratios_of(table.astype({"y": float}), "regression")
    assert (0, 1) in ratios


def test_what_is_needed_to_choose_quotients_does_not_grow_with_the_square_of_the_columns():
    table = many_amounts(1000, 300)
    pairs = list(combinations(range(9), 2))
    tracemalloc.start()
    chosen = best_ratios(table.to_numpy()[:, :300], pairs, table["y"].to_numpy(), "binary")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (0, 1) in chosen
    assert peak < 150e6  # the products of all columns' bins would be 235 MB


def test_of_few_amounts_all_quotients_are_kept_and_have_bins():
    assert len(ratios_of(many_amounts(500, 8))) == 28
    three = many_amounts(500, 3)
    fitted = fit_transformer(three, declared(*(amount(name) for name in three if name != "y")))
    assert "amount_1 / amount_2 (bin 1)" in fitted.feature_names


def test_where_amounts_speak_for_themselves_there_are_no_quotients():
    """13 columns of money: their 78 quotients would only be more to overfit on."""
    table = many_amounts(3000, 13)
    odds = np.log(table[["amount_3", "amount_4"]]).sum(axis=1) - 12
    happened = np.random.default_rng(1).random(3000) < 1 / (1 + np.exp(-odds))
    assert ratios_of(table.assign(y=happened.astype(int))) == []


def test_features_grow_in_proportion_to_the_amounts():
    for columns in (10, 40):
        table = many_amounts(2000, columns)
        use_case = declared(*(amount(name) for name in table if name != "y"))
        features = len(fit_transformer(table, use_case).feature_names)
        assert features <= columns * (18 + 2)  # plain, log and 16 bins; a quotient has no bins


def test_quotients_are_chosen_with_training_rows_whose_classes_are_rare():
    table = many_amounts(40_000, 12)
    odds = np.log(table["amount_4"] / table["amount_5"])
    table["y"] = (odds > odds.nlargest(100).min()).astype(int)
    ratios = ratios_of(table)
    assert (4, 5) in ratios
    assert len(ratios) <= 12
    assert ratios_of(table.set_index(table.index[::-1])) == ratios


ABSURD = (1e308, -1e308, 1.7976931348623157e308, 3.4e38, 1e20, np.inf)


@pytest.mark.parametrize("absurd", ABSURD)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"scaling": "min_max"},
        {"scaling": "none", "transform": "none"},
        {"transform": "quantile"},
        {"transform": "yeo_johnson", "clip": None},
    ],
)
def test_two_absurd_cells_leave_the_others_as_they_are(numbers, absurd, settings):
    columns = amount("a", minimum=None), amount("b", minimum=None)
    use_case = declared(*columns, **settings)
    spoiled = numbers.assign(y=0)
    spoiled.loc[[3, 4], "b"] = absurd
    with np.errstate(all="raise", under="ignore"):
        transformer = fit_transformer(spoiled, use_case)
    features = transformer.transform(spoiled)
    assert np.isfinite(features).all()
    assert np.isfinite([transformer.transform(spoiled.iloc[[i]]) for i in (3, 4)]).all()
    spread = features.std(axis=0)
    of_a = [i for i, name in enumerate(transformer.feature_names) if name.startswith("a")]
    assert (spread[of_a] > 0).all()
    bins = [name for name in transformer.feature_names if name.startswith("b (bin")]
    assert len(bins) == 16


def test_a_column_of_nothing_but_absurd_numbers_has_finite_features():
    table = pd.DataFrame({"a": np.linspace(-1, 1, 300) * 1.7e308, "b": np.arange(300.0)})
    features = fit_transformer(table, declared(number("a"), number("b"))).transform(table)
    assert np.isfinite(features).all()


def test_what_is_dirty_but_not_absurd_is_fitted_as_it_is(credit_table):
    """A utilisation of 50,708 beside a median of 0.15; the cut off rows are none."""
    use_case = find_use_case("credit_scoring")
    state = fit_transformer(credit_table, use_case).state["numeric"]
    for name in ("RevolvingUtilizationOfUnsecuredLines", "DebtRatio"):
        at = state["names"].index(name)
        assert state["blocks"][0]["offset"][at] == pytest.approx(credit_table[name].mean())
        assert state["blocks"][0]["scale"][at] == pytest.approx(credit_table[name].std(ddof=0))


@pytest.mark.parametrize("scaling", ["standard", "min_max", "none"])
def test_numbers_that_float32_can_not_hold_are_clipped_or_refused_by_name(scaling):
    use_case = declared(number("huge"), scaling=scaling)

    def features_of(huge):
        rows = pd.DataFrame({"huge": huge, "y": np.arange(400) % 2})
        return preprocess(Parts(rows, rows, rows), use_case).validation.features

    few = np.where(np.arange(400) % 5 == 0, 1e300, np.arange(400.0))
    assert np.isfinite(features_of(few)).all()
    with pytest.raises(DataRefused, match="huge: its numbers are larger than a network can hold"):
        refuse_unusable(pd.DataFrame({"huge": 1e50 * np.arange(400)}), use_case)


def test_prepared_rows_are_told_from_others_by_a_hash_that_is_computed_once():
    features, target = np.eye(3, dtype=np.float32), np.arange(3)
    rows = Examples(features, target)
    assert rows.content_hash == Examples(features.copy(), target.copy()).content_hash
    for others in (Examples(features, target + 1), Examples(features.ravel(), target)):
        assert rows.content_hash != others.content_hash
    assert rows.content_hash is rows.content_hash
