"""The linear model that a network has to beat gets a fair try: it chooses its penalty."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss

from modelling.judgement.baselines.baseline import BaselineInputs
from modelling.judgement.baselines.catalogue import all_baselines
from modelling.judgement.baselines.linear import PENALTIES as OF_CLASSES
from modelling.ridge import PENALTIES, fit_ridge


@pytest.mark.parametrize("features", [5, 50, 90])
def test_the_ridge_has_the_penalty_of_the_lowest_cross_validated_error(features):
    generator = np.random.default_rng(features)
    rows = generator.normal(size=(60, features))
    target = rows[:, :3].sum(axis=1) + 2 * generator.normal(size=60)
    centred, of_mean = rows - rows.mean(axis=0), target - target.mean()

    def error(penalty):
        squares = centred.T @ centred + penalty * np.eye(features)
        hat = centred @ np.linalg.solve(squares, centred.T) + 1 / 60  # the intercept's part
        return np.sum((of_mean - hat @ of_mean) ** 2) / (60 - np.trace(hat)) ** 2

    coefficients, _ = fit_ridge(rows, target, (rows[:1], target[:1]))
    expected = Ridge(alpha=min(PENALTIES, key=error)).fit(rows, target)
    np.testing.assert_allclose(coefficients, expected.coef_, rtol=1e-6, atol=1e-9)


def test_a_target_without_any_linear_part_gets_next_to_none():
    generator = np.random.default_rng(1)
    rows, noise = generator.normal(size=(300, 250)), generator.normal(size=300)
    coefficients, _ = fit_ridge(rows[:200], noise[:200], (rows[200:], noise[200:]))
    assert np.std(rows @ coefficients) < 0.5 * np.std(noise)


def customers(count, years, generator):
    """Forty traits of each customer, the same in every year, of which the first matters, and a
    level that no trait tells of."""
    traits = np.repeat(generator.normal(size=(count, 40)), years, axis=0)
    level = np.repeat(generator.normal(size=count), years)
    return traits, traits[:, 0] + level + 0.1 * generator.normal(size=count * years)


def test_other_customers_choose_the_penalty_where_rows_of_one_are_alike():
    generator = np.random.default_rng(2)
    train, validation, test = (customers(50, 12, generator) for _ in range(3))

    def error(coefficients, intercept):
        return np.mean((test[0] @ coefficients + intercept - test[1]) ** 2)

    one_row = (validation[0][:1], validation[1][:1])
    by_training_rows, chosen = (fit_ridge(*train, rows) for rows in (one_row, validation))
    assert error(*chosen) < 0.7 * error(*by_training_rows)


def test_validation_rows_like_the_training_rows_say_nothing_against_cross_validation():
    generator = np.random.default_rng(2)
    rows, target = generator.normal(size=(900, 40)), generator.normal(size=900)
    target += rows[:, 0]
    few, many = (fit_ridge(rows[:600], target[:600], (rows[n:], target[n:])) for n in (899, 600))
    np.testing.assert_array_equal(few[0], many[0])


NOISE = [f"noise_{number}" for number in range(60)]


def noisy_inputs(problem: str, rows: int = 240) -> BaselineInputs:
    """One column of which the target knows something, and sixty of which it does not."""
    generator = np.random.default_rng(3)
    table = pd.DataFrame(generator.normal(size=(rows, 61)), columns=["known", *NOISE])
    score = table["known"] + generator.normal(size=rows)
    cuts = {"regression": None, "binary": [0.0], "multiclass": [-0.5, 0.5]}[problem]
    table["target"] = score if cuts is None else np.digitize(score, cuts)
    columns = ["known", *NOISE]
    train, validation, test = (table[start::3] for start in range(3))

    def transform(part):
        return part[columns].to_numpy()

    return BaselineInputs(
        problem=problem,
        classes=0 if cuts is None else len(cuts) + 1,
        target="target",
        kinds=dict.fromkeys(columns, "number"),
        train=train,
        validation=validation,
        test=test,
        train_features=transform(train),
        transform=transform,
    )


@pytest.mark.parametrize("problem", ["binary", "multiclass"])
def test_classes_have_the_penalty_of_the_lowest_validation_loss(problem):
    inputs = noisy_inputs(problem)
    features = inputs.transform(inputs.validation)
    losses = {}
    for penalty in OF_CLASSES:
        model = LogisticRegression(C=1 / penalty, max_iter=300)
        model.fit(inputs.train_features, inputs.train_target)
        losses[penalty] = log_loss(inputs.validation["target"], model.predict_proba(features))
    found = all_baselines()["linear"].fit(inputs)
    assert min(losses, key=losses.get) > 1.0  # scikit-learn's own would be the worse choice
    loss = log_loss(inputs.validation["target"], found.validation)
    assert loss == pytest.approx(min(losses.values()), rel=1e-3)
    assert found.test.shape == ((80,) if problem == "binary" else (80, 3))


@pytest.mark.parametrize("problem", ["regression", "binary", "multiclass"])
def test_rows_are_transformed_once(problem):
    """Bins and labels make hundreds of features: that takes as long as a fit."""
    inputs, transformed = noisy_inputs(problem), []

    def transform(part):
        transformed.append(len(part))
        return inputs.transform(part)

    all_baselines()["linear"].fit(replace(inputs, transform=transform))
    assert transformed == [len(inputs.validation), len(inputs.test)]


def test_a_regression_has_the_ridge_that_its_network_begins_with():
    inputs = noisy_inputs("regression")
    validation = inputs.transform(inputs.validation), inputs.validation["target"].to_numpy()
    coefficients, intercept = fit_ridge(inputs.train_features, inputs.train_target, validation)
    expected = inputs.transform(inputs.test) @ coefficients + intercept
    found = all_baselines()["linear"].fit(inputs)
    np.testing.assert_allclose(found.test, expected)
    of_one = Ridge(alpha=1.0).fit(inputs.train_features, inputs.train_target)
    error, of_fixed = (
        np.mean((inputs.test["target"] - forecasts) ** 2)
        for forecasts in (found.test, of_one.predict(inputs.transform(inputs.test)))
    )
    assert error < of_fixed
