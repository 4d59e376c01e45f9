"""The content of a table, known by a hash."""

import hashlib

import pandas as pd

from modelling.data.reading.cells import texts_of
from modelling.scorer.cells import label_text


def fingerprint(table: pd.DataFrame) -> str:
    """SHA-256 (first 32 hex digits) of the table's column names, cells and row order.

    Numbers count by their value and times by their instant, whatever type they are kept in, so that
    the same content has one fingerprint, whether it was read from CSV, Parquet or a database.

    Parameters
    ----------
    table : DataFrame of n rows
        Row labels do not count. Missing cells are equal to each other.
    """
    digest = hashlib.sha256(repr([str(name) for name in table]).encode())
    for _, column in table.items():
        hashes = pd.util.hash_pandas_object(_content(column), index=False)
        digest.update(hashes.to_numpy().tobytes())
    return digest.hexdigest()[:32]


def _content(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.astype("float64") + 0.0  # no zero is negative
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.dt.as_unit("us").astype("int64")
    return texts_of(column, label_text).astype(object)
