"""Card transactions with known frauds, simulated as the field's open standard does it.

The process is that of chapter 3 of the Fraud Detection Handbook (Le Borgne, Siblini, Lebichot and
Bontempi, 2022). The draws are our own: same distributions, other numbers than the book's.
"""

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from modelling.declaration import SimulatedTransactions
from modelling.refusals import UsageError

GRID, RADIUS = 100.0, 5.0
SECONDS_A_DAY, NOON, SPREAD_SECONDS = 86_400, 43_200, 20_000
CERTAIN_FRAUD_ABOVE_USD = 220
TERMINALS_A_DAY, TERMINAL_DAYS = 2, 28
CUSTOMERS_A_DAY, CUSTOMER_DAYS = 3, 14
CUSTOMERS_AT_ONCE = 1000  # of whom the terminals nearby are listed: not customers x terminals


def simulate_transactions(declared: SimulatedTransactions) -> pd.DataFrame:
    """One row per transaction, in order of time, with known frauds.

    Parameters
    ----------
    declared : SimulatedTransactions
        How many customers, terminals and days; the seed decides every number.

    Returns
    -------
    DataFrame of n rows
        ``transaction_id`` (0 to n - 1), ``transacted_at`` (whole seconds), ``customer_id``,
        ``terminal_id``, ``amount_usd`` (whole cents), ``fraud`` (0 or 1); nothing is missing.

    Raises
    ------
    UsageError
        Where so few customers and terminals make no transaction at all.
    """
    rng = np.random.default_rng(declared.seed)
    customer, day, second, amount, terminal = _genuine(declared, rng)
    if not len(customer):
        raise UsageError("no transaction was simulated: set source.terminals or source.days higher")
    order = np.argsort(day * SECONDS_A_DAY + second, kind="stable")
    customer, day, second = customer[order], day[order], second[order]
    amount, terminal = amount[order], terminal[order]
    amount, fraud = _commit_frauds(customer, terminal, day, amount, declared, rng)
    moment = (day * SECONDS_A_DAY + second).astype("timedelta64[s]")
    return pd.DataFrame(
        {
            "transaction_id": np.arange(len(order)),
            "transacted_at": np.datetime64(declared.start, "s") + moment,
            "customer_id": customer,
            "terminal_id": terminal,
            "amount_usd": amount,
            "fraud": fraud.astype(np.int64),
        }
    )


def _genuine(declared: SimulatedTransactions, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Customer, day, second of the day, amount and terminal of each transaction, unordered."""
    mean_amount = rng.uniform(5, 100, declared.customers)
    a_day = rng.uniform(0, 4, declared.customers)
    homes = rng.uniform(0, GRID, (declared.customers, 2))
    places = KDTree(rng.uniform(0, GRID, (declared.terminals, 2)))
    reachable = places.query_ball_point(homes, RADIUS, return_length=True)
    a_day[reachable == 0] = 0
    counts = rng.poisson(a_day[:, None], (declared.customers, declared.days))
    customer, day = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    second = rng.normal(NOON, SPREAD_SECONDS, len(customer)).astype(np.int64)
    in_the_day = (second > 0) & (second < SECONDS_A_DAY)
    customer, day, second = customer[in_the_day], day[in_the_day], second[in_the_day]
    mean = mean_amount[customer]
    amount = rng.normal(mean, mean / 2)
    amount = np.where(amount < 0, rng.uniform(0, 2 * mean), amount).round(2)
    chosen = (rng.random(len(customer)) * reachable[customer]).astype(np.int64)
    return customer, day, second, amount, _terminals(places, homes, customer, chosen)


def _terminals(
    places: KDTree, homes: np.ndarray, customer: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """The terminal of each transaction, (n,): number ``chosen`` (n,) of those near the home of its
    ``customer`` (n,), which ascends."""
    terminal = np.empty(len(customer), dtype=np.int64)
    for first in range(0, len(homes), CUSTOMERS_AT_ONCE):
        last = first + CUSTOMERS_AT_ONCE
        within = places.query_ball_point(homes[first:last], RADIUS, return_sorted=True)
        near = np.concatenate([np.asarray(those, dtype=np.int64) for those in within])
        begin = np.cumsum([0, *map(len, within)])
        rows = slice(*np.searchsorted(customer, (first, last)))
        terminal[rows] = near[begin[customer[rows] - first] + chosen[rows]]
    return terminal


def _commit_frauds(
    customer: np.ndarray,
    terminal: np.ndarray,
    day: np.ndarray,
    amount: np.ndarray,
    declared: SimulatedTransactions,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Amounts and frauds after the three scenarios, in the handbook's order.

    On every day but the last, new terminals and customers are struck. A transaction that two leaks
    of the same customer pick has its amount multiplied twice.
    """
    amount, fraud = amount.copy(), amount > CERTAIN_FRAUD_ABOVE_USD
    rows_of_terminal = _rows_by_key(terminal, declared.terminals)
    for today in range(declared.days - 1):
        for struck in _some(rng, declared.terminals, TERMINALS_A_DAY):
            rows = rows_of_terminal[struck]
            fraud[_within(rows, day, today, TERMINAL_DAYS)] = True
    rows_of_customer = _rows_by_key(customer, declared.customers)
    for today in range(declared.days - 1):
        struck = _some(rng, declared.customers, CUSTOMERS_A_DAY)
        rows = np.concatenate([rows_of_customer[customer] for customer in struck])
        leaked = _within(rows, day, today, CUSTOMER_DAYS)
        stolen = rng.choice(leaked, len(leaked) // 3, replace=False)
        amount[stolen] = (5 * amount[stolen]).round(2)
        fraud[stolen] = True
    return amount, fraud


def _some(rng: np.random.Generator, of: int, at_most: int) -> np.ndarray:
    return rng.choice(of, min(at_most, of), replace=False)


def _rows_by_key(keys: np.ndarray, number: int) -> list[np.ndarray]:
    order = np.argsort(keys, kind="stable")
    return np.split(order, np.searchsorted(keys[order], np.arange(1, number)))


def _within(rows: np.ndarray, day: np.ndarray, first: int, days: int) -> np.ndarray:
    return rows[(day[rows] >= first) & (day[rows] < first + days)]
