"""What is kept of a column are means over k rows; what k rows share stays what it is."""

import numpy as np
import pytest

from modelling.features.microaggregation import microaggregate, microaggregated_median


def grouped(values, least):
    return microaggregate(np.array(values, dtype=float)[:, None], least)[:, 0]


@pytest.mark.parametrize("least", [1, 2, 5, 20])
def test_every_value_comes_from_so_many_rows_and_keeps_their_order(least):
    generator = np.random.default_rng(least)
    for _ in range(50):
        values = generator.choice([generator.normal(size=200), generator.poisson(2, 200)])
        values = np.where(generator.random(200) < 0.1, np.nan, values)
        ours, known = grouped(values, least), np.sort(values[~np.isnan(values)])
        ours = ours[~np.isnan(ours)]
        assert len(ours) == len(known)
        assert np.unique(ours, return_counts=True)[1].min() >= least
        assert (np.diff(ours) >= 0).all()
        assert known[0] <= ours[0] <= ours[-1] <= known[-1]


def test_what_many_share_stays_and_takes_the_few_beside_it_along():
    values = [-7.0] + [0.0] * 5 + [0.4, 0.6] + [1.0] * 5 + [3.0, 9.0]
    expected = [0.0] * 8 + [1.0] * 7
    assert grouped(values, 3).tolist() == expected
    assert grouped(values, 1).tolist() == sorted(values)


def test_one_rich_customer_does_not_shine_through_the_mean():
    values = [*np.linspace(900, 1100, 19), 3_008_750.0]
    assert 1000 < grouped(values, 20)[-1] < 1600


def test_numbers_at_the_end_of_the_scale_overflow_nothing():
    values = np.array([-1e100] * 2 + [0.0] + [1e100] * 2)
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(grouped(values, 2)).all()


def test_of_fewer_values_than_that_nothing_is_kept():
    assert np.isnan(grouped([1.0, 2.0, np.nan], 3)).all()
    assert np.isnan(microaggregated_median(np.array([1.0, 2.0]), 3))
    assert microaggregated_median(np.array([1.0, 2.0, 40.0]), 1) == 2.0
