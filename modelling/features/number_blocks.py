"""Blocks of features: some columns of numbers, one transformation and the scale of each.

Fitted by scikit-learn; a block is plain data for the scorer's transformer.
"""

from typing import Any

import numpy as np

from modelling.declaration import Column, PriceHistory, UseCase
from modelling.declaration.declared_derivations import columns_of
from modelling.scorer.transforms import TRANSFORMS

LARGEST_UNBENT = 0.1
LOW_QUANTILE = 0.01
LARGEST = float(np.finfo(np.float32).max)  # no bound, in JSON, which has no infinity


def fit_blocks(
    filled: np.ndarray, grouped: np.ndarray, columns: list[Column], use_case: UseCase
) -> tuple[list[dict[str, Any]], list[str]]:
    """A block for each transformation that ``columns`` have, and the names of their features.

    ``filled`` (n, c) are the numbers without NaN, ``grouped`` (n, c) the same microaggregated.
    """
    blocks, features = [], []
    for transform, positions in _columns_by_transform(columns, use_case):
        past = np.array([is_past_of_target(columns[p], use_case) for p in positions])
        block = _fit_block(filled[:, positions], grouped[:, positions], past, transform, use_case)
        blocks.append({**block, "columns": positions})
        suffix = "" if transform == "none" else f" ({transform})"
        features += [columns[position].name + suffix for position in positions]
    return blocks, features


def fit_piecewise(
    grouped: np.ndarray, columns: list[Column], bins: int, rows_per_bin: int
) -> tuple[dict[str, Any], list[str]]:
    """Piecewise-linear encoding: for each bin, the share of it that lies below the number.

    Gorishniy, Rubachev and Babenko (2022), "On Embeddings for Numerical Features in Tabular Deep
    Learning", equation 1, with edges at quantiles of ``grouped`` (n, c): (x - left) / width, 0
    before the bin and 1 after it. Beyond the outermost edges it stays at 0 or 1, where the paper
    extrapolates linearly. The block repeats each column once per bin, with the bin's offset and
    scale. Equal quantiles are merged; a column with one value has no bin. Small tables have fewer
    bins, so that each has ``rows_per_bin`` training rows or more.
    """
    shares = np.linspace(0, 1, min(bins, max(len(grouped) // rows_per_bin, 1)) + 1)
    edges = [np.unique(np.quantile(values, shares)) for values in grouped.T]
    positions = [p for p, column_edges in enumerate(edges) for _ in column_edges[1:]]
    block = {
        "transform": "none",
        "columns": positions,
        "parameters": [],
        "offset": [left for column_edges in edges for left in column_edges[:-1].tolist()],
        "scale": [width for column_edges in edges for width in np.diff(column_edges).tolist()],
        "lowest": [0.0] * len(positions),
        "highest": [1.0] * len(positions),
    }
    return block, [
        f"{column.name} (bin {number})"
        for column, column_edges in zip(columns, edges, strict=True)
        for number in range(1, len(column_edges))
    ]


def _columns_by_transform(columns: list[Column], use_case: UseCase) -> list[tuple[str, list[int]]]:
    """Each transformation with the positions of its columns; untransformed columns come first."""
    chosen = [_transform_of(column, use_case) for column in columns]
    groups = {
        transform: [p for p, of_column in enumerate(chosen) if of_column == transform]
        for transform in TRANSFORMS
    }
    if use_case.preprocessing.keep_plain:
        groups["none"] = [*range(len(columns))]
    return [(transform, positions) for transform, positions in groups.items() if positions]


def _transform_of(column: Column, use_case: UseCase) -> str:
    """Its own, or that of all columns; but beside the log of a variance a number that may be below
    zero is a log, too, and there is no log of logs."""
    transform = column.transform or use_case.preprocessing.transform
    is_size = column.minimum is not None and column.minimum >= 0
    if use_case.target_kind == "log_variance" and transform == "log" and not is_size:
        return column.transform or "none"
    return transform


def is_past_of_target(column: Column, use_case: UseCase) -> bool:
    """Whether the target depends on the column as on its own past, nearly linearly and beyond the
    values of training, too: its lags, and where it is a log variance all logs."""
    derived, lags = use_case.derived, use_case.lags
    if isinstance(derived, PriceHistory):
        lags = columns_of("log_variances", derived)
    is_log = (column.transform or use_case.preprocessing.transform) == "log"
    return column.name in lags or (is_log and use_case.target_kind == "log_variance")


def _fit_block(
    filled: np.ndarray, grouped: np.ndarray, past: np.ndarray, transform: str, use_case: UseCase
) -> dict[str, Any]:
    """One transformation of some columns: ``filled`` (n, c) without NaN, ``grouped`` (n, c) the
    same microaggregated. What uses all rows is fitted on the first; quantiles and extremes on the
    second. ``past`` (c,) says which columns are the target's own past."""
    declared = use_case.preprocessing
    parameters = _fit_parameters(filled, grouped, transform, use_case.minimum_rows_per_value)
    transformed = TRANSFORMS[transform](filled, np.array(parameters))
    ends = np.stack([grouped.min(axis=0), grouped.max(axis=0)])
    ends = TRANSFORMS[transform](ends, np.array(parameters))
    offset, scale = _fit_scale(transformed, ends, declared.scaling)
    clip = declared.clip if declared.scaling == "standard" else None
    lowest, highest = _bounds((ends - offset) / scale, past, clip)
    return {
        "transform": transform,
        "parameters": parameters,
        "offset": offset.tolist(),
        "scale": scale.tolist(),
        "lowest": lowest.tolist(),
        "highest": highest.tolist(),
    }


def _fit_parameters(
    filled: np.ndarray, grouped: np.ndarray, transform: str, minimum_rows: int
) -> list[Any]:
    """What the transformation needs to know of each column; empty where that is nothing."""
    from sklearn.preprocessing import PowerTransformer, QuantileTransformer

    if transform == "quantile":
        levels = max(min(1000, len(grouped) // minimum_rows), 2)  # each a group of rows of its own
        fitted = QuantileTransformer(n_quantiles=levels, subsample=200_000, random_state=0)
        return list(fitted.fit(grouped).quantiles_.T.tolist())
    if transform == "yeo_johnson":
        return list(PowerTransformer(standardize=False).fit(filled).lambdas_.tolist())
    if transform == "log" and ((units := _units_of_logs(grouped)) != 1).any():
        return units.tolist()
    return []


def _bounds(
    ends: np.ndarray, past: np.ndarray, clip: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Between which scaled values (c,) the network sees a column.

    A network extrapolates badly: values are clipped to the range of the training rows, ``ends``
    (2, c), but for those of the target's ``past``; and to ``clip`` scaled units, since otherwise
    one outlier would dominate all other rows.
    """
    lowest, highest = ends
    lowest, highest = np.where(past, -LARGEST, lowest), np.where(past, LARGEST, highest)
    if clip is not None:
        lowest, highest = np.maximum(lowest, -clip), np.minimum(highest, clip)
    return lowest, highest


def _units_of_logs(grouped: np.ndarray) -> np.ndarray:
    """What counts as 1 in the log1p of each column of ``grouped`` (n, c): usually 1.

    The log1p of numbers below a tenth, such as the variances of a day, is hardly bent: it would say
    nothing that the plain number does not. There it is a tenth of a low quantile of those above
    zero. Of numbers of both signs, such as returns, so small a unit would leave the signs alone.
    """
    return np.array([_unit_of_log(column) for column in grouped.T])


def _unit_of_log(column: np.ndarray) -> float:
    above_zero = column[column > 0]
    if column.min() < 0 or column.max() >= LARGEST_UNBENT or not len(above_zero):
        return 1.0
    return float(np.quantile(above_zero, LOW_QUANTILE)) / 10


def _fit_scale(values: np.ndarray, ends: np.ndarray, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """Offset and scale (c,) of ``values`` (n, c) with the microaggregated extremes ``ends`` (2, c);
    a constant column has scale 1, as in scikit-learn.

    Min-max scaling maps the ends to 0 and 1. They are not those of the smallest and the largest
    customer: the few values beyond are clipped to 0 and 1. Nor are they a declared ``minimum`` and
    ``maximum``, which may be far from the data and would leave all rows almost equal.
    """
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    if scaling == "standard":
        fitted = StandardScaler().fit(values)
        return fitted.mean_, fitted.scale_
    if scaling == "min_max":
        fitted = MinMaxScaler().fit(ends)
        return fitted.data_min_, 1 / fitted.scale_
    return np.zeros(values.shape[1]), np.ones(values.shape[1])
