"""What the windows over a table of card transactions tell, as columns of it."""

import numpy as np
import pandas as pd

from modelling.data.absurd_values import plausible_limit
from modelling.data.transaction_windows import transaction_windows
from modelling.data.typed_columns import as_kinds
from modelling.declaration import TransactionWindows
from modelling.refusals import DataRefused, refuse_taken_names
from modelling.scorer.cells import label_text


def derive_transaction_windows(
    table: pd.DataFrame, derived: TransactionWindows, fraud_label: int | str
) -> pd.DataFrame:
    """A typed table with the columns of ``transaction_windows``, under their names.

    Parameters
    ----------
    table : DataFrame of n rows
        Keeps ``derived.raw_columns`` and ``derived.raw_rules``: nothing missing, amounts finite.
    derived : TransactionWindows
        Names the columns, the windows and the delay.
    fraud_label : int or str
        What the fraud column holds for a fraud, however it is written (1, 1.0, "1").

    Returns
    -------
    DataFrame of n rows
        In the order of ``table``, row labels kept.

    Raises
    ------
    DataRefused
        Where the table has a column of a derived name already.
    """
    raw = as_kinds(table, derived.raw_kinds)
    amounts = raw[derived.amount].to_numpy(dtype=np.float64)
    limit = plausible_limit(amounts)  # beside 1e20, everybody else's amounts add up to nothing
    columns = transaction_windows(
        raw[derived.time].to_numpy(),
        raw[derived.customer].to_numpy(),
        raw[derived.terminal].to_numpy(),
        amounts.clip(-limit, limit),
        (raw[derived.fraud] == label_text(fraud_label)).to_numpy(),
        derived.windows_days,
        derived.delay_days,
    )
    refuse_taken_names(columns, table)
    return table.assign(**columns)


def rows_with_history(table: pd.DataFrame, derived: TransactionWindows) -> pd.DataFrame:
    """The rows of a typed ``table`` whose windows lie within it: those of its first
    ``history_days`` count too few transactions, and look as if customers had changed.

    Raises DataRefused where no row is left.
    """
    times = as_kinds(table, {derived.time: "time"})[derived.time]
    kept = table[times >= times.min() + pd.Timedelta(days=derived.history_days)]
    if kept.empty:
        raise DataRefused(
            f"{derived.time}: all transactions are within {derived.history_days} days, over which "
            "their columns look back: give that many days before those that are to be watched, too"
        )
    return kept
