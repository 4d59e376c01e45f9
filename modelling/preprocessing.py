"""Fit the preprocessing on training rows: scikit-learn estimates, the scorer's transformer applies.

What comes out is plain data (numbers, names), so that a registered model needs neither pickle nor
scikit-learn.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

from modelling.absurd_values import plausible_limit
from modelling.columns import Column
from modelling.declaration import Preprocessing, UseCase
from modelling.ratios import ALL_KEPT, best_ratios, possible_ratios
from modelling.scoring import TRANSFORMS, Transformer, label_text, with_ratios
from modelling.splitting import Parts

ROWS_A_BIN = 50

log = logging.getLogger("finflows")


def fit_transformer(train: pd.DataFrame, use_case: UseCase) -> Transformer:
    """The use case's preprocessing, fitted on ``train`` (training rows only) and nothing else."""
    numbers = [column for column in use_case.features if column.kind == "number"]
    labels = [column for column in use_case.features if column.kind == "category"]
    numeric, numeric_features = _fit_numbers(train, numbers, use_case)
    categories = [_fit_labels(train[column.name], use_case.preprocessing) for column in labels]
    label_features = [f"{c['name']}={label}" for c in categories for label in c.pop("labels")]
    return Transformer(
        {
            "columns": [column.name for column in use_case.features],
            "feature_names": numeric_features + label_features,
            "numeric": numeric,
            "categories": categories,
        }
    )


def _fit_numbers(
    train: pd.DataFrame, columns: list[Column], use_case: UseCase
) -> tuple[dict[str, Any], list[str]]:
    declared = use_case.preprocessing
    names = [column.name for column in columns]
    values = train[names].to_numpy(dtype=np.float64, copy=True)
    values[~np.isfinite(values)] = np.nan
    missing = np.isnan(values)
    # A flag that never changes in training has a weight that nobody chose.
    flagged = missing.any(axis=0) & ~missing.all(axis=0) & declared.missing_flags
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
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    filled = imputer.fit_transform(values) if names else values
    blocks, features = [], []
    for transform, positions in _plan(columns, declared):
        blocks.append(_fit_block(filled, transform, positions, declared))
        suffix = "" if transform == "none" else f" ({transform})"
        features += [columns[position].name + suffix for position in positions]
    if declared.piecewise_bins:
        block, of_columns = _fit_piecewise(filled, columns, declared.piecewise_bins)
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
    filled: np.ndarray, transform: str, positions: list[int], declared: Preprocessing
) -> dict[str, Any]:
    values = filled[:, positions]
    parameters: list[Any] = []
    if transform == "quantile":
        levels = min(1000, len(values))
        fitted = QuantileTransformer(n_quantiles=levels, subsample=200_000, random_state=0)
        parameters = fitted.fit(values).quantiles_.T.tolist()
    elif transform == "yeo_johnson":
        parameters = PowerTransformer(standardize=False).fit(values).lambdas_.tolist()
    unscaled = TRANSFORMS[transform](values, np.array(parameters))
    offset, scale = _fit_scale(unscaled, declared.scaling)
    scaled = (unscaled - offset) / scale
    # Beyond what training saw a network extrapolates wildly: values stay within its range, and
    # within `clip` scaled units, where one outlier would otherwise drown all other rows.
    lowest, highest = scaled.min(axis=0), scaled.max(axis=0)
    if declared.clip is not None and declared.scaling == "standard":
        lowest, highest = lowest.clip(-declared.clip), highest.clip(max=declared.clip)
    return {
        "transform": transform,
        "columns": positions,
        "parameters": parameters,
        "offset": offset.tolist(),
        "scale": scale.tolist(),
        "lowest": lowest.tolist(),
        "highest": highest.tolist(),
    }


def _fit_piecewise(
    filled: np.ndarray, columns: list[Column], bins: int
) -> tuple[dict[str, Any], list[str]]:
    """Piecewise-linear encoding: a number becomes, per bin, the share of the bin that it fills.

    Gorishniy, Rubachev and Babenko (2022), "On Embeddings for Numerical Features in Tabular Deep
    Learning", equation 1, with edges at quantiles of the training rows: (x - left) / width, 0
    before the bin and 1 after it. So it is scaled as the other blocks are, each column once a bin.
    Beyond the outermost edges it stays at 0 or 1, where the paper goes on linearly. Equal quantiles
    merge; a column with one value has no bin. Small tables have fewer bins, so that each is learnt
    from ``ROWS_A_BIN`` rows or more.
    """
    shares = np.linspace(0, 1, min(bins, max(len(filled) // ROWS_A_BIN, 1)) + 1)
    edges = [np.unique(np.quantile(values, shares)) for values in filled.T]
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


def _fit_scale(values: np.ndarray, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """Offset and scale per column; a constant column has scale 1, as in scikit-learn."""
    if scaling == "standard":
        fitted = StandardScaler().fit(values)
        return fitted.mean_, fitted.scale_
    if scaling == "min_max":
        fitted = MinMaxScaler().fit(values)
        return fitted.data_min_, 1 / fitted.scale_
    return np.zeros(values.shape[1]), np.ones(values.shape[1])


def _fit_labels(values: pd.Series, declared: Preprocessing) -> dict[str, Any]:
    """Which label stands in which column; rare labels share the last one. Missing has none."""
    texts = values.dropna().map(label_text).to_numpy(dtype=object).reshape(-1, 1)
    if not len(texts):
        return {"name": values.name, "positions": {}, "width": 0, "labels": []}
    share = declared.rare_category_share
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=share or None, sparse_output=False
    ).fit(texts)
    known = encoder.categories_[0]
    positions = encoder.transform(known.reshape(-1, 1)).argmax(axis=1)
    labels = encoder.get_feature_names_out(["label"])
    return {
        "name": values.name,
        "positions": {str(k): int(p) for k, p in zip(known, positions, strict=True)},
        "width": len(labels),
        "labels": [str(label).removeprefix("label_") for label in labels],
    }


@dataclass(frozen=True)
class Examples:
    """Rows as the network sees them: features (n, f) float32; target (n,), float32 values in
    training units or int64 class codes."""

    features: np.ndarray
    target: np.ndarray


@dataclass(frozen=True)
class Preprocessed:
    """Training and validation rows as the network sees them, and what was fitted to get there."""

    train: Examples
    validation: Examples
    transformer: Transformer
    target_offset: float
    target_scale: float


def doubtful_columns(train: pd.DataFrame, use_case: UseCase) -> Iterator[str]:
    """What to know of features that training rows say nothing of, or something absurd, in lines."""
    for column in use_case.features:
        cells = train[column.name]
        if cells.isna().all():
            yield f"{column.name} is empty in all training rows: the model can't use it"
        elif column.kind == "number":
            sizes = cells[~cells.isin(column.special_codes)].abs().to_numpy(dtype=np.float64)
            if absurd := int((sizes > plausible_limit(sizes)).sum()):
                yield (
                    f"{column.name}: {absurd} training rows hold more than a million times what is "
                    "usual, and are cut off there: if it is a code, declare special_codes"
                )


def preprocess(parts: Parts, use_case: UseCase) -> Preprocessed:
    """Fit on ``parts.train`` alone, transform training and validation rows; test stays raw.

    A regression target is standardised with the mean and deviation of the training rows, so that
    losses and learning rates mean the same in every unit.
    """
    for told in doubtful_columns(parts.train, use_case):
        log.warning("%-11s %s", "", told)
    transformer = fit_transformer(parts.train, use_case)
    offset, scale = 0.0, 1.0
    if use_case.problem == "regression":
        values = parts.train[use_case.target].to_numpy(dtype=np.float64)
        offset, scale = float(values.mean()), float(values.std() or 1.0)

    def examples(part: pd.DataFrame) -> Examples:
        target = part[use_case.target].to_numpy()
        if use_case.problem == "regression":
            target = ((target - offset) / scale).astype(np.float32)
        return Examples(transformer.transform(part), target)

    return Preprocessed(
        examples(parts.train), examples(parts.validation), transformer, offset, scale
    )
