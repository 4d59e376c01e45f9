"""Numbers to features: gaps, special codes, ratios, transformations and scales.

Fitted on training rows by scikit-learn; what comes out is plain data for the scorer's transformer.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

from modelling.data.absurd_values import plausible_limit
from modelling.declaration import Column, Preprocessing, UseCase
from modelling.features.microaggregation import microaggregated
from modelling.features.ratios import ALL_KEPT, best_ratios, possible_ratios
from modelling.scorer.scoring import TRANSFORMS, with_ratios

ROWS_A_BIN = 50


def fit_numbers(
    train: pd.DataFrame, columns: list[Column], use_case: UseCase
) -> tuple[dict[str, Any], list[str]]:
    """How the number ``columns`` become features, as the transformer reads it, and their names."""
    declared, least = use_case.preprocessing, use_case.minimum_rows_per_value
    names = [column.name for column in columns]
    values = train[names].to_numpy(dtype=np.float64, copy=True)
    values[~np.isfinite(values)] = np.nan
    missing = np.isnan(values)
    # A flag that never changes in training has a weight that nobody chose, one that few rows have
    # a weight that those chose.
    fewer = np.minimum(missing.sum(axis=0), (~missing).sum(axis=0))
    flagged = (fewer >= least) & declared.missing_flags
    for position, column in enumerate(columns):
        values[np.isin(values[:, position], column.special_codes), position] = np.nan
    values = _plausible(values)
    ratios = possible_ratios(values, columns) if declared.ratios else []
    if len(ratios) > ALL_KEPT:
        ratios = best_ratios(values, ratios, train[use_case.target].to_numpy())
    values = _plausible(with_ratios(values, ratios))
    columns = columns + [
        Column(name=f"{names[over]} / {names[under]}", kind="number") for over, under in ratios
    ]
    values[:, np.isfinite(values).sum(axis=0) < least] = np.nan  # as good as empty
    kept = microaggregated(values, least)
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    if names:
        kept, filled = imputer.fit_transform(kept), imputer.transform(values)
    else:
        filled = values
    blocks, features = [], []
    for transform, positions in _plan(columns, declared):
        block = _fit_block(filled[:, positions], kept[:, positions], transform, use_case)
        blocks.append({**block, "columns": positions})
        suffix = "" if transform == "none" else f" ({transform})"
        features += [columns[position].name + suffix for position in positions]
    if declared.piecewise_bins:
        rows_a_bin = max(ROWS_A_BIN, least)
        block, of_columns = _fit_piecewise(kept, columns, declared.piecewise_bins, rows_a_bin)
        blocks.append(block)
        features += of_columns
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


def _plausible(values: np.ndarray) -> np.ndarray:
    """``values`` (n, c), absurd ones cut off: two of them could overflow the mean of all."""
    limits = np.array([plausible_limit(of_column) for of_column in values.T])
    return np.clip(values, -limits, limits) if len(limits) else values


def _plan(columns: list[Column], declared: Preprocessing) -> list[tuple[str, list[int]]]:
    """Which transformation for which columns: the plain ones first, then each other in a block."""
    chosen = [column.transform or declared.transform for column in columns]
    plain = [p for p, transform in enumerate(chosen) if declared.keep_plain or transform == "none"]
    plan = [("none", plain)] if plain else []
    for transform in ("log", "quantile", "yeo_johnson"):
        if positions := [p for p, one in enumerate(chosen) if one == transform]:
            plan.append((transform, positions))
    return plan


def _fit_block(
    filled: np.ndarray, kept: np.ndarray, transform: str, use_case: UseCase
) -> dict[str, Any]:
    """One transformation of some columns: ``filled`` (n, c) without gaps, ``kept`` (n, c) the same
    microaggregated. Parameters that are over all rows come from the first, quantiles, smallest and
    largest values from the second: what lies beyond is cut off there, also in training."""
    declared, least = use_case.preprocessing, use_case.minimum_rows_per_value
    parameters: list[Any] = []
    if transform == "quantile":
        levels = max(min(1000, len(kept) // least), 2)  # each its own group of rows
        fitted = QuantileTransformer(n_quantiles=levels, subsample=200_000, random_state=0)
        parameters = fitted.fit(kept).quantiles_.T.tolist()
    elif transform == "yeo_johnson":
        parameters = PowerTransformer(standardize=False).fit(filled).lambdas_.tolist()
    transformed = TRANSFORMS[transform](filled, np.array(parameters))
    ends = np.stack([kept.min(axis=0), kept.max(axis=0)])
    ends = TRANSFORMS[transform](ends, np.array(parameters))
    offset, scale = _fit_scale(transformed, ends, declared.scaling)
    # Beyond what training saw a network extrapolates wildly: values stay within its range, and
    # within `clip` scaled units, where one outlier would otherwise drown all other rows.
    lowest, highest = (ends - offset) / scale
    if declared.clip is not None and declared.scaling == "standard":
        lowest, highest = lowest.clip(-declared.clip), highest.clip(max=declared.clip)
    return {
        "transform": transform,
        "parameters": parameters,
        "offset": offset.tolist(),
        "scale": scale.tolist(),
        "lowest": lowest.tolist(),
        "highest": highest.tolist(),
    }


def _fit_piecewise(
    kept: np.ndarray, columns: list[Column], bins: int, rows_a_bin: int
) -> tuple[dict[str, Any], list[str]]:
    """Piecewise-linear encoding: a number becomes, per bin, the share of the bin that it fills.

    Gorishniy, Rubachev and Babenko (2022), "On Embeddings for Numerical Features in Tabular Deep
    Learning", equation 1, with edges at quantiles of the training rows: (x - left) / width, 0
    before the bin and 1 after it. So it is scaled as the other blocks are, each column once a bin.
    Beyond the outermost edges it stays at 0 or 1, where the paper goes on linearly. Equal quantiles
    merge; a column with one value has no bin. Small tables have fewer bins, so that each is learnt
    from ``rows_a_bin`` rows or more.
    """
    shares = np.linspace(0, 1, min(bins, max(len(kept) // rows_a_bin, 1)) + 1)
    edges = [np.unique(np.quantile(values, shares)) for values in kept.T]
    positions = [p for p, of_column in enumerate(edges) for _ in of_column[1:]]
    block = {
        "transform": "none",
        "columns": positions,
        "parameters": [],
        "offset": [left for of_column in edges for left in of_column[:-1].tolist()],
        "scale": [width for of_column in edges for width in np.diff(of_column).tolist()],
        "lowest": [0.0] * len(positions),
        "highest": [1.0] * len(positions),
    }
    return block, [
        f"{column.name} (bin {number})"
        for column, of_column in zip(columns, edges, strict=True)
        for number in range(1, len(of_column))
    ]


def _fit_scale(values: np.ndarray, ends: np.ndarray, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """Offset and scale per column of ``values`` (n, c), whose microaggregated smallest and largest
    are ``ends`` (2, c); a constant column has scale 1, as in scikit-learn.

    Min-max scaling takes the ends to 0 and 1. They are not the smallest and the largest customer,
    so the few beyond are 0 and 1, too; nor a declared ``minimum`` and ``maximum``, which may lie
    far outside of what there is and would press all rows together.
    """
    if scaling == "standard":
        fitted = StandardScaler().fit(values)
        return fitted.mean_, fitted.scale_
    if scaling == "min_max":
        fitted = MinMaxScaler().fit(ends)
        return fitted.data_min_, 1 / fitted.scale_
    return np.zeros(values.shape[1]), np.ones(values.shape[1])
