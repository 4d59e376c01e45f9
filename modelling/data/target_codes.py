"""The target as a model is trained on it: classes merged as declared, and coded."""

import pandas as pd

from modelling.declaration import UseCase
from modelling.scorer.scoring import label_text


def merge_classes(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """A typed ``table`` in which the labels of ``merge_classes`` have become their classes."""
    merged = {
        label_text(label): label_text(into)
        for into, labels in use_case.merge_classes.items()
        for label in labels
    }
    if not merged or use_case.target not in table:  # the validation says so
        return table
    return table.assign(**{use_case.target: table[use_case.target].replace(merged)})


def code_classes(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """The declared columns of ``table`` and the target, as int64 codes where it is classes; without
    duplicates where that is declared.

    A regression's target stays float64; row order is kept, labels run from 0. Expects that every
    type could be read and that every label is declared.
    """
    names = [*(column.name for column in use_case.columns), use_case.target]
    coded = table[names]
    if use_case.problem != "regression":
        codes = {label_text(label): code for code, label in enumerate(use_case.classes)}
        target = table[use_case.target].map(codes).astype("int64")
        coded = coded.assign(**{use_case.target: target})
    if use_case.duplicates == "drop":
        coded = coded.drop_duplicates()
    return coded.reset_index(drop=True)
