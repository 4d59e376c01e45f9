"""Every declared column as its kind, as far as its cells can be read."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from modelling.data.reading.cells import read_cells
from modelling.data.reading.number_text import TextFormat
from modelling.data.reading.other_writing import unit_of
from modelling.declaration import UseCase
from modelling.refusals import BrokenRule, refuse_broken
from modelling.scorer.cells import label_text


class TypedTable(NamedTuple):
    """A table of n rows with what is declared, and how many cells of each column are there but
    can't be read as its kind; such a column stays as it was, for the validation to name. ``units``
    are the signs beside the numbers of a column, where such are declared ("": none)."""

    table: pd.DataFrame
    unreadable: Mapping[str, int]
    units: Mapping[str, str]


def kinds_of(use_case: UseCase) -> dict[str, str]:
    """All columns that are declared, and those from which others are derived, with their kinds."""
    target = "number" if use_case.problem == "regression" else "category"
    raw = use_case.derived.raw_kinds if use_case.derived is not None else {}
    return {**raw, **{c.name: c.kind for c in use_case.columns}, use_case.target: target}


def type_columns(table: pd.DataFrame, use_case: UseCase) -> TypedTable:
    """What is declared of a table, in declared order and kinds.

    Parameters
    ----------
    table : DataFrame of n rows
        As it was read; columns that are not declared are left out, missing ones too.
    use_case : UseCase
        Declares the columns, and how its source writes numbers and times.

    Returns
    -------
    TypedTable
        Numbers as float64 (missing: NaN), times in UTC without a zone (NaT), labels as text,
        identifiers as int64 or text; row order and row labels are kept.

    Raises
    ------
    DataRefused
        Where cells can be read in two ways, or a declared column is there twice.
    """
    kinds, text_format = kinds_of(use_case), TextFormat.of(use_case.source)
    doubled = table.columns[table.columns.duplicated()].unique()
    refuse_broken([BrokenRule(name, "is there once", None) for name in doubled if name in kinds])
    read = {
        name: read_cells(table[name], kind, text_format, _known_labels(name, use_case))
        for name, kind in kinds.items()
        if name in table
    }
    typed = {name: cells for name, (cells, _) in read.items()}
    unreadable = {name: count for name, (_, count) in read.items()}
    numbers = [name for name in read if kinds[name] == "number"]
    units = {name: unit_of(table[name], text_format) for name in numbers}
    return TypedTable(
        pd.DataFrame(typed, index=table.index, copy=False),
        unreadable,
        {name: unit for name, unit in units.items() if unit is not None},
    )


def read_again(
    rows: pd.DataFrame, typed: TypedTable, use_case: UseCase
) -> tuple[pd.DataFrame, TypedTable]:
    """Some ``rows`` of a typed table, with those columns as their kinds whose unreadable cells were
    in other rows, such as a repeated header; and the typed table with what is still unreadable."""
    names = [name for name, cells in typed.unreadable.items() if cells and name in rows]
    if not names or len(rows) == len(typed.table):
        return rows, typed
    again = type_columns(rows[names], use_case)
    return rows.assign(**again.table), typed._replace(
        unreadable={**typed.unreadable, **again.unreadable}, units={**typed.units, **again.units}
    )


def as_kinds(table: pd.DataFrame, kinds: Mapping[str, str]) -> pd.DataFrame:
    """The columns of a typed ``table`` that are named in ``kinds``, each as that kind."""
    return pd.DataFrame(
        {name: read_cells(table[name], kind, TextFormat())[0] for name, kind in kinds.items()}
    )


def _known_labels(name: str, use_case: UseCase) -> Sequence[str]:
    """The labels of the column ``name`` that are declared, if they are."""
    if name == use_case.target:
        merged = (label for labels in use_case.merge_classes.values() for label in labels)
        return [text for label in (*use_case.classes, *merged) if (text := label_text(label))]
    declared = {column.name: column.categories for column in use_case.columns}.get(name)
    return [text for label in declared or () if (text := label_text(label))]
