"""What a registered model accepts, and how it answers what it can't accept.

This file travels inside every registered model beside ``scoring.py``, so it imports nothing of this
project. A rule is named by its column and its words, never with the value that broke it.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pandas as pd

ROWS_AT_ONCE = 65_536  # bounds the memory of scoring, whatever the size of the table
NOT_A_NUMBER, IS_MISSING, UNKNOWN = "is a number", "is not missing", "is a declared category"
IS_THERE = "is there"
_Broken = list[tuple[str, np.ndarray]]  # a rule, and which rows (n,) break it


class InputRefused(ValueError):
    """No row can be scored: columns are missing, or there is nothing."""


class Columns:
    """Plain arrays by column name, read as a frame is: pandas takes longer to look up one cell of a
    row than the network takes to score it."""

    def __init__(self, arrays: dict[str, np.ndarray], rows: int):
        self.arrays, self.rows = arrays, rows

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def __len__(self) -> int:
        return self.rows


class Contract:
    """The declared types, ranges and categories of the raw columns, as plain data.

    ``state`` has ``columns`` (each with ``name``, ``kind``, ``minimum``, ``maximum``,
    ``special_codes``, to which no range applies, ``categories``, ``required``,
    ``unknown_at_most``, and ``zero_or_one``: training rows had no other number there, so True and
    False are numbers, as in training) and ``off_contract``: whether a row with a broken rule is
    refused, or its cell treated as missing, and with a missing column all of them. Infinite numbers
    count as missing, as they do in training. ``scoring`` is the module of that name, as a
    dictionary; ``trained`` are the labels that the model names, by column: those that enough
    training rows had.
    """

    def __init__(
        self,
        state: dict[str, Any],
        scoring: Mapping[str, Any],
        trained: Mapping[str, Iterable[str]],
    ):
        self.columns: list[dict[str, Any]] = state["columns"]
        self.refuses: bool = state["off_contract"] == "refuse_row"
        self.number_of = scoring["number_of"]
        self.truth_of = scoring.get("truth_of", self.number_of)  # older models: the same there
        self.trained = {name: frozenset(labels) for name, labels in trained.items()}
        self.labels: dict[str, Any] = {}
        for column in self.columns:
            if column["categories"] is not None:
                texts = {scoring["label_text"](label) for label in column["categories"]}
                column["categories"] = texts
            if column["kind"] == "category":
                known = column["categories"] or self.trained.get(column["name"], ())
                self.labels[column["name"]] = scoring["Labels"](known)

    def check(self, frame: pd.DataFrame) -> tuple[Columns, np.ndarray, np.ndarray]:
        """The cells that keep the rules (numbers float64, labels as text), all others missing; per
        row the rules that it breaks, as text (n,), empty where it keeps all of them; and per row
        the columns whose label is unknown, as text (n,).

        Raises InputRefused where a column is missing, if that is not to be treated as missing
        cells, or where all are.
        """
        absent = self._absent(frame.columns)
        if absent:
            frame = frame.assign(**dict.fromkeys(absent))
        arrays: dict[str, np.ndarray] = {}
        broken, unknown = (np.full(len(frame), "", dtype=object) for _ in range(2))
        for column in self.columns:
            read = self._numbers if column["kind"] == "number" else self._labels
            arrays[column["name"]], wrong = read(frame[column["name"]], column)
            if column["name"] in absent:
                wrong = [(IS_THERE, np.ones(len(frame), dtype=bool))]
            for rule, rows in wrong:
                _say(f"{column['name']}: {rule}", rows, broken)
            if column["kind"] == "category":
                _say(column["name"], self._unknown(arrays[column["name"]], column["name"]), unknown)
        return Columns(arrays, len(frame)), broken, unknown

    def _unknown(self, labels: np.ndarray, name: str) -> np.ndarray:
        """Which rows (n,) have a label in the column that the model does not name."""
        known = {None, *self.trained.get(name, ())}
        if known.issuperset(labels.tolist()):  # nearly always, and in a tenth of the time
            return np.zeros(len(labels), dtype=bool)
        return np.array([label not in known for label in labels])

    def check_row(self, row: Mapping[str, Any]) -> tuple[Columns, str, str]:
        """``check`` for one row as a dictionary, without pandas."""
        absent = self._absent(row)
        if absent:
            row = {**row, **dict.fromkeys(absent)}
        arrays, broken, unknown = {}, [], []
        for column in self.columns:
            name, kind = column["name"], np.float64 if column["kind"] == "number" else object
            cell, rule = self._read(row[name], column)
            arrays[name] = np.array([cell], dtype=kind)
            rule = IS_THERE if name in absent else rule
            if rule:
                broken.append(f"{name}: {rule}")
            if column["kind"] == "category" and cell not in {None, *self.trained.get(name, ())}:
                unknown.append(name)
        return Columns(arrays, 1), "; ".join(broken), "; ".join(unknown)

    def _absent(self, given: Any) -> list[str]:
        """The columns that are not among ``given`` ones. Raises InputRefused where they must be."""
        absent = [column["name"] for column in self.columns if column["name"] not in given]
        if absent and (self.refuses or len(absent) == len(self.columns)):
            raise InputRefused(f"missing columns: {', '.join(absent)}")
        return absent

    def _read(self, cell: Any, column: dict[str, Any]) -> tuple[Any, str | None]:
        """The cell, missing where it breaks a rule, and that rule."""
        if column["kind"] == "number":
            number = self._number(cell, column)
            if number is None:
                return math.nan, NOT_A_NUMBER
            rule = next((rule for rule, off in _off_range(number, column) if off), None)
            return (math.nan if rule else number), rule
        text = self.labels[column["name"]].find(cell)
        if text is None:
            return None, IS_MISSING if column["required"] else None
        unknown = column["categories"] is not None and text not in column["categories"]
        return (None, UNKNOWN) if unknown else (text, None)

    def _number(self, cell: Any, column: dict[str, Any]) -> float | None:
        number = self.number_of(cell)
        return self.truth_of(cell) if number is None and column.get("zero_or_one") else number

    def _numbers(self, cells: pd.Series, column: dict[str, Any]) -> tuple[np.ndarray, _Broken]:
        values = _plain_numbers(cells)
        wrong: _Broken
        if values is None:
            read = [self._number(cell, column) for cell in cells]
            values = np.array([math.nan if one is None else one for one in read])
            unread = np.array([one is None for one in read])
            wrong = [(NOT_A_NUMBER, unread)]
            wrong += [(rule, off & ~unread) for rule, off in _off_range(values, column)]
        else:
            wrong = list(_off_range(values, column))
        for _, rows in wrong:
            values[rows] = np.nan
        return values, wrong

    def _labels(self, cells: pd.Series, column: dict[str, Any]) -> tuple[np.ndarray, _Broken]:
        try:
            codes, labels = pd.factorize(cells)
        except TypeError:  # a list or a dictionary
            codes, labels = pd.factorize(cells.map(str, na_action="ignore"))
        found = map(self.labels[column["name"]].find, labels)
        texts = np.array([*found, None], dtype=object)
        wrong: _Broken = []
        if column["categories"] is not None:
            unknown = np.array([text not in {None, *column["categories"]} for text in texts])
            wrong.append((UNKNOWN, unknown[codes]))
            texts[unknown] = None
        if column["required"]:
            missing = np.array([label is None for label in (*texts[:-1], None)])
            wrong.append((IS_MISSING, missing[codes]))
        return texts[codes], wrong


def _plain_numbers(cells: pd.Series) -> np.ndarray | None:
    """Cells (n,) that are all numbers or missing, as float64; None where one may be neither.

    NumPy by itself would take "4_5", digits of other scripts and True for numbers, too.
    """
    kind = pd.api.types.infer_dtype(cells, skipna=True)
    if kind not in ("integer", "floating", "mixed-integer-float", "empty"):
        return None
    try:
        return cells.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    except (ValueError, TypeError, OverflowError):  # such as an integer beyond all floats
        return None


def _text(notes: np.ndarray) -> Any:
    """Notes (n,) as a column of text; most often there is none at all."""
    if any(notes.tolist()):
        return notes.astype("str")
    return pd.Series("", index=range(len(notes)), dtype="str")


def _say(what: str, rows: np.ndarray, notes: np.ndarray) -> None:
    """Add ``what`` to the ``notes`` (n,) of these ``rows`` (n,)."""
    if rows.any():
        notes[rows] = [f"{note}; {what}" if note else what for note in notes[rows]]


def _off_range(values: Any, column: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The rules on the size of numbers (one, or an array), and where they are broken."""
    low, high = column["minimum"], column["maximum"]
    sizes = _without_codes(values, column["special_codes"])
    if low is not None:
        yield f"is at least {low:g}", sizes < low
    if high is not None:
        yield f"is at most {high:g}", sizes > high
    if column["required"]:
        yield IS_MISSING, values != values


def _without_codes(values: Any, codes: list[float]) -> Any:
    """Numbers (one, or an array), those missing that mean something else than their size."""
    if not codes:
        return values
    if isinstance(values, float):
        return math.nan if values in codes else values
    return np.where(np.isin(values, codes), np.nan, values)


class Model:
    """A packaged model behind its contract: raw rows in; answers, version and broken rules out.

    ``folder`` holds ``scoring.py``, ``scorer.json`` and ``network.onnx``. A refused row has no
    answer (None) and its ``broken_rules``.
    """

    def __init__(self, folder: Path, version: str):
        scoring = run_path(str(folder / "scoring.py"))
        state = json.loads((folder / "scorer.json").read_text())
        self.scorer = scoring["Scorer"](folder)
        trained = {one["name"]: one["positions"] for one in state["transformer"]["categories"]}
        self.contract = Contract(state["contract"], scoring, trained)
        self.written: dict[str, Any] = state["contract"]["written"]
        self.version = version

    def answer(self, frame: pd.DataFrame) -> pd.DataFrame:
        """One row of answers per row of ``frame``, in its order and with its index.

        ``unknown`` names the columns whose label no training row had, or too few for the model to
        name it. Raises InputRefused.
        """
        starts = range(0, max(len(frame), 1), ROWS_AT_ONCE)
        parts = [self._answer(frame.iloc[start : start + ROWS_AT_ONCE]) for start in starts]
        answers = parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)
        return answers.set_axis(frame.index, axis="index")

    def _answer(self, frame: pd.DataFrame) -> pd.DataFrame:
        columns, broken, unknown = self.contract.check(frame)
        answers = pd.DataFrame(self.scorer.answers(columns))
        refused = broken != ""
        if self.contract.refuses and refused.any():
            answers = answers.astype(object)
            answers.loc[refused] = None
        notes = {"broken_rules": _text(broken), "unknown": _text(unknown)}
        return answers.assign(model_version=self.version, **notes)

    def answer_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The answer for one row, as plain Python values. Raises InputRefused."""
        columns, broken, unknown = self.contract.check_row(row)
        answers = {name: one[0].item() for name, one in self.scorer.answers(columns).items()}
        if broken and self.contract.refuses:
            answers = dict.fromkeys(answers)
        notes = {"broken_rules": broken, "unknown": unknown}
        return {**answers, "model_version": self.version, **notes}
