"""Fit the preprocessing on training rows: scikit-learn estimates, the scorer's transformer applies.

The result is plain data (numbers, names), so that a registered model needs neither pickle nor
scikit-learn. Each value is an aggregate over ``minimum_rows_per_value`` training rows or more
(``modelling.features.microaggregation``): no edge, median or label belongs to a single customer.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from modelling.data.splitting import Parts
from modelling.declaration import Column, UseCase
from modelling.features.directions import feature_directions
from modelling.features.feature_columns import feature_columns
from modelling.features.memory import refuse_too_many_cells, refuse_too_many_features
from modelling.features.numeric_features import fit_numbers
from modelling.features.shared_memory import shared_empty
from modelling.scorer.cells import label_text
from modelling.scorer.transformer import Transformer


def fit_transformer(train: pd.DataFrame, use_case: UseCase) -> Transformer:
    """Fit the preprocessing of ``use_case`` on training rows only.

    Parameters
    ----------
    train : DataFrame
        The training rows, with the features of the use case and its target. Missing cells are
        NaN or None; infinity counts as missing.
    use_case : UseCase

    Returns
    -------
    Transformer
        Raw rows to features (n, f) float32, finite.

    Raises
    ------
    KeyError
        Where a column is missing.
    """
    numbers = [column for column in use_case.features if column.kind == "number"]
    labels = [column for column in use_case.features if column.kind == "category"]
    numeric, numeric_features = fit_numbers(train, numbers, use_case)
    categories = [_fit_labels(train[column.name], column, use_case) for column in labels]
    label_features = [f"{c['name']}={label}" for c in categories for label in c.pop("labels")]
    return Transformer(
        {
            "columns": [column.name for column in use_case.features],
            "feature_names": numeric_features + label_features,
            "numeric": numeric,
            "categories": categories,
        }
    )


def _fit_labels(values: pd.Series, column: Column, use_case: UseCase) -> dict[str, Any]:
    """Which label has which column of features; a missing label has none.

    Labels with a share of rows below ``rare_category_share``, or with fewer than
    ``minimum_rows_per_value`` rows, share the last column, ``other``, with labels that no training
    row had. Where all of them together are too few for that, they have no column. Only labels that
    are declared, or that ``minimum_rows_per_value`` rows had, are kept by name.
    """
    minimum_rows = use_case.minimum_rows_per_value
    counts = values.dropna().map(label_text).dropna().value_counts()
    enough = max(use_case.preprocessing.rare_category_share * counts.sum(), minimum_rows)
    common = sorted(map(str, counts.index[counts >= enough]))
    rare = counts[counts < enough]
    other = len(common) if rare.sum() >= minimum_rows else -1
    declared = {label_text(label) for label in column.categories or ()}
    named = sorted(
        str(label) for label, rows in rare.items() if rows >= minimum_rows or label in declared
    )
    return {
        "name": values.name,
        "positions": {label: at for at, label in enumerate(common)} | dict.fromkeys(named, other),
        "other": other,
        "width": len(common) + (other >= 0),
        "labels": common + ["(rare)"] * (other >= 0),
    }


@dataclass(frozen=True)
class Examples:
    """Rows as the network gets them.

    ``features`` is (n, f) float32, finite. ``target`` is (n,): class codes (int64), or for a
    regression float32 values standardised with the training rows.
    """

    features: np.ndarray
    target: np.ndarray

    @cached_property
    def content_hash(self) -> str:
        """What tells these rows from others; computed once, though many trials ask for it."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.features, self.target):
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Preprocessed:
    """Training and validation rows as the network gets them, and the fitted preprocessing.

    A regression target in its own unit is ``target * target_scale + target_offset``. ``directions``
    (f,) says which features may only raise the score (1) or lower it (-1), ``columns`` (f,) which
    column each feature is made of, by number.
    """

    train: Examples
    validation: Examples
    transformer: Transformer
    target_offset: float
    target_scale: float
    directions: np.ndarray
    columns: np.ndarray


def preprocess(parts: Parts, use_case: UseCase) -> Preprocessed:
    """Fit on ``parts.train`` alone, and transform training and validation rows; test stays raw.

    A regression target is standardised with the mean and standard deviation of the training rows,
    so that losses and learning rates do not depend on its unit.

    Parameters
    ----------
    parts : Parts
        The split table. Missing features are allowed; the target is known in every row.
    use_case : UseCase

    Returns
    -------
    Preprocessed

    Raises
    ------
    UsageError
        Where they need more memory than is free.
    """
    numbers = sum(column.kind == "number" for column in use_case.features)
    refuse_too_many_cells(len(parts.train), numbers)
    transformer = fit_transformer(parts.train, use_case)
    rows = len(parts.train) + len(parts.validation)
    numeric, names = transformer.state["numeric"], transformer.feature_names
    refuse_too_many_features(rows, names)
    offset, scale = 0.0, 1.0
    if use_case.problem == "regression":
        values = parts.train[use_case.target].to_numpy(dtype=np.float64)
        offset, scale = float(values.mean()), float(values.std() or 1.0)

    def examples(part: pd.DataFrame) -> Examples:
        target = part[use_case.target].to_numpy()
        if use_case.problem == "regression":
            target = ((target - offset) / scale).astype(np.float32)
        # The process that trains reads them where they are.
        features = shared_empty((len(part), len(names)), np.float32)
        return Examples(transformer.transform(part, features), target)

    return Preprocessed(
        train=examples(parts.train),
        validation=examples(parts.validation),
        transformer=transformer,
        target_offset=offset,
        target_scale=scale,
        directions=feature_directions(numeric, len(names), use_case),
        columns=feature_columns(transformer.state),
    )
