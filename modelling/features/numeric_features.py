"""Turn numbers into features: missing values, special codes, ratios, transformations and scaling.

Fitted on training rows by scikit-learn; the result is plain data for the scorer's transformer.
"""

from typing import Any

import numpy as np
import pandas as pd

from modelling.data.absurd_values import plausible_limit
from modelling.declaration import Column, PriceHistory, UseCase
from modelling.declaration.price_names import columns_of
from modelling.features.memory import refuse_too_many_cells
from modelling.features.microaggregation import microaggregate
from modelling.features.ratios import ALL_RATIOS_UP_TO, best_ratios, possible_ratios
from modelling.scorer.transformer import with_ratios
from modelling.scorer.transforms import TRANSFORMS

ROWS_PER_BIN = 50
LARGEST_UNBENT = 0.1
LOW_QUANTILE = 0.01
LARGEST = float(np.finfo(np.float32).max)  # no bound, in JSON, which has no infinity


def fit_numbers(
    train: pd.DataFrame, columns: list[Column], use_case: UseCase
) -> tuple[dict[str, Any], list[str]]:
    """Fit how the number ``columns`` become features.

    Parameters
    ----------
    train : DataFrame
        The training rows; NaN and infinity are missing values.
    columns : list of Column
        The columns of numbers, which may be none.
    use_case : UseCase
        ``preprocessing``, ``minimum_rows_per_value``, ``target`` and ``problem`` are read.

    Returns
    -------
    numeric : dict
        The ``numeric`` state of ``scorer.transformer.Transformer``, JSON-able. A column with fewer
        than ``minimum_rows_per_value`` known values is constant.
    feature_names : list of str
        In the order of the transformer's output.
    """
    from sklearn.impute import SimpleImputer

    declared, minimum_rows = use_case.preprocessing, use_case.minimum_rows_per_value
    names = [column.name for column in columns]
    values = train[names].to_numpy(dtype=np.float64, copy=True)
    values[~np.isfinite(values)] = np.nan
    missing = np.isnan(values)
    # The weight of a flag that never changes in training stays as initialised; that of a flag with
    # few rows depends on those rows alone.
    fewer = np.minimum(missing.sum(axis=0), (~missing).sum(axis=0))
    flagged = (fewer >= minimum_rows) & declared.missing_flags
    for position, column in enumerate(columns):
        values[np.isin(values[:, position], column.special_codes), position] = np.nan
    values = _clip_implausible(values)
    ratios = possible_ratios(values, columns) if declared.ratios else []
    with_bins = len(names)
    if len(ratios) <= ALL_RATIOS_UP_TO:
        with_bins += len(ratios)
    else:
        target = train[use_case.target].to_numpy()
        ratios = best_ratios(values, ratios, target, use_case.problem)
    refuse_too_many_cells(len(values), len(names), len(ratios))
    with np.errstate(over="ignore"):  # such a ratio is clipped like any other that is implausible
        values = _clip_implausible(with_ratios(values, ratios))
    columns = columns + [
        Column(name=f"{names[over]} / {names[under]}", kind="number") for over, under in ratios
    ]
    values[:, np.isfinite(values).sum(axis=0) < minimum_rows] = np.nan  # treated as empty
    grouped = microaggregate(values, minimum_rows)
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    if names:
        grouped, filled = imputer.fit_transform(grouped), imputer.transform(values)
    else:
        filled = values
    blocks, features = [], []
    for transform, positions in _columns_by_transform(columns, use_case):
        past = np.array([_is_past_of_target(columns[p], use_case) for p in positions])
        block = _fit_block(filled[:, positions], grouped[:, positions], past, transform, use_case)
        blocks.append({**block, "columns": positions})
        suffix = "" if transform == "none" else f" ({transform})"
        features += [columns[position].name + suffix for position in positions]
    if declared.piecewise_bins:
        rows_per_bin = max(ROWS_PER_BIN, minimum_rows)
        block, bin_names = _fit_piecewise(  # of a ratio among many the log is enough
            grouped[:, :with_bins], columns[:with_bins], declared.piecewise_bins, rows_per_bin
        )
        blocks.append(block)
        features += bin_names
    codes = [(p, list(c.special_codes)) for p, c in enumerate(columns) if c.special_codes]
    features += [f"{names[p]} is missing" for p in np.flatnonzero(flagged)]
    features += [f"{names[p]} is a special code" for p, _ in codes]
    numeric = {
        "names": names,
        "ratios": ratios,
        "medians": imputer.statistics_.tolist() if names else [],
        "special_codes": codes,
        "flagged": np.flatnonzero(flagged).tolist(),
        "blocks": blocks,
    }
    return numeric, features


def _clip_implausible(values: np.ndarray) -> np.ndarray:
    """``values`` (n, c) clipped to plausible sizes: two huge ones could overflow the mean."""
    limits = np.array([plausible_limit(column) for column in values.T])
    return np.clip(values, -limits, limits) if len(limits) else values


def _columns_by_transform(columns: list[Column], use_case: UseCase) -> list[tuple[str, list[int]]]:
    """Each transformation with the positions of its columns; untransformed columns come first."""
    declared = use_case.preprocessing
    chosen = [_transform_of(column, use_case) for column in columns]
    kept_plain = [
        p for p, transform in enumerate(chosen) if declared.keep_plain or transform == "none"
    ]
    groups = [("none", kept_plain)] if kept_plain else []
    for transform in ("log", "quantile", "yeo_johnson"):
        if positions := [p for p, of_column in enumerate(chosen) if of_column == transform]:
            groups.append((transform, positions))
    return groups


def _transform_of(column: Column, use_case: UseCase) -> str:
    """Its own, or that of all columns; but beside the log of a variance a number that may be below
    zero is a log, too, and there is no log of logs."""
    transform = column.transform or use_case.preprocessing.transform
    is_size = column.minimum is not None and column.minimum >= 0
    if use_case.target_kind == "log_variance" and transform == "log" and not is_size:
        return column.transform or "none"
    return transform


def _is_past_of_target(column: Column, use_case: UseCase) -> bool:
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
    same microaggregated. Parameters that use all rows are fitted on the first; quantiles and
    extremes on the second. Values beyond the extremes are clipped to them, also in training, but
    for those of the target's ``past`` (c,)."""
    from sklearn.preprocessing import PowerTransformer, QuantileTransformer

    declared, minimum_rows = use_case.preprocessing, use_case.minimum_rows_per_value
    parameters: list[Any] = []
    if transform == "quantile":
        levels = max(min(1000, len(grouped) // minimum_rows), 2)  # each a group of rows of its own
        fitted = QuantileTransformer(n_quantiles=levels, subsample=200_000, random_state=0)
        parameters = fitted.fit(grouped).quantiles_.T.tolist()
    elif transform == "yeo_johnson":
        parameters = PowerTransformer(standardize=False).fit(filled).lambdas_.tolist()
    elif transform == "log" and ((units := _units_of_logs(grouped)) != 1).any():
        parameters = units.tolist()
    transformed = TRANSFORMS[transform](filled, np.array(parameters))
    ends = np.stack([grouped.min(axis=0), grouped.max(axis=0)])
    ends = TRANSFORMS[transform](ends, np.array(parameters))
    offset, scale = _fit_scale(transformed, ends, declared.scaling)
    # A network extrapolates badly: values are clipped to the range of the training rows, and to
    # `clip` scaled units, since otherwise one outlier would dominate all other rows.
    lowest, highest = (ends - offset) / scale
    lowest, highest = np.where(past, -LARGEST, lowest), np.where(past, LARGEST, highest)
    if declared.clip is not None and declared.scaling == "standard":
        bounds = np.full_like(scale, declared.clip)
        lowest, highest = np.maximum(lowest, -bounds), np.minimum(highest, bounds)
    return {
        "transform": transform,
        "parameters": parameters,
        "offset": offset.tolist(),
        "scale": scale.tolist(),
        "lowest": lowest.tolist(),
        "highest": highest.tolist(),
    }


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


def _fit_piecewise(
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
