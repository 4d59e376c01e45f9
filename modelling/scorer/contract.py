"""Which rows a registered model accepts, and what it returns for the others.

A broken rule is reported by column and rule, never with the value that broke it.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from .cells import Labels, composed, different_cells, label_text, number_of, truth_of
from .column_names import as_written, spelled_otherwise
from .transformer import Columns

NOT_A_NUMBER, IS_MISSING, UNKNOWN = "is a number", "is not missing", "is a declared category"
IS_THERE = "is there"
_BrokenRows = list[tuple[str, np.ndarray]]  # a rule, and which rows (n,) break it


class InputRefused(ValueError):
    """No row can be scored, because columns are missing, or what is asked can't be answered."""


class Contract:
    """The declared types, ranges and categories of the raw columns, as plain data.

    Infinite numbers count as missing, as they do in training.

    Parameters
    ----------
    state : dict
        ``columns``: each with ``name``, ``kind``, ``minimum``, ``maximum``, ``special_codes`` (to
        which no range applies), ``categories``, ``required``, ``unknown_at_most`` and
        ``zero_or_one`` (training rows had no other numbers there, so True and False are read as
        numbers, as in training). ``off_contract``: whether a row with a broken rule is refused, or
        the cell is treated as missing (for a missing column, all its cells). ``written``: how text
        wrote numbers in training (``decimal`` mark).
    trained_labels : mapping
        By column, the labels that the model names: those of enough training rows.
    """

    def __init__(self, state: dict[str, Any], trained_labels: Mapping[str, Iterable[str]]):
        self.columns: list[dict[str, Any]] = state["columns"]
        self.refuses: bool = state["off_contract"] == "refuse_row"
        # Where the training table had decimal commas, 1.234 in text may be 1234.
        self.decimal_point: bool = state.get("written", {}).get("decimal", ".") == "."
        self.trained_labels = {name: frozenset(labels) for name, labels in trained_labels.items()}
        self.labels: dict[str, Labels] = {}
        self.names = [column["name"] for column in self.columns]
        for column in self.columns:
            column["at_least"], column["at_most"] = _range_texts(column)
            if column["categories"] is not None:
                texts = {label_text(label) for label in column["categories"]}
                column["categories"] = texts
            if column["kind"] == "category":
                known = column["categories"] or self.trained_labels.get(column["name"], ())
                self.labels[column["name"]] = Labels(known)

    def check(self, frame: pd.DataFrame) -> tuple[Columns, np.ndarray, np.ndarray]:
        """Check raw rows.

        Parameters
        ----------
        frame : DataFrame
            Raw rows, which may be none; further columns are ignored.

        Returns
        -------
        columns : Columns
            The cells that keep the rules: numbers (n,) float64, labels (n,) as text. All others are
            missing (NaN, None).
        broken : (n,) object
            For each row the rules that it breaks, as text; empty where it keeps all.
        unknown : (n,) object
            For each row the columns with a label that the model does not name, as text.

        Raises
        ------
        InputRefused
            Where there are neither rows nor columns; where all columns are missing; where one is,
            unless the contract treats it as missing cells; where one is there twice.
        """
        if not len(frame) and not len(frame.columns):
            raise InputRefused("there are no rows")
        if not frame.columns.is_unique:
            twice = {*frame.columns[frame.columns.duplicated()]} & {*self.names}
            if twice:
                raise InputRefused(f"columns named twice: {', '.join(sorted(twice))}")
        if accents := self._other_accents(frame.columns):
            frame = frame.rename(columns=accents)
        missing_columns = self._missing_columns(frame.columns)
        if missing_columns:
            frame = frame.assign(**dict.fromkeys(missing_columns))
        arrays: dict[str, np.ndarray] = {}
        broken, unknown = (np.full(len(frame), "", dtype=object) for _ in range(2))
        for column in self.columns:
            read = self._numbers if column["kind"] == "number" else self._labels
            arrays[column["name"]], broken_rows = read(frame[column["name"]], column)
            if column["name"] in missing_columns:
                broken_rows = [(IS_THERE, np.ones(len(frame), dtype=bool))]
            for rule, rows in broken_rows:
                _add_note(f"{column['name']}: {rule}", rows, broken)
            if column["kind"] == "category":
                _add_note(
                    column["name"], self._unknown(arrays[column["name"]], column["name"]), unknown
                )
        return Columns(arrays, len(frame)), broken, unknown

    def _unknown(self, labels: np.ndarray, name: str) -> np.ndarray:
        """Which rows (n,) have a label in column ``name`` that the model does not name."""
        known = {None, *self.trained_labels.get(name, ())}
        if known.issuperset(labels.tolist()):  # the usual case, ten times as fast
            return np.zeros(len(labels), dtype=bool)
        return np.array([label not in known for label in labels])

    def check_row(self, row: Mapping[str, Any]) -> tuple[Columns, str, str]:
        """``check`` for one row as a dictionary, without pandas; both texts are plain strings."""
        if accents := self._other_accents(row):
            row = {accents.get(name, name): cell for name, cell in row.items()}
        missing_columns = self._missing_columns(row)
        if missing_columns:
            row = {**row, **dict.fromkeys(missing_columns)}
        arrays, broken, unknown = {}, [], []
        for column in self.columns:
            name, kind = column["name"], np.float64 if column["kind"] == "number" else object
            cell, rule = self._checked_cell(row[name], column)
            arrays[name] = np.array([cell], dtype=kind)
            rule = IS_THERE if name in missing_columns else rule
            if rule:
                broken.append(f"{name}: {rule}")
            if column["kind"] == "category" and cell not in {
                None,
                *self.trained_labels.get(name, ()),
            }:
                unknown.append(name)
        return Columns(arrays, 1), "; ".join(broken), "; ".join(unknown)

    def _other_accents(self, present: Any) -> dict[str, str]:
        """Those of the ``present`` names that write the accents of a missing column otherwise, with
        that column's name."""
        missing_columns = {name for name in self.names if name not in present}
        names = [str(name) for name in present] if missing_columns else []
        return {name: composed(name) for name in names if composed(name) in missing_columns}

    def _missing_columns(self, present: Any) -> list[str]:
        """The columns that are not ``present``. Raises InputRefused where they must be, or are
        there under a name that looks alike."""
        missing_columns = [name for name in self.names if name not in present]
        if not missing_columns:
            return []
        others = spelled_otherwise(self.names, present)
        if self.refuses or others or len(missing_columns) == len(self.columns):
            told = [
                f"{n} (not {as_written(others[n])})" if n in others else n for n in missing_columns
            ]
            raise InputRefused(f"missing columns: {', '.join(told)}")
        return missing_columns

    def _checked_cell(self, cell: Any, column: dict[str, Any]) -> tuple[Any, str | None]:
        """The cell (missing where it breaks a rule), and the broken rule or None."""
        if column["kind"] == "number":
            number = cell if type(cell) is float else self._number(cell, column)
            if number is None:
                return math.nan, NOT_A_NUMBER
            rule = _broken_range_rule(number, column)
            return (math.nan if rule else number), rule
        text = self.labels[column["name"]].find(cell)
        if text is None:
            return None, IS_MISSING if column["required"] else None
        unknown = column["categories"] is not None and text not in column["categories"]
        return (None, UNKNOWN) if unknown else (text, None)

    def _number(self, cell: Any, column: dict[str, Any]) -> float | None:
        number = number_of(cell)
        if number is None:
            return truth_of(cell) if column.get("zero_or_one") else None
        foreign = not self.decimal_point and isinstance(cell, str) and "." in cell
        return None if foreign and number == number else number

    def _numbers(self, cells: pd.Series, column: dict[str, Any]) -> tuple[np.ndarray, _BrokenRows]:
        values = _numbers_or_none(cells)
        broken_rows: _BrokenRows
        if values is None:
            numbers = [self._number(cell, column) for cell in cells]
            values = np.array([math.nan if number is None else number for number in numbers])
            unread = np.array([number is None for number in numbers])
            broken_rows = [(NOT_A_NUMBER, unread)]
            broken_rows += [(rule, rows & ~unread) for rule, rows in _range_rules(values, column)]
        else:
            broken_rows = list(_range_rules(values, column))
        for _, rows in broken_rows:
            values[rows] = np.nan
        return values, broken_rows

    def _labels(self, cells: pd.Series, column: dict[str, Any]) -> tuple[np.ndarray, _BrokenRows]:
        codes, labels = different_cells(cells)
        found = map(self.labels[column["name"]].find, labels)
        texts = np.array([*found, None], dtype=object)
        broken_rows: _BrokenRows = []
        if column["categories"] is not None:
            unknown = np.array([text not in {None, *column["categories"]} for text in texts])
            broken_rows.append((UNKNOWN, unknown[codes]))
            texts[unknown] = None
        if column["required"]:
            missing = np.array([label is None for label in (*texts[:-1], None)])
            broken_rows.append((IS_MISSING, missing[codes]))
        return texts[codes], broken_rows


def _numbers_or_none(cells: pd.Series) -> np.ndarray | None:
    """Cells (n,) as float64 where all are numbers or missing; None where one may be neither.

    Text is not converted here: NumPy would also read "4_5", digits of other scripts and True.
    """
    kind = pd.api.types.infer_dtype(cells, skipna=True)
    if kind not in ("integer", "floating", "mixed-integer-float", "empty"):
        return None
    try:
        return cells.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    except (ValueError, TypeError, OverflowError):  # such as an integer too large for a float
        return None


def _add_note(text: str, rows: np.ndarray, notes: np.ndarray) -> None:
    """Append ``text`` to the ``notes`` (n,) of the ``rows`` (n,) that are True."""
    if rows.any():
        notes[rows] = [f"{note}; {text}" if note else text for note in notes[rows]]


def _range_texts(column: dict[str, Any]) -> list[str]:
    """The rules on the size of numbers, as they are told."""
    ends = {"is at least": column["minimum"], "is at most": column["maximum"]}
    return [f"{words} {end or 0:g}" for words, end in ends.items()]


def _range_rules(values: np.ndarray, column: dict[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """The rules on the size of numbers (n,), and where each is broken."""
    low, high, codes = column["minimum"], column["maximum"], column["special_codes"]
    sizes = np.where(np.isin(values, codes), np.nan, values) if codes else values
    if low is not None:
        yield column["at_least"], sizes < low
    if high is not None:
        yield column["at_most"], sizes > high
    if column["required"]:
        yield IS_MISSING, values != values


def _broken_range_rule(number: float, column: dict[str, Any]) -> Any:
    """The first of ``_range_rules`` that one number breaks; None where it keeps all. NumPy would
    take ten times as long."""
    if number != number:
        return IS_MISSING if column["required"] else None
    if number in column["special_codes"]:
        return None
    if column["minimum"] is not None and number < column["minimum"]:
        return column["at_least"]
    if column["maximum"] is not None and number > column["maximum"]:
        return column["at_most"]
    return None
