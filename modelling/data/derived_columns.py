"""Columns that are computed from other rows, before the table is validated and split."""

import pandas as pd

from modelling.data.price_history import derive_price_history
from modelling.data.transaction_columns import derive_transaction_windows
from modelling.declaration import PriceHistory, TransactionWindows, UseCase


def derive_columns(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """A typed ``table`` with the columns that ``use_case.derived`` declares; the same table without
    it. Expects that the rules of the derivation are kept; raises DataRefused where a derived name
    is taken, or no row is left."""
    match use_case.derived:
        case PriceHistory() as declared:
            return derive_price_history(table, declared)
        case TransactionWindows() as declared:
            return derive_transaction_windows(table, declared, use_case.classes[-1])
    return table
