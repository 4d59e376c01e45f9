"""Columns that are computed from other rows, before the table is validated and split."""

import pandas as pd

from modelling.data.price_history import derive_price_history
from modelling.data.transaction_columns import derive_transaction_windows
from modelling.declaration import PriceHistory, TransactionWindows, UseCase


def derive_columns(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """A typed table with the columns that ``use_case.derived`` declares.

    Parameters
    ----------
    table : DataFrame of n rows
        Keeps the rules of the derivation (``raw_columns`` and ``raw_rules``).
    use_case : UseCase
        Without ``derived``, the same table comes back.

    Returns
    -------
    DataFrame of at most n rows
        A price history loses the days without a full history or horizon.

    Raises
    ------
    DataRefused
        Where the table has a column of a derived name already, or no row is left.
    """
    match use_case.derived:
        case PriceHistory() as declared:
            return derive_price_history(table, declared)
        case TransactionWindows() as declared:
            return derive_transaction_windows(table, declared, use_case.classes[-1])
    return table
