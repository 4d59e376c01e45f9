"""What is predicted: the kind of problem, its classes, and which of two is the positive one."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from modelling.data.reading.cells import texts_of
from modelling.drafting.columns.exclusions import as_identifier, as_unread, unless_numbers
from modelling.drafting.columns.findings import SHARED_BY, TargetFinding
from modelling.drafting.columns.profiles import Profile
from modelling.drafting.columns.spelling import as_one, in_words, spelt_alike
from modelling.drafting.grades import in_order_of_grades
from modelling.drafting.positive_label import worse_label
from modelling.drafting.python_text import literal
from modelling.refusals import DataRefused, UsageError
from modelling.scorer.cells import label_text

MOST_CLASSES = 20
OTHER = "other"
MOST_RARE = 0.01
MOST_NUMBERS = 10  # whole numbers that are taken for classes
NO_LABEL = """
    ? - -- . unknown unk missing undefined n/a na nan null #n/a unbekannt inconnu desconocido
"""
NO_NUMBER = frozenset(str(sign * nines) for nines in (9, 99, 999, 9999) for sign in (1, -1))
PAIRS = ({"0", "1"}, {"1", "2"})  # of labels, beside which such numbers are codes


def find_target(column: Profile, positive: str | None) -> TargetFinding:
    """Raises DataRefused where the column can't be a target as it stands, and UsageError where
    ``positive`` is none of its labels."""
    different = column.in_all_rows.nunique()
    if different < 2:
        raise DataRefused(
            f"{column.name}: the target is the same in all rows that have one: where an empty cell "
            "is the other label, write it there"
        )
    if column.written == "time" and different > 2:
        raise DataRefused(
            f"{column.name}: points in time, and a target is a label or a number: write in a "
            "column of its own whether there is one (0 or 1), or the days until then"
        )
    is_size = column.written == "number" and (not column.whole or different > MOST_NUMBERS)
    if different > 2 and is_size:
        return _regression(column, positive)
    if different > MOST_CLASSES and column.refused:
        raise DataRefused(f"{column.name}: {column.refused}")
    if different > MOST_CLASSES and column.unreadable:
        raise DataRefused(
            f"{column.name}: numbers, but {column.unreadable:,} cells of the target are something "
            "else: correct them, or say in the source how they are written"
        )
    if different > MOST_CLASSES:
        labels = (
            f"{different:,} different labels, and at most {MOST_CLASSES} can be told apart: name "
            f"another --target, or merge them first{unless_numbers(column)}"
        )
        raise DataRefused(f"{column.name}: {as_unread(column) or labels}")
    rows_of = texts_of(column.in_all_rows, label_text).value_counts()
    alike = spelt_alike(rows_of)
    found = _of_labels(column.name, as_one(rows_of, alike), positive)
    if not alike:
        return found
    said = f"{found.reason} {in_words(alike)}: taken for one.".strip()
    return replace(
        found, reason=said, certain=False, merge_classes={**alike, **found.merge_classes}
    )


def _regression(column: Profile, positive: str | None) -> TargetFinding:
    if positive is not None:
        raise UsageError(f"--positive: {column.name} holds numbers of any size, not two labels")
    if infinite := int(np.isinf(column.in_all_rows.to_numpy(dtype=np.float64)).sum()):
        raise DataRefused(
            f"{column.name}: {infinite:,} cells of the target are infinite: correct them, or leave "
            "them empty"
        )
    reason = "It holds numbers of any size."
    if why := as_identifier(column):
        reason = f"{column.name!r} is to be predicted, though it has {why}: is it the right column?"
    return TargetFinding(column.name, "regression", reason=reason, certain=not why)


def _of_labels(name: str, rows_of: pd.Series, positive: str | None) -> TargetFinding:
    if len(rows_of) == 2:
        return _binary(name, rows_of, positive)
    if positive is not None:
        raise UsageError(f"--positive: {name} has {len(rows_of):,} labels, not two")
    return _multiclass(name, rows_of)


def without_label(column: Profile) -> tuple[np.ndarray, list[str]]:
    """Which rows (n,) have no label that can be learnt, and the labels that are taken for none.

    It is missing, or a word or code for that beside two labels; it is the column's own name, as
    where a header stands on every page; or it is one of a few (1 % at most) beside two that many
    rows share, such as the total below a report.
    """
    assert column.all_values is not None
    labels = texts_of(column.all_values, label_text)
    labels = labels.mask(labels == label_text(column.name))
    rows_of = labels.value_counts()
    common = {str(label) for label in rows_of.index[rows_of >= SHARED_BY]}
    none = {label for label in common if label.casefold() in NO_LABEL.split()}
    none |= common & NO_NUMBER if common - none - NO_NUMBER in PAIRS else set()
    none = none if len(common - none) == 2 else set()
    missing = (labels.isna() | labels.isin(none)).to_numpy()
    rare = ~(labels.isin(common).to_numpy() | missing)
    few = len(common - none) == 2 and 0 < rare.mean() <= MOST_RARE
    return missing | rare if few else missing, sorted(none)


def classes_to_declare(target: pd.Series, problem: str) -> str | None:
    """The settings that declare the labels of a ``target`` column, as they are written in a
    declaration of this ``problem``; None where no labels can be proposed."""
    rows_of = texts_of(target.dropna(), label_text).value_counts()
    if not 2 <= len(rows_of) <= MOST_CLASSES:
        return None
    name = str(target.name)
    try:
        found = _of_labels(name, rows_of, None)
    except DataRefused:
        return None
    settings: dict[str, Any] = {"problem": found.problem, "classes": found.classes}
    settings |= {"merge_classes": found.merge_classes} if found.merge_classes else {}
    if found.problem == problem:
        del settings["problem"]
    return ", ".join(f"{setting}={literal(value)}" for setting, value in settings.items())


def target_numbers(target: TargetFinding, column: Profile) -> np.ndarray:
    """The sampled cells of the target as numbers (s,): codes of its classes, or a regression's."""
    if target.problem == "regression":
        return column.values.to_numpy(dtype=np.float64)
    codes = {label_text(label): code for code, label in enumerate(target.classes)}
    others = next((codes[into] for into, named in target.merge_classes.items() if not named), None)
    codes |= {
        label_text(one): codes[into]
        for into, named in target.merge_classes.items()
        for one in named
    }
    labels = column.values.map(label_text)
    return labels.map(lambda label: codes.get(label, others)).to_numpy(dtype=np.float64)


def _binary(name: str, rows_of: pd.Series, positive: str | None) -> TargetFinding:
    if positive is not None and positive not in rows_of:
        raise UsageError(
            f"--positive {positive}: {name} has no such label; its labels are shown by "
            "leaving --positive out"
        )
    chosen, reason, certain = (
        (positive, "as --positive says", True) if positive else worse_label(rows_of)
    )
    if (rarer := int(rows_of.min())) < SHARED_BY:
        raise DataRefused(
            f"{name}: one of its two labels has {rarer} rows, and a model needs at least "
            f"{SHARED_BY} to learn from"
        )
    negative = next(label for label in rows_of.index if label != chosen)
    share = float(rows_of[chosen] / rows_of.sum())
    reason = f"{chosen!r} is the positive label, {reason}; {share:.2%} of the rows have it."
    classes = (_plain(negative), _plain(chosen))
    return TargetFinding(name, "binary", classes, reason=reason, certain=certain)


def _multiclass(name: str, rows_of: pd.Series) -> TargetFinding:
    graded = in_order_of_grades(list(rows_of.index))
    in_order = graded or sorted(
        rows_of.index, key=lambda label: (len(label), label) if label.isdigit() else (0, label)
    )
    rare = [label for label in in_order if rows_of[label] < SHARED_BY]
    classes = [label for label in in_order if rows_of[label] >= SHARED_BY]
    rare_at_one_end = classes in (in_order[: len(classes)], in_order[len(rare) :])
    sizes = _are_sizes(in_order)
    ordered = rare_at_one_end and bool(graded or sizes)
    what = "Grades" if graded else "Numbers or single letters"
    said = [f"{what}: taken to be in order."] if ordered else []
    merged: dict[str, tuple[int | str, ...]] = {}
    if rare:
        lowest = in_order[0] in rare
        into = classes[0 if lowest else -1] if ordered and classes else _others(classes, rows_of)
        classes, merged = list(dict.fromkeys([*classes, into])), {into: ()}
        said.append(
            f"Labels too rare to be named, of fewer than {SHARED_BY} rows: {len(rare)}; counted as "
            f"{into!r}."
        )
    if len(classes) < 3:
        raise DataRefused(
            f"{name}: labels of fewer than {SHARED_BY} rows, too few to be told apart: "
            f"{len(rare)}. Merge them, or leave their rows out, first"
        )
    return TargetFinding(
        name, "multiclass", tuple(map(_plain, classes)), merged, ordered, reason=" ".join(said)
    )


def _are_sizes(labels: list[str]) -> bool:
    """Whether labels are numbers, or letters of one scale: A to E are, A, N, U and Y are not."""
    letters = [ord(label) for label in labels if re.fullmatch("[A-Z]", label)]
    near = not letters or max(letters) - min(letters) < 2 * len(letters)
    return near and all(re.fullmatch(r"\d+|[A-Z]", label) for label in labels)


def _others(classes: list[str], rows_of: pd.Series) -> str:
    """The class of labels of too few rows that are in no order: their own where they have rows
    enough together, else the one with the fewest rows."""
    enough = rows_of[rows_of < SHARED_BY].sum() >= SHARED_BY
    return OTHER if enough or not classes else min(classes, key=lambda label: rows_of[label])


def _plain(label: str) -> int | str:
    return int(label) if re.fullmatch(r"0|-?[1-9]\d{0,17}", label) else label
