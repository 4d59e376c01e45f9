"""Intervals: the resampled metrics are scikit-learn's, and the intervals cover as they promise."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from modelling.data.independence import groups_of
from modelling.declaration import OutOfTime
from modelling.judgement.intervals import bootstrap, interval_of
from modelling.judgement.metrics.alerts import card_precision, weighted_card_precision
from modelling.judgement.metrics.volatility_metrics import qlike
from modelling.judgement.metrics.weighted_metrics import WEIGHTED
from modelling.refusals import DataRefused
from use_cases import find_use_case


@pytest.fixture(scope="module")
def scored():
    """400 rows with ties among the probabilities, and how often each was drawn."""
    generator = np.random.default_rng(3)
    probabilities = generator.random(400).round(2)
    target = (generator.random(400) < probabilities).astype(np.int64)
    return target, probabilities, generator.integers(0, 4, size=(400, 5)).astype(float)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("roc_auc", sk.roc_auc_score),
        ("average_precision", sk.average_precision_score),
        ("log_loss", sk.log_loss),
        ("brier", sk.brier_score_loss),
        ("rmse", sk.root_mean_squared_error),
    ],
)
def test_a_weighted_metric_is_that_of_the_rows_drawn(scored, name, theirs):
    target, probabilities, weights = scored
    ours = WEIGHTED[name](target, probabilities)(weights)
    for value, drawn in zip(ours, weights.T.astype(int), strict=True):
        rows = np.repeat(np.arange(len(target)), drawn)
        assert value == pytest.approx(theirs(target[rows], probabilities[rows]), rel=1e-12)


def test_quadratic_weighted_kappa_is_scikit_learns(scored):
    generator = np.random.default_rng(0)
    outputs = generator.dirichlet(np.ones(4), size=400)
    target = generator.integers(0, 4, 400)
    ours = WEIGHTED["quadratic_weighted_kappa"](target, outputs)(np.ones((400, 1)))
    theirs = sk.cohen_kappa_score(target, outputs.argmax(axis=1), weights="quadratic")
    assert ours[0] == pytest.approx(theirs)


def test_qlike_is_that_of_all_rows():
    generator = np.random.default_rng(0)
    truth, forecast = generator.normal(size=(2, 50))
    ours = WEIGHTED["qlike"](truth, forecast)(np.ones((50, 1)))
    assert ours[0] == pytest.approx(qlike(truth, forecast))


def test_an_interval_covers_the_truth_nineteen_times_in_twenty():
    """The mean of 60 exponential draws, 300 times: 95 % intervals cover 1.0 in about 92-96 %."""
    generator = np.random.default_rng(1)
    covered = 0
    for seed in range(300):
        errors = generator.exponential(size=60)
        metric = WEIGHTED["brier"](np.zeros(60), np.sqrt(errors))
        drawn = bootstrap({"brier": metric}, np.arange(60), seed, resamples=400)
        low, high = interval_of(drawn["brier"])[1:]
        covered += low <= 1.0 <= high
    assert 0.88 <= covered / 300 <= 0.98


def test_rows_of_one_customer_are_drawn_together():
    """Ten copies of each row hold no more knowledge: only grouping keeps the interval honest."""
    generator = np.random.default_rng(2)
    errors = np.repeat(generator.exponential(size=80), 10)
    metric = {"brier": WEIGHTED["brier"](np.zeros(800), np.sqrt(errors))}
    apart = interval_of(bootstrap(metric, np.arange(800))["brier"])
    together = interval_of(bootstrap(metric, np.repeat(np.arange(80), 10))["brier"])
    assert together.high - together.low > 2.5 * (apart.high - apart.low)


def test_a_model_does_not_differ_from_itself(scored):
    target, probabilities, _ = scored
    both = {name: WEIGHTED["roc_auc"](target, probabilities) for name in ("a", "b")}
    drawn = bootstrap(both, np.arange(400))
    assert interval_of(drawn["a"] - drawn["b"]) == (0, 0, 0)


def test_card_precision_of_all_rows_is_the_handbooks():
    generator = np.random.default_rng(5)
    day, card = generator.integers(0, 7, 3000), generator.integers(0, 400, 3000)
    score = generator.random(3000)
    fraud = (generator.random(3000) < score**4).astype(int)
    everyone = weighted_card_precision(day, card, fraud, score, 20)(np.ones((3000, 1)))
    assert everyone[0] == pytest.approx(card_precision(day, card, fraud, score, 20))


def test_a_card_drawn_twice_takes_two_alerts():
    """Two alerts a day: a hit drawn twice fills both, one not drawn leaves them to others."""
    day, card, fraud = np.zeros(3), np.arange(3), np.array([1, 0, 1])
    metric = weighted_card_precision(day, card, fraud, np.array([0.9, 0.8, 0.7]), 2)
    drawn = np.array([[1, 2, 0], [1, 1, 1], [1, 0, 2]], dtype=float)
    assert metric(drawn).tolist() == [0.5, 1.0, 0.5]


def test_a_split_in_time_is_resampled_in_blocks():
    use_case = find_use_case("credit_scoring").model_copy(update={"split": OutOfTime(column="day")})
    days = pd.DataFrame({"day": pd.date_range("2010-01-01", periods=900)})
    assert groups_of(days, use_case).max() + 1 == 30  # months
    assert groups_of(days.head(200), use_case).max() + 1 in (29, 30)  # weeks


def test_rows_of_a_single_group_have_no_interval():
    """Each resample would be the same: a width of zero would pass for certainty."""
    metric = {"brier": WEIGHTED["brier"](np.zeros(5), np.linspace(0, 1, 5))}
    with pytest.raises(DataRefused, match="all of one day, group or customer"):
        bootstrap(metric, np.zeros(5, dtype=int))
