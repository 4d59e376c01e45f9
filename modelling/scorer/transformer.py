"""From raw rows to features, with NumPy and pandas only.

Training uses it, too: there is one implementation of preprocessing, for training and scoring.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .cells import Labels, different_cells
from .transforms import transformed_blocks

ROWS_PER_BATCH = 2_048  # intermediate float64 arrays then fit into the processor's cache


class Columns:
    """Arrays (n,) by column name, with the part of the interface of a data frame that scoring uses:
    looking up one cell in pandas takes longer than scoring a row."""

    def __init__(self, arrays: dict[str, np.ndarray], rows: int):
        self.arrays, self.rows = arrays, rows

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def __len__(self) -> int:
        return self.rows


class Transformer:
    """Fitted preprocessing as plain data: raw columns in, float32 features out.

    ``state`` is JSON-able and written by ``features.preprocessing``. In the arrays below, n is the
    number of rows, c that of numeric columns, f that of features.
    """

    def __init__(self, state: dict[str, Any]):
        self.state = state
        numeric = state["numeric"]
        self.feature_names: list[str] = state["feature_names"]
        self.numeric: list[str] = numeric["names"]
        self.ratios: list[tuple[int, int]] = numeric["ratios"]
        self.medians = np.array(numeric["medians"], dtype=np.float64)
        self.special_codes: list[tuple[int, list[float]]] = numeric["special_codes"]
        self.coded = np.array([position for position, _ in self.special_codes], dtype=np.intp)
        self.codes = _equally_long([codes for _, codes in self.special_codes])
        self.flagged = np.array(numeric["flagged"], dtype=np.intp)
        columns, self.offset, self.scale, self.lowest, self.highest = (
            np.concatenate([np.zeros(0), *(block[part] for block in numeric["blocks"])])
            for part in ("columns", "offset", "scale", "lowest", "highest")
        )
        self.columns = columns.astype(np.intp)
        self.blocks = list(transformed_blocks(numeric["blocks"]))
        self.categories: list[tuple[str, dict[str, int], int, int]] = [
            (
                category["name"],
                category["positions"],
                category["width"],
                category.get("other", -1),  # in older models unknown labels had no column
            )
            for category in state["categories"]
        ]

    def transform(self, frame: pd.DataFrame | Columns, out: np.ndarray | None = None) -> np.ndarray:
        """Raw rows to features.

        Parameters
        ----------
        frame : DataFrame or Columns
            Raw rows, which may be none. Numbers that are NaN or infinite are imputed with the
            medians of the training rows; missing labels are all zero, unknown labels count as rare
            ones.
        out : (n, f) float32, optional
            Where the features are written; None is a new array.

        Returns
        -------
        (n, f) float32
            Finite.

        Raises
        ------
        KeyError
            Where a column is missing.
        ValueError
            Where a cell of a number column is not a number.
        """
        if out is None:
            out = np.empty((len(frame), len(self.feature_names)), dtype=np.float32)
        last = 0
        for batch in self.batches(frame, 1):
            first, last = last, last + len(batch)
            out[first:last] = batch
        return out

    def batches(self, frame: pd.DataFrame | Columns, rows_per_tile: int) -> Iterator[np.ndarray]:
        """``transform`` in batches, of which the first may be empty; rows of zeros fill the last
        tile. Each is written over the one before: fresh memory costs more than the arithmetic."""
        rows = len(frame)
        numbers = [numbers_of(frame[name]) for name in self.numeric]
        labels = [
            (width, _label_columns(frame[name], positions, other))
            for name, positions, width, other in self.categories
        ]
        most = min(rows, ROWS_PER_BATCH)
        raw, scaled = np.empty((most, len(numbers))), np.empty((most, len(self.columns)))
        whole = np.empty((most + -most % rows_per_tile, len(self.feature_names)), dtype=np.float32)
        for first in range(0, max(rows, 1), ROWS_PER_BATCH):
            count = min(rows - first, ROWS_PER_BATCH)
            features = whole[: count + -count % rows_per_tile]
            batch = slice(first, first + count)
            for position, cells in enumerate(numbers):
                raw[:count, position] = cells[batch]
            with np.errstate(over="ignore"):  # overflows are clipped to the range of training
                last = self._numbers(raw[:count], features[:count], scaled[:count])
            features[:, last:] = 0.0
            features[count:] = 0.0
            for width, columns in labels:
                known = np.flatnonzero(columns[batch] >= 0)
                features[known, last + columns[batch][known]] = 1.0
                last += width
            yield features

    def _numbers(self, raw: np.ndarray, features: np.ndarray, scaled: np.ndarray) -> int:
        """Write the features of numbers into the first columns of ``features``, and say how many
        these are. ``scaled`` is memory for them as float64."""
        raw[~np.isfinite(raw)] = np.nan
        is_missing = np.isnan(raw[:, self.flagged])
        cells = raw[:, self.coded]
        is_code = np.zeros_like(cells, dtype=bool)
        for codes in self.codes.T:
            is_code |= cells == codes
        raw[:, self.coded] = np.where(is_code, np.nan, cells)
        values = with_ratios(raw, self.ratios)
        filled = np.where(np.isnan(values), self.medians, values)
        # Without a mode that needs no check, NumPy would write to fresh memory first.
        filled.take(self.columns, axis=1, out=scaled, mode="clip")
        for block in self.blocks:
            cells = scaled[:, block.features]
            scaled[:, block.features] = block.transform(cells, block.parameters)
        scaled -= self.offset
        scaled /= self.scale
        last = len(self.columns)
        np.maximum(scaled, self.lowest, out=scaled)  # three times as fast as clip
        features[:, :last] = np.minimum(scaled, self.highest, out=scaled)
        for flags in (is_missing, is_code):
            first, last = last, last + flags.shape[1]
            features[:, first:last] = flags
        return last


def _equally_long(lists: Sequence[Sequence[float]]) -> np.ndarray:
    """Lists as rows of one array; NaN, which equals nothing, fills the shorter ones."""
    array = np.full((len(lists), max(map(len, lists), default=0)), np.nan)
    for row, numbers in zip(array, lists, strict=True):
        row[: len(numbers)] = numbers
    return array


def with_ratios(values: np.ndarray, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Append the ratios of pairs of columns.

    Parameters
    ----------
    values : (n, c) float64
        NaN is missing.
    pairs : sequence of (int, int)
        Positions of numerator and denominator; may be empty.

    Returns
    -------
    (n, c + pairs) float64
        A ratio is NaN where one of its two columns is, or where the denominator is not above zero.
    """
    if not pairs:
        return values
    over, under = (values[:, list(side)] for side in zip(*pairs, strict=True))
    ratios = np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)
    return np.concatenate([values, ratios], axis=1)


def numbers_of(column: pd.Series | np.ndarray) -> np.ndarray:
    """Cells (n,) as float64, NaN where missing. Raises ValueError where one is not a number."""
    if isinstance(column, np.ndarray):  # already read by the contract
        return column
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError):  # pandas quotes the cell, which may be a customer's
        raise ValueError(f"column '{column.name}' must hold numbers only") from None


def _label_columns(
    labels: pd.Series | np.ndarray, positions: dict[str, int], other: int
) -> np.ndarray:
    """Which of a category's columns is 1, for each row (n,): one for each kept label. All others,
    rare or unknown, share the column ``other`` (-1: none), so that a model does not reveal its rare
    labels. -1 where the label is missing."""
    if not isinstance(labels, np.ndarray):  # not read by the contract
        codes, cells = different_cells(labels)
        known = Labels(positions)
        labels = np.array([*map(known.find, cells), None], dtype=object)[codes]
    found = [-1 if text is None else positions.get(text, other) for text in labels]
    return np.array(found, dtype=np.intp)
