"""The target as a model is trained on it: classes merged as declared, rows without one left out,
and coded."""

import pandas as pd

from modelling.declaration import UseCase
from modelling.refusals import DataRefused
from modelling.scorer.cells import label_text


def merge_classes(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """A typed table in which the labels of ``merge_classes`` have become their classes, and those
    that nothing names the class that takes all others, where there is one.

    Parameters
    ----------
    table : DataFrame of n rows
        The target as text; a missing target stays missing. Without ``merge_classes`` (or without a
        target, which the validation reports) the same table comes back.
    use_case : UseCase
        Names the target and the classes.

    Returns
    -------
    DataFrame of n rows
    """
    merged = {
        label_text(label): label_text(into)
        for into, labels in use_case.merge_classes.items()
        for label in labels
    }
    if not use_case.merge_classes or use_case.target not in table:  # the validation says so
        return table
    target = table[use_case.target].replace(merged)
    if use_case.class_of_others is not None:
        named = target.isin([label_text(label) for label in use_case.classes]) | target.isna()
        target = target.where(named, label_text(use_case.class_of_others))
    return table.assign(**{use_case.target: target})


def labelled_rows(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """A typed table without the rows whose target is missing or none of the classes, where
    ``unlabelled="drop"`` is declared; else the same table, for the validation to name them.

    Parameters
    ----------
    table : DataFrame of n rows
        Typed, its classes merged.

    Returns
    -------
    DataFrame of at most n rows
        Row order and row labels are kept.

    Raises
    ------
    DataRefused
        Where no row is left.
    """
    if use_case.unlabelled == "refuse" or use_case.target not in table:
        return table
    target = table[use_case.target]
    labels = [label_text(label) for label in use_case.classes]
    known = target.isin(labels) if labels else target.notna()
    if not known.any():
        a_label = f"one of {', '.join(map(str, labels))}" if labels else "a value"
        raise DataRefused(f"{use_case.target}: no row has {a_label}")
    return table if known.all() else table[known]


def code_classes(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """The declared columns and the target, coded; without duplicates where that is declared.

    Parameters
    ----------
    table : DataFrame of n rows
        Typed, every label of the target declared and none missing.
    use_case : UseCase
        ``classes`` in the order of their codes; ``duplicates`` is "keep" or "drop".

    Returns
    -------
    DataFrame of at most n rows
        Classes as int64 codes, a regression's target as float64. Row order is kept, row labels run
        from 0.
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
