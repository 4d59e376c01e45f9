"""What a customer did and what befell a terminal before each transaction.

The features of chapter 3 of the Fraud Detection Handbook (Le Borgne, Siblini, Lebichot and
Bontempi, 2022). Rows are sorted once by key and time, so that the past of a key up to any age is
one position in that order, and what happened in a window is the difference of two running totals.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd

NIGHT_ENDS_AFTER_HOUR, SATURDAY = 6, 5
BLOCK_ROWS = 2**17  # so that what is at work stays in a core's cache


def transaction_windows(
    times: np.ndarray,
    customers: np.ndarray,
    terminals: np.ndarray,
    amounts: np.ndarray,
    frauds: np.ndarray,
    windows_days: tuple[int, ...] = (1, 7, 30),
    delay_days: int = 7,
) -> dict[str, np.ndarray]:
    """What a customer did and what happened at a terminal before each transaction.

    For a row at time t and a window of d days:

    - ``customer_transactions_{d}d`` and ``customer_mean_amount_{d}d`` are over the customer's rows
      in (t - d, t], so the row itself counts. Rows of the same instant see each other, in whichever
      order they stand in the table.
    - ``terminal_transactions_{d}d`` and ``terminal_fraud_share_{d}d`` are over the terminal's rows
      in (t - delay - d, t - delay]: whether a younger row is a fraud is not yet known at t. Without
      such rows the share is 0.
    - ``is_weekend`` is 1 on Saturdays and Sundays, ``is_night`` until 06:59.

    No row sees a later one.

    Parameters
    ----------
    times : datetime64 array (n,)
        In any order.
    customers, terminals : array (n,)
        Identifiers.
    amounts : float array (n,)
        Finite, in one currency.
    frauds : bool array (n,)
    windows_days : tuple of int
    delay_days : int
        Days until a fraud is known.

    Nothing may be missing in the arrays; n may be 0.

    Returns
    -------
    dict of float64 arrays (n,)
        By name, in the order of the rows given; means in the unit of ``amounts``.

    References
    ----------
    Le Borgne, Siblini, Lebichot and Bontempi (2022), "Reproducible machine learning for credit card
    fraud detection", chapter 3.
    """
    with ThreadPoolExecutor(2) as pool:  # numpy lets go of the interpreter while it computes
        customer = pool.submit(_of_customers, customers, times, amounts, windows_days)
        terminal = pool.submit(_of_terminals, terminals, times, frauds, windows_days, delay_days)
        return _calendar(times) | customer.result() | terminal.result()


def _of_customers(
    customers: np.ndarray, times: np.ndarray, amounts: np.ndarray, windows_days: tuple[int, ...]
) -> dict[str, np.ndarray]:
    numbers, means = ([np.empty(len(times)) for _ in windows_days] for _ in range(2))
    spent, unit = _fixed_point(amounts)
    for block in _blocks(customers, times):
        until_now, total = block.up_to(0), block.running_total(spent)
        for days, number, mean in zip(windows_days, numbers, means, strict=True):
            before = block.up_to(days)
            rows = until_now - before
            number[block.rows] = rows
            mean[block.rows] = (total[until_now] - total[before]) / (rows * unit)
    return _named("customer_transactions", windows_days, numbers) | _named(
        "customer_mean_amount", windows_days, means
    )


def _of_terminals(
    terminals: np.ndarray,
    times: np.ndarray,
    frauds: np.ndarray,
    windows_days: tuple[int, ...],
    delay_days: int,
) -> dict[str, np.ndarray]:
    numbers, shares = ([np.empty(len(times)) for _ in windows_days] for _ in range(2))
    for block in _blocks(terminals, times):
        until_known, total = block.up_to(delay_days), block.running_total(frauds)
        for days, number, share in zip(windows_days, numbers, shares, strict=True):
            before = block.up_to(delay_days + days)
            rows = until_known - before
            number[block.rows] = rows
            share[block.rows] = (total[until_known] - total[before]) / np.maximum(rows, 1)
    return _named("terminal_transactions", windows_days, numbers) | _named(
        "terminal_fraud_share", windows_days, shares
    )


def _named(
    name: str, windows_days: tuple[int, ...], columns: list[np.ndarray]
) -> dict[str, np.ndarray]:
    return {f"{name}_{days}d": one for days, one in zip(windows_days, columns, strict=True)}


class _Block(NamedTuple):
    """All rows of some keys, sorted by key and time.

    ``place`` is both as one integer: a key's times, counted in ticks, begin so far above those of
    the key before that going back by any age does not reach them.
    """

    rows: np.ndarray
    place: np.ndarray
    ticks_a_day: int
    ticks_at_most: int

    def up_to(self, days: int) -> np.ndarray:
        """How many sorted rows come before, or belong to, the key's past up to t - ``days``."""
        age = min(days * self.ticks_a_day, self.ticks_at_most)
        return np.searchsorted(self.place, self.place - age, "right")

    def running_total(self, values: np.ndarray) -> np.ndarray:
        """(rows + 1,) totals of the first 0, 1, ... sorted rows, in whole numbers."""
        return np.concatenate(([0], np.cumsum(values[self.rows], dtype=np.int64)))


def _blocks(keys: np.ndarray, times: np.ndarray) -> Iterator[_Block]:
    """Every row once, a few keys at a time: small enough for the cache and for 64-bit places."""
    elapsed = times - times.min()
    ticks_a_day = int(np.timedelta64(1, "D").astype(elapsed.dtype).astype(np.int64))
    ticks = elapsed.astype(np.int64)
    longest = int(ticks.max()) + 1
    codes, known = pd.factorize(keys)
    by_time = np.argsort(ticks, kind="stable")
    small = codes.astype(np.min_scalar_type(len(known)))  # numpy sorts 16 bits ten times faster
    order = by_time[np.argsort(small[by_time], kind="stable")]
    keys_a_block = max(1, min(len(known) * BLOCK_ROWS // len(keys), 2**61 // longest))
    cuts = np.searchsorted(small[order], np.arange(keys_a_block, len(known), keys_a_block))
    for rows in np.split(order, cuts):
        place = (codes[rows] - codes[rows[0]]) * (2 * longest) + ticks[rows]
        yield _Block(rows, place, ticks_a_day, longest)


def _fixed_point(amounts: np.ndarray) -> tuple[np.ndarray, float]:
    """Amounts as whole multiples of 1 / ``unit``, so fine that the sum of all just fits 62 bits.

    A running total of floats forgets the cents behind billions, and one customer's means would
    depend on what the others spent; of whole numbers it is exact.
    """
    total = max(float(np.abs(amounts).sum()), 1.0)
    unit = 2.0 ** (61 - np.ceil(np.log2(total)))
    return np.rint(amounts * unit).astype(np.int64), unit


def _calendar(times: np.ndarray) -> dict[str, np.ndarray]:
    days = times.astype("datetime64[D]")
    weekday = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    hour = (times - days) // np.timedelta64(1, "h")
    return {
        "is_weekend": (weekday >= SATURDAY).astype(np.float64),
        "is_night": (hour <= NIGHT_ENDS_AFTER_HOUR).astype(np.float64),
    }
