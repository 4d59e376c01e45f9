"""Columns that are computed from other rows, before the table is validated and split."""

import pandas as pd

from modelling.declaration import PriceHistory, TransactionWindows, UseCase
from modelling.named_columns import named_columns
from modelling.price_history import derive_price_history
from modelling.refusals import BrokenRule, refuse_broken
from modelling.transaction_columns import derive_transaction_windows


def derive_columns(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """``table`` with the columns that ``use_case.derived`` declares; the same table without it.

    Raises DataRefused where the columns that they are computed from can't be used, and where one of
    those that the use case names is there twice: which of them is meant is nobody's to guess.
    """
    _refuse_doubled(table, use_case)
    match use_case.derived:
        case PriceHistory() as declared:
            return derive_price_history(table, declared)
        case TransactionWindows() as declared:
            return derive_transaction_windows(table, declared, use_case.classes[-1])
    return table


def _refuse_doubled(table: pd.DataFrame, use_case: UseCase) -> None:
    derived_from = named_columns({"derived": use_case.derived})
    read = {use_case.target, *(column.name for column in use_case.columns)}
    read |= {named.column for named in derived_from}
    doubled = table.columns[table.columns.duplicated()].unique()
    refuse_broken([BrokenRule(name, "is there once", None) for name in doubled if name in read])
