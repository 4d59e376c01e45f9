"""``make bench``: compare our time windows of customers and terminals with pandas, on 1.75 million
transactions.

Both compute the same twelve columns from the same table, in its row order; pandas uses one core,
ours two. Ours runs twice before and twice after pandas, and the median counts, in case the machine
slows down. The benchmark fails where the columns differ.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.reporting import met_or_missed, open_console, write_results
from modelling.data.transaction_simulator import simulate_transactions
from modelling.data.transaction_windows import transaction_windows
from modelling.declaration import SimulatedTransactions

TARGET = 20
WINDOWS_DAYS, DELAY_DAYS = (1, 7, 30), 7
console = open_console(120)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.window_features", description=__doc__
    )
    parser.add_argument("--quick", action="store_true", help="few customers: does it run")
    customers = 200 if parser.parse_args().quick else SimulatedTransactions().customers
    transactions = simulate_transactions(SimulatedTransactions(customers=customers))
    with console.status("windows of customers and terminals: ours, pandas, ours"):
        before = [timed(our_windows, transactions)[1] for _ in range(2)]
        theirs, pandas_seconds = timed(pandas_windows, transactions)
        after = [timed(our_windows, transactions)[1] for _ in range(2)]
        align_ties(theirs, transactions)
    seconds = median(before + after)
    largest = largest_difference(our_windows(transactions), theirs)
    results = {
        "rows": len(transactions),
        "our_seconds": seconds,
        "pandas_seconds": pandas_seconds,
        "ratio": pandas_seconds / seconds,
        "largest_difference": largest,
    }
    show(results)
    if largest > 1e-6:
        raise SystemExit(f"the two routes differ by up to {largest:.3g}")
    write_results("window_features", results, console)


def timed(
    function: Callable[[pd.DataFrame], dict], transactions: pd.DataFrame
) -> tuple[dict, float]:
    start = time.perf_counter()
    columns = function(transactions)
    return columns, time.perf_counter() - start


def our_windows(transactions: pd.DataFrame) -> dict[str, np.ndarray]:
    return transaction_windows(
        transactions["transacted_at"].to_numpy(),
        transactions["customer_id"].to_numpy(),
        transactions["terminal_id"].to_numpy(),
        transactions["amount_usd"].to_numpy(),
        transactions["fraud"].to_numpy() == 1,
        WINDOWS_DAYS,
        DELAY_DAYS,
    )


def pandas_windows(transactions: pd.DataFrame) -> dict[str, pd.Series]:
    """The handbook's recipe with ``groupby().rolling()``: counts, means, and differences of sums.

    Expects rows in order of time.
    """
    by_time = transactions.set_index("transacted_at")
    groups = {key: by_time.groupby(key) for key in ("customer_id", "terminal_id")}
    rows = {key: np.argsort(transactions[key].to_numpy(), kind="stable") for key in groups}

    def rolled(key: str, value: str, days: int, how: str) -> pd.Series:
        result = getattr(groups[key][value].rolling(f"{days}D"), how)()
        return pd.Series(result.to_numpy(), index=rows[key]).sort_index()

    columns = {}
    for days in WINDOWS_DAYS:
        for name, how in (("transactions", "count"), ("mean_amount", "mean")):
            columns[f"customer_{name}_{days}d"] = rolled("customer_id", "amount_usd", days, how)
    both = ("count", "sum")
    unknown, unknown_frauds = (rolled("terminal_id", "fraud", DELAY_DAYS, how) for how in both)
    for days in WINDOWS_DAYS:
        number, frauds = (rolled("terminal_id", "fraud", DELAY_DAYS + days, how) for how in both)
        number, frauds = number - unknown, frauds - unknown_frauds
        columns[f"terminal_transactions_{days}d"] = number
        columns[f"terminal_fraud_share_{days}d"] = (frauds / number).fillna(0)
    return columns


def align_ties(columns: dict[str, pd.Series], transactions: pd.DataFrame) -> None:
    """Let rows of a customer with the same time all count each other, as ours do: each gets the
    value of the last one. In pandas such a row counts only those before it in the table."""
    instants = transactions.groupby(["customer_id", "transacted_at"]).ngroup()
    tied = instants.duplicated(keep=False)
    for name, column in columns.items():
        if name.startswith("customer"):
            column[tied] = column[tied].groupby(instants[tied]).transform("last")


def largest_difference(ours: dict[str, np.ndarray], theirs: dict[str, pd.Series]) -> float:
    return max(float(np.abs(ours[name] - cells.to_numpy()).max()) for name, cells in theirs.items())


def show(results: dict[str, float]) -> None:
    title = f"Windows of customers and terminals, {results['rows']:,} transactions"
    table = Table("", title=title, title_justify="left")
    for name in ("seconds", "ours is", "target"):
        table.add_column(name, justify="right")
    ratio = results["ratio"]
    verdict = f"{TARGET}x {met_or_missed(ratio >= TARGET)}"
    table.add_row("pandas groupby().rolling()", f"{results['pandas_seconds']:.1f}",
                  f"{ratio:.1f}x", verdict)  # fmt: skip
    table.add_row("ours", f"{results['our_seconds']:.2f}", "", "")
    console.print(table)
    console.print(f"largest difference in a cell: {results['largest_difference']:.1g}\n")


if __name__ == "__main__":
    main()
