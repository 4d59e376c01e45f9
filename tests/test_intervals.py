"""Intervals: the resampled metrics are scikit-learn's, and the intervals cover as they promise."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from modelling.data.independence import groups_of
from modelling.declaration import OutOfTime
from modelling.judgement.intervals import Interval, bootstrap, interval_of
from modelling.judgement.losses import gain_of, losses_of_rows
from modelling.judgement.metrics.catalogue import all_metrics, find_metric
from modelling.judgement.metrics.metric import Scored
from modelling.judgement.rank_cells import rank_cells, resampled_together
from modelling.refusals import DataRefused
from use_cases import find_use_case


@pytest.fixture(scope="module")
def scored():
    """400 rows with ties among the probabilities, and how often each was drawn."""
    generator = np.random.default_rng(3)
    probabilities = generator.random(400).round(2)
    target = (generator.random(400) < probabilities).astype(np.int64)
    return target, probabilities, generator.integers(0, 4, size=(400, 5)).astype(float)


def resampled(name, target, outputs, problem="binary", **arrays):
    return find_metric(name, problem).resampled(Scored(target, outputs, **arrays))


def brier(target, outputs):
    return {"brier": resampled("brier", target, outputs)}


@pytest.mark.parametrize(
    ("name", "problem", "theirs"),
    [
        ("roc_auc", "binary", sk.roc_auc_score),
        ("average_precision", "binary", sk.average_precision_score),
        ("log_loss", "binary", sk.log_loss),
        ("brier", "binary", sk.brier_score_loss),
        ("rmse", "regression", sk.root_mean_squared_error),
    ],
)
def test_a_weighted_metric_is_that_of_the_rows_drawn(scored, name, problem, theirs):
    target, probabilities, weights = scored
    ours = resampled(name, target, probabilities, problem)(weights)
    for value, drawn in zip(ours, weights.T.astype(int), strict=True):
        rows = np.repeat(np.arange(len(target)), drawn)
        assert value == pytest.approx(theirs(target[rows], probabilities[rows]), rel=1e-12)


def test_with_equal_weights_a_weighted_metric_is_the_plain_one():
    generator = np.random.default_rng(0)
    decided = generator.integers(0, 2, 400)
    two = Scored(generator.integers(0, 2, 400), generator.random(400).round(2), decided)
    outputs = generator.dirichlet(np.ones(4), size=400)
    several = Scored(generator.integers(0, 4, 400), outputs, outputs.argmax(axis=1))
    numbers = Scored(*generator.normal(size=(2, 400)))
    rows = {"binary": two, "multiclass": several, "regression": numbers}
    for metric in all_metrics():
        for problem in metric.problems if metric.plain and metric.weighted else ():
            drawn_once = metric.resampled(rows[problem])(np.ones((400, 1)))
            assert drawn_once == pytest.approx([metric.value(rows[problem])], rel=1e-12), metric


@pytest.mark.parametrize("digits", [1, 2, 9])
@pytest.mark.parametrize("most_often", [3, 255, 300])
def test_metrics_over_cells_of_a_ranking_are_those_over_rows_to_the_last_bit(digits, most_often):
    """With many ties and with none, also where rows are drawn more often than a byte counts."""
    generator = np.random.default_rng(4)
    probabilities = generator.random(500).round(digits).astype(np.float32)
    target = (generator.random(500) < probabilities / 4).astype(np.int64)
    metrics = [find_metric(name, "binary") for name in ("roc_auc", "log_loss", "average_precision")]
    weights = generator.integers(0, most_often + 1, size=(500, 8)).astype(float)
    weights[:, 0] = target == 1
    weights[:, 1] = 0
    for scored in (Scored(target, probabilities), Scored(0 * target, probabilities)):
        together = resampled_together(metrics, scored)(weights)
        apart = np.stack([metric.resampled(scored)(weights) for metric in metrics], axis=1)
        np.testing.assert_array_equal(together, apart)


def test_a_ranking_has_three_cells_for_each_score_of_a_positive_at_most(scored):
    target, probabilities, weights = scored
    cells, drawn = rank_cells(Scored(target, probabilities))
    assert len(cells.target) <= 3 * len(np.unique(probabilities[target == 1])) + 1 < len(target)
    assert drawn(weights).sum(axis=0).tolist() == weights.sum(axis=0).tolist()


def test_an_interval_covers_the_truth_nineteen_times_in_twenty():
    """The mean of 60 exponential draws, 300 times: 95 % intervals cover 1.0 in about 92-96 %."""
    generator = np.random.default_rng(1)
    covered = 0
    for seed in range(300):
        errors = generator.exponential(size=60)
        metric = brier(np.zeros(60), np.sqrt(errors))
        drawn = bootstrap(metric, np.arange(60), seed, resamples=400)
        low, high = interval_of(drawn["brier"])[1:]
        covered += low <= 1.0 <= high
    assert 0.88 <= covered / 300 <= 0.98


def test_rows_of_one_customer_are_drawn_together():
    """Ten copies of each row hold no more knowledge: only grouping keeps the interval honest."""
    generator = np.random.default_rng(2)
    errors = np.repeat(generator.exponential(size=80), 10)
    metric = brier(np.zeros(800), np.sqrt(errors))
    apart = interval_of(bootstrap(metric, np.arange(800))["brier"])
    together = interval_of(bootstrap(metric, np.repeat(np.arange(80), 10))["brier"])
    assert together.high - together.low > 2.5 * (apart.high - apart.low)


def test_resamples_depend_on_nothing_but_groups_and_seed():
    """Rows that are each a group of their own are not gathered: it makes no difference."""
    rows, generator = np.arange(50.0), np.random.default_rng(0)
    drawn = [np.bincount(generator.integers(50, size=50), minlength=50) for _ in range(20)]
    for groups in (np.arange(50), np.arange(50)[::-1]):
        values = bootstrap({"sum": lambda weights: rows @ weights}, groups, resamples=20)["sum"]
        assert values.tolist() == [rows.sum(), *(rows @ times[groups] for times in drawn)]


def test_a_model_does_not_differ_from_itself(scored):
    target, probabilities, _ = scored
    both = {name: resampled("roc_auc", target, probabilities) for name in ("a", "b")}
    drawn = bootstrap(both, np.arange(400))
    assert interval_of(drawn["a"] - drawn["b"]) == (0, 0, 0)


def test_a_card_drawn_twice_takes_two_alerts():
    """Two alerts a day: a hit drawn twice fills both, one not drawn leaves them to others."""
    arrays = {"days": np.zeros(3), "cards": np.arange(3), "alerts_per_day": 2}
    arrays["amounts"] = np.array([30.0, 0.0, 10.0])
    fraud, scores = np.array([1, 0, 1]), np.array([0.9, 0.8, 0.7])
    drawn = np.array([[1, 2, 0], [1, 1, 1], [1, 0, 2]], dtype=float)
    metric = resampled("card_precision", fraud, scores, **arrays)
    assert metric(drawn).tolist() == [0.5, 1.0, 0.5]
    caught = resampled("money_caught", fraud, scores, **arrays)
    assert caught(drawn).tolist() == [30 / 40, 60 / 60, 10 / 20]


@pytest.mark.parametrize(
    ("low", "high", "excludes"),
    [(0.1, 0.3, True), (-0.3, -0.1, True), (-0.1, 0.1, False), (0, 0.1, False), (-0.1, 0, False)],
)
def test_a_difference_is_beyond_chance_where_its_interval_lies_on_one_side(low, high, excludes):
    assert Interval((low + high) / 2, low, high).excludes_zero == excludes


def test_an_interval_leaves_out_a_fortieth_of_the_resamples_at_each_end():
    resamples = np.random.default_rng(0).permutation(1001).astype(float)
    undefined = np.full(50, np.nan)
    assert interval_of(np.concatenate([[7], undefined, resamples])) == (7, 25, 975)
    assert np.isnan(interval_of(np.concatenate([[7], undefined])).low)


def test_an_advantage_in_words_calls_nothing_better_that_could_be_chance():
    for interval, words in (
        (Interval(0.25, 0.125, 0.375), "better than boosting (0.8641) by"),
        (Interval(0.25, 0.0, 0.5), "no better and no worse than boosting (0.8641):"),
        (Interval(-0.25, -0.5, -0.125), "WORSE than boosting (0.8641) by"),
    ):
        assert interval.beside("boosting", 0.8641) == f"{words} {interval}"


def test_the_ends_of_an_interval_have_the_digits_of_its_value():
    assert str(Interval(0.0021, 0, 0.00374)) == "0.0021 [0.0000, 0.0037]"
    assert str(Interval(12_000.4, -5, 30_000)) == "12,000 [-5, 30,000]"
    assert str(Interval(2.1e-6, 1e-6, 3e-6)) == "2.1e-06 [1e-06, 3e-06]"


def test_a_split_in_time_is_resampled_in_blocks():
    use_case = find_use_case("credit_scoring").model_copy(update={"split": OutOfTime(column="day")})
    days = pd.DataFrame({"day": pd.date_range("2010-01-01", periods=900)})
    assert groups_of(days, use_case).max() + 1 == 30  # months
    assert groups_of(days.head(200), use_case).max() + 1 in (29, 30)  # weeks
    two_years = days[days["day"] < "2012-01-01"]
    assert groups_of(two_years, use_case).max() + 1 == 24  # months are enough
    assert groups_of(two_years[two_years["day"] < "2011-12-01"], use_case).max() + 1 > 90  # weeks


def test_rows_of_a_single_group_have_no_interval():
    """Each resample would be the same: a width of zero would pass for certainty."""
    metric = brier(np.zeros(5), np.linspace(0, 1, 5))
    with pytest.raises(DataRefused, match="all of one day, group or customer"):
        bootstrap(metric, np.zeros(5, dtype=int))


def test_a_gain_has_the_standard_error_of_a_paired_mean():
    rng = np.random.default_rng(4)
    rows = np.arange(300)
    losses = rng.exponential(size=(40, 2, 300))
    found = [gain_of(one, other, rows) for one, other in losses]
    errors = (losses[:, 1] - losses[:, 0]).std(axis=1) / 300**0.5
    assert [gain.standard_error for gain in found] == pytest.approx(errors, rel=0.15)
    assert sum(gain.exceeds_error for gain in found) <= 12, "one in six, of equal settings"
    assert gain_of(losses[0, 0] - 0.5, losses[0, 0], rows).value == pytest.approx(0.5)
    same = gain_of(losses[0, 0], losses[0, 0], np.zeros(300, int))  # one group: its rows are drawn
    assert same == (0, 0)
    assert not same.exceeds_error


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_the_losses_of_rows_are_those_of_scikit_learn(problem):
    rng = np.random.default_rng(5)
    target = rng.integers(3 if problem == "multiclass" else 2, size=50)
    if problem == "regression":
        outputs = rng.normal(size=(50, 1))
        wanted = sk.mean_squared_error(target, outputs)
    else:
        outputs = rng.dirichlet(np.ones(3 if problem == "multiclass" else 2), size=50)
        wanted = sk.log_loss(target, outputs)
    of_one_class = outputs[:, 1:] if problem == "binary" else outputs
    assert losses_of_rows(of_one_class, target, problem).mean() == pytest.approx(wanted)
