"""Numbers that mean something else than their size ("-9: no such record") are no values."""

from collections.abc import Iterable

import pandas as pd

from modelling.declaration import Column


def without_special_codes(table: pd.DataFrame, columns: Iterable[Column]) -> pd.DataFrame:
    """``table`` with special codes missing, for whatever asks how large a number is; what is as it
    was is not copied."""
    coded = {column.name: column.special_codes for column in columns if column.special_codes}
    values = {name: table[name].mask(table[name].isin(codes)) for name, codes in coded.items()}
    return table.assign(**values) if values else table
