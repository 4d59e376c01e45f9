"""Numbers that mean something else than their size ("-9: no such record") are no values."""

from collections.abc import Iterable

import pandas as pd

from modelling.declaration import Column


def without_special_codes(table: pd.DataFrame, columns: Iterable[Column]) -> pd.DataFrame:
    """A table in which special codes are missing, for whatever asks how large a number is.

    Parameters
    ----------
    table : DataFrame of n rows
        Holds ``columns``.
    columns : iterable of Column
        Those with ``special_codes`` are changed; the others are not copied.

    Returns
    -------
    DataFrame of n rows
        NaN in place of each special code.
    """
    coded = {column.name: column.special_codes for column in columns if column.special_codes}
    values = {name: table[name].mask(table[name].isin(codes)) for name, codes in coded.items()}
    return table.assign(**values) if values else table
