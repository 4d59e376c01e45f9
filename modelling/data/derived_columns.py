"""Columns that are computed from other rows, before the table is validated and split."""

import pandas as pd

from modelling.data.price_history import derive_price_history
from modelling.data.transaction_columns import derive_transaction_windows
from modelling.declaration import PriceHistory, TransactionWindows, UseCase


def derive_columns(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """``table`` with the columns that ``use_case.derived`` declares; the same table without it.

    Raises DataRefused where the columns that they are computed from can't be used.
    """
    match use_case.derived:
        case PriceHistory() as declared:
            return derive_price_history(table, declared)
        case TransactionWindows() as declared:
            return derive_transaction_windows(table, declared, use_case.classes[-1])
    return table
