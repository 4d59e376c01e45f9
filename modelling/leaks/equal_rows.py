"""Rows that stand on both sides of the split, so that a test only shows what was remembered."""

import numpy as np
import pandas as pd

from modelling.data.splitting import Parts
from modelling.declaration import UseCase

DIGITS = np.uint32(0xFFFFE000)  # of a float32, the bits that make about three digits
MIX = np.uint64(1_000_003)


def equal_rows(parts: Parts, use_case: UseCase) -> dict[str, int]:
    """How many validation and test rows equal a training row in all features and the target.

    Numbers are equal where their first three digits are: what was rounded, exported twice or
    slightly changed is still the same row.
    """
    keys = [_keys(part) for part in _hashed(parts, use_case)]
    return {
        name: int(np.isin(keys[number], keys[0]).sum())
        for number, name in enumerate(Parts._fields)
        if number
    }


def equal_by_chance(parts: Parts, use_case: UseCase) -> float:
    """The share of rows that would equal a training row if all columns were independent."""
    train = _hashed(parts, use_case)[0]
    chance = 1.0
    for column in train.T:
        shares = np.unique(column, return_counts=True)[1] / len(column)
        chance *= float((shares**2).sum())
    return min(chance * len(train), 1.0)


def _hashed(parts: Parts, use_case: UseCase) -> list[np.ndarray]:
    """Of each part one number per cell: (rows, columns)."""
    names = [*(column.name for column in use_case.features), use_case.target]
    rows = np.cumsum([len(part) for part in parts])[:-1]
    columns = [_cells(pd.concat([part[name] for part in parts])) for name in names]
    return np.split(np.column_stack(columns), rows)


def _cells(values: pd.Series) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(values.dtype):
        return pd.factorize(values)[0].astype(np.uint64)
    with np.errstate(over="ignore"):
        numbers = values.to_numpy(dtype=np.float32) + np.float32(0)
    bits = np.where(np.isnan(numbers), np.float32(np.nan), numbers).view(np.uint32)
    return ((bits + ~DIGITS // np.uint32(2)) & DIGITS).astype(np.uint64)


def _keys(cells: np.ndarray) -> np.ndarray:
    keys = np.zeros(len(cells), dtype=np.uint64)
    for column in cells.T:
        keys = keys * MIX ^ pd.util.hash_array(np.ascontiguousarray(column))
    return keys
