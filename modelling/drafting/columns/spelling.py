"""Labels that are one label, written in several ways."""

from collections.abc import Mapping

import pandas as pd

from modelling.drafting.columns.findings import SHARED_BY


def spelt_alike(rows_of: pd.Series) -> dict[str, tuple[str, ...]]:
    """The labels that differ from a more frequent one in capital letters alone, by that one.

    ``rows_of`` (k,) counts the rows of each label; those of a few rows are not named.
    """
    shared = rows_of[rows_of >= SHARED_BY].sort_values(ascending=False, kind="stable")
    first: dict[str, str] = {}
    alike: dict[str, tuple[str, ...]] = {}
    for label in map(str, shared.index):
        known = first.setdefault(label.casefold(), label)
        if known != label:
            alike[known] = (*alike.get(known, ()), label)
    return alike


def as_one(rows_of: pd.Series, alike: Mapping[str, tuple[str, ...]]) -> pd.Series:
    """The rows of each label, those spelt alike counted as the most frequent; most rows first."""
    into = {label: known for known, labels in alike.items() for label in labels}
    counted = rows_of.groupby([into.get(label, label) for label in rows_of.index]).sum()
    return counted.sort_values(ascending=False, kind="stable") if into else rows_of


def in_words(alike: Mapping[str, tuple[str, ...]]) -> str:
    """Which labels differ in capital letters alone."""
    groups = [" and ".join(map(repr, (known, *labels))) for known, labels in alike.items()]
    return f"{'; '.join(groups)} differ only in capital letters"
