"""Fit the preprocessing on training rows: scikit-learn estimates, the scorer's transformer applies.

What comes out is plain data (numbers, names), so that a registered model needs neither pickle nor
scikit-learn. All of it is an aggregate over ``minimum_rows_per_value`` training rows or more
(``modelling.features.microaggregation``): no edge, median or label is a single customer's.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from modelling.data.absurd_values import plausible_limit
from modelling.data.splitting import Parts
from modelling.declaration import Column, UseCase
from modelling.features.numeric_features import fit_numbers
from modelling.refusals import DataRefused
from modelling.scorer.scoring import Transformer, label_text

log = logging.getLogger("finflows")


def fit_transformer(train: pd.DataFrame, use_case: UseCase) -> Transformer:
    """The use case's preprocessing, fitted on ``train`` (training rows only) and nothing else."""
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
    """Which label stands in which column of features. Missing has none.

    Labels of fewer rows than ``rare_category_share`` or ``minimum_rows_per_value`` share the last
    one, ``other``, with those that no training row had; where they are too few for that all
    together, they have none. By name are kept only labels that are declared or that
    ``minimum_rows_per_value`` rows had.
    """
    least = use_case.minimum_rows_per_value
    counts = values.dropna().map(label_text).dropna().value_counts()
    enough = max(use_case.preprocessing.rare_category_share * counts.sum(), least)
    own = sorted(map(str, counts.index[counts >= enough]))
    rare = counts[counts < enough]
    other = len(own) if rare.sum() >= least else -1
    declared = {label_text(label) for label in column.categories or ()}
    named = sorted(str(label) for label, rows in rare.items() if rows >= least or label in declared)
    return {
        "name": values.name,
        "positions": {label: at for at, label in enumerate(own)} | dict.fromkeys(named, other),
        "other": other,
        "width": len(own) + (other >= 0),
        "labels": own + ["(rare)"] * (other >= 0),
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
    """What to know of features that training rows say nothing of, too little, or something absurd,
    in lines."""
    least = use_case.minimum_rows_per_value
    for column in use_case.features:
        cells = train[column.name]
        known = cells[cells.notna() & ~cells.isin(column.special_codes)]
        if cells.isna().all():
            yield f"{column.name} is empty in all training rows: the model can't use it"
        elif len(known) < least:
            yield (
                f"{column.name} is known in fewer than {least} training rows, of which a model "
                "keeps nothing (minimum_rows_per_value): it can't use it"
            )
        elif column.kind == "number":
            sizes = known.abs().to_numpy(dtype=np.float64)
            if absurd := int((sizes > plausible_limit(sizes)).sum()):
                yield (
                    f"{column.name}: {absurd} training rows hold more than a million times what is "
                    "usual, and are cut off there: if it is a code, declare special_codes"
                )


def preprocess(parts: Parts, use_case: UseCase) -> Preprocessed:
    """Fit on ``parts.train`` alone, transform training and validation rows; test stays raw.

    A regression target is standardised with the mean and deviation of the training rows, so that
    losses and learning rates mean the same in every unit. Raises DataRefused where there are fewer
    training rows than one value of a model must come from.
    """
    if len(parts.train) < (least := use_case.minimum_rows_per_value):
        raise DataRefused(
            f"{len(parts.train)} training rows: a model keeps nothing of fewer than {least}; give "
            "it more rows, or declare minimum_rows_per_value"
        )
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
