"""Labels that are one label, written in several ways."""

import unicodedata
from collections.abc import Mapping

import pandas as pd

from modelling.drafting.columns.findings import SHARED_BY
from modelling.scorer.column_names import as_written

BETWEEN_LABELS = (";", "|", ",")
SEVERAL = 0.25  # of the rows


def spelt_alike(rows_of: pd.Series) -> dict[str, tuple[str, ...]]:
    """The labels that differ from a more frequent one in capital letters, or in what nobody sees,
    alone, by that one.

    ``rows_of`` (k,) counts the rows of each label; those of a few rows are not named.
    """
    shared = rows_of[rows_of >= SHARED_BY].sort_values(ascending=False, kind="stable")
    first: dict[str, str] = {}
    alike: dict[str, tuple[str, ...]] = {}
    for label in map(str, shared.index):
        known = first.setdefault(_as_seen(label), label)
        if known != label:
            alike[known] = (*alike.get(known, ()), label)
    return alike


def lists_of_labels(rows_of: pd.Series) -> str | None:
    """What to do where many cells list several labels, as a question with several answers has them;
    None where they do not. ``rows_of`` (k,) counts the rows of each text."""
    texts = pd.Series(rows_of.index, dtype="str")
    for mark in BETWEEN_LABELS:
        several = texts.str.contains(mark, regex=False).to_numpy()
        parts = texts.str.split(mark, regex=False).explode().str.strip()
        labels = parts[parts.str.contains("[^\\W\\d_]")].nunique()  # 1,5 is a number
        often = rows_of[several].sum() >= SEVERAL * rows_of.sum()
        if often and 2 <= labels <= len(texts) / 2:
            return (
                f"cells list several of {labels} labels between {mark!r}: give each label a column "
                "of 0 and 1"
            )
    return None


def as_one(rows_of: pd.Series, alike: Mapping[str, tuple[str, ...]]) -> pd.Series:
    """The rows of each label, those spelt alike counted as the most frequent; most rows first."""
    into = {label: known for known, labels in alike.items() for label in labels}
    counted = rows_of.groupby([into.get(label, label) for label in rows_of.index]).sum()
    return counted.sort_values(ascending=False, kind="stable") if into else rows_of


def _as_seen(label: str) -> str:
    """``label`` in small letters, without what nobody sees."""
    visible = (letter for letter in unicodedata.normalize("NFC", label) if _is_seen(letter))
    return " ".join(_small("".join(visible)).split())


def _is_seen(letter: str) -> bool:
    return unicodedata.category(letter) != "Cf"


def _small(label: str) -> str:
    """Small letters, in which those with and without a dot of Turkish are the same."""
    return label.casefold().replace("i\u0307", "i").replace("\u0131", "i")


def in_words(alike: Mapping[str, tuple[str, ...]]) -> str:
    """Which labels differ in capital letters alone, or in what nobody sees."""
    groups = [" and ".join(map(as_written, (known, *labels))) for known, labels in alike.items()]
    pairs = [(known, label) for known, labels in alike.items() for label in labels]
    capital = all(_small(known) == _small(label) for known, label in pairs)
    return f"{'; '.join(groups)} differ only in capital {'' if capital else 'or invisible '}letters"
