"""The windows equal their plain definition, row by row, with ties, gaps and rows in any order."""

import numpy as np
import pytest

from modelling.data.transaction_windows import transaction_windows

DAY = np.timedelta64(1, "D")


def literal(times, customers, terminals, amounts, frauds, windows_days, delay_days):
    """The definition of the docstring, one row and one window at a time."""
    names = ("customer_transactions", "customer_mean_amount")
    names += ("terminal_transactions", "terminal_fraud_share")
    columns = {f"{name}_{days}d": [] for days in windows_days for name in names}
    for t, customer, terminal in zip(times, customers, terminals, strict=True):
        for days in windows_days:
            mine = (customers == customer) & (times > t - days * DAY) & (times <= t)
            columns[f"customer_transactions_{days}d"].append(mine.sum())
            columns[f"customer_mean_amount_{days}d"].append(amounts[mine].mean())
            known_until = t - delay_days * DAY
            here = (terminals == terminal) & (times <= known_until)
            here &= times > known_until - days * DAY
            columns[f"terminal_transactions_{days}d"].append(here.sum())
            share = frauds[here].mean() if here.any() else 0.0
            columns[f"terminal_fraud_share_{days}d"].append(share)
    return columns


def draw(seed, rows=400, every_seconds=3600, days=70, unit="s"):
    """A few customers and terminals on a coarse clock (many ties), silent for three weeks."""
    rng = np.random.default_rng(seed)
    seconds = rng.integers(0, days * 86_400, rows) // every_seconds * every_seconds
    seconds[seconds > 35 * 86_400] += 21 * 86_400
    times = np.datetime64("2024-02-01", "s") + seconds.astype("timedelta64[s]")
    return (
        times.astype(f"datetime64[{unit}]"),
        rng.choice(["ann", "bob", "cyd", "dan"], rows).astype(object),
        rng.integers(100, 106, rows),
        rng.lognormal(3, 1, rows).round(2),
        rng.random(rows) < 0.2,
    )


@pytest.mark.parametrize(
    ("seed", "every_seconds", "unit", "delay_days"),
    [(0, 3600, "s", 7), (1, 86_400, "ns", 7), (2, 7, "us", 0), (3, 43_200, "ms", 1)],
)
def test_windows_equal_the_literal_definition(seed, every_seconds, unit, delay_days):
    rows = draw(seed, every_seconds=every_seconds, unit=unit)
    ours = transaction_windows(*rows, (1, 7, 30), delay_days)
    for name, expected in literal(*rows, (1, 7, 30), delay_days).items():
        np.testing.assert_allclose(ours[name], expected, rtol=1e-12, atol=1e-12, err_msg=name)


def test_a_window_is_open_at_its_beginning_and_closed_at_the_row():
    """Exactly one day ago is outside, the row itself and its twin are inside."""
    times = np.array(["2024-03-01T10", "2024-03-02T10", "2024-03-02T10"], dtype="datetime64[s]")
    amounts = np.array([100.0, 10.0, 20.0])
    same = np.array(["x"] * 3)
    windows = transaction_windows(times, same, same, amounts, np.ones(3, bool), (1,), 1)
    assert windows["customer_transactions_1d"].tolist() == [1, 2, 2]
    assert windows["customer_mean_amount_1d"].tolist() == [100, 15, 15]
    # The terminal's first row is exactly one day old, so it is known; the twins are not.
    assert windows["terminal_transactions_1d"].tolist() == [0, 1, 1]
    assert windows["terminal_fraud_share_1d"].tolist() == [0, 1, 1]


def test_no_row_sees_a_later_one_or_a_fraud_younger_than_the_delay():
    times, customers, terminals, amounts, frauds = draw(4)
    before = transaction_windows(times, customers, terminals, amounts, frauds)
    now = np.sort(times)[250]
    later = times > now
    changed = transaction_windows(
        times, customers, terminals, amounts * np.where(later, 1000, 1), frauds ^ later
    )
    not_known = times > now - 7 * DAY
    other_labels = transaction_windows(times, customers, terminals, amounts, frauds ^ not_known)
    for name, column in before.items():
        np.testing.assert_allclose(changed[name][~later], column[~later], rtol=1e-12)
        np.testing.assert_array_equal(other_labels[name][~later], column[~later])


def test_the_order_of_the_rows_does_not_matter():
    rows = draw(5)
    shuffled = np.random.default_rng(0).permutation(len(rows[0]))
    straight = transaction_windows(*rows)
    mixed = transaction_windows(*(column[shuffled] for column in rows))
    for name, column in straight.items():
        np.testing.assert_array_equal(mixed[name], column[shuffled])


def test_billions_of_one_customer_leave_the_cents_of_another_alone():
    times = np.datetime64("2024-01-01", "s") + np.arange(6) * np.timedelta64(3600, "s")
    customers = np.array([1, 1, 1, 2, 2, 2])
    amounts = np.array([9e9, 9e9, 9e9, 0.01, 0.02, 0.03])
    windows = transaction_windows(times, customers, customers, amounts, np.zeros(6, bool))
    np.testing.assert_allclose(windows["customer_mean_amount_1d"][3:], [0.01, 0.015, 0.02], 1e-6)


def test_many_keys_on_a_fine_clock_are_more_than_64_bits_hold_at_once():
    rng = np.random.default_rng(0)
    times = np.datetime64("2015-01-01", "ns") + rng.integers(0, 3 * 10**17, 3000).astype("m8[ns]")
    customers = rng.integers(0, 500, 3000)
    amounts, frauds = rng.random(3000), rng.random(3000) < 0.1
    fine = transaction_windows(times, customers, customers, amounts, frauds)
    expected = literal(times, customers, customers, amounts, frauds, (1, 7, 30), 7)
    for name, column in expected.items():
        np.testing.assert_allclose(fine[name], column, rtol=1e-9, atol=1e-12)


def test_the_calendar_knows_weekends_and_nights():
    """2018-04-01 was a Sunday; the night lasts until 06:59."""
    stamps = ["2018-04-01T12:00", "2018-04-02T06:59", "2018-04-02T07:00", "2018-04-07T00:00"]
    times = np.array([*stamps, "1969-12-27T23:00"], dtype="datetime64[s]")
    ones = np.ones(5)
    windows = transaction_windows(times, ones, ones, ones, ones > 0)
    assert windows["is_weekend"].tolist() == [1, 0, 0, 1, 1]
    assert windows["is_night"].tolist() == [0, 1, 0, 1, 0]
