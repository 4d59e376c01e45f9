"""The reference point of reasons: what a row would be that is usual in every column."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from modelling.declaration import Column, UseCase
from modelling.scorer.cells import label_text
from modelling.scorer.transformer import Transformer


def reasons_state(
    train: pd.DataFrame, transformer: Transformer, use_case: UseCase
) -> dict[str, Any]:
    """What ``modelling.scorer.reasons`` reads of ``scorer.json``.

    ``reference``, by column: the median of the training rows, microaggregated over
    ``minimum_rows_per_value`` rows and within the declared range; the most frequent label that the
    model names, of as many rows; None (missing) where most rows have no value, or too few have one.
    ``words``: what a column declares to say. ``favourable``: the codes of the classes that a
    customer wishes for.
    """
    medians = dict(zip(transformer.numeric, transformer.medians.tolist(), strict=False))
    named = {name: set(positions) for name, positions, *_ in transformer.categories}
    least = use_case.minimum_rows_per_value

    def usual(column: Column) -> float | str | None:
        cells = train[column.name]
        if column.kind == "number":
            known = np.isfinite(cells.to_numpy(dtype=np.float64)) & ~cells.isin(
                column.special_codes
            )
            if known.sum() < max(len(cells) / 2, least):
                return None
            return float(np.clip(medians[column.name], column.minimum, column.maximum))
        labels = Counter(label_text(cell) for cell in cells)
        missing = labels.pop(None, 0)
        label, rows = max(
            ((label, rows) for label, rows in labels.items() if label in named[column.name]),
            key=lambda counted: (counted[1], counted[0]),
            default=(None, 0),
        )
        return label if rows >= max(missing, least) else None

    return {
        "reference": {column.name: usual(column) for column in use_case.features},
        "favourable": [use_case.classes.index(label) for label in use_case.favourable],
        "words": {column.name: column.reason for column in use_case.features if column.reason},
    }
