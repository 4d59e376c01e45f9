"""What a registered model accepts, and how it answers what it can't accept.

This file travels inside every registered model beside ``scoring.py``, so it imports nothing of this
project. A rule is named by its column and its words, never with the value that broke it.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
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
    ``categories``, ``required``) and ``off_contract``: whether a row with a broken rule is refused,
    or its cell treated as missing, and with a missing column all of them. Infinite numbers count as
    missing, as they do in training.
    """

    def __init__(self, state: dict[str, Any], label_text: Callable[[object], str]):
        self.columns: list[dict[str, Any]] = state["columns"]
        self.refuses: bool = state["off_contract"] == "refuse_row"
        self.label_text = label_text
        for column in self.columns:
            if column["categories"] is not None:
                column["categories"] = {label_text(label) for label in column["categories"]}

    def check(self, frame: pd.DataFrame) -> tuple[Columns, np.ndarray]:
        """The cells that keep the rules (numbers float64, labels as text), all others missing; and
        per row the rules that it breaks, as text (n,), empty where it keeps all of them.

        Raises InputRefused where a column is missing, if that is not to be treated as missing
        cells, or where all are.
        """
        absent = self._absent(frame.columns)
        if absent:
            frame = frame.assign(**dict.fromkeys(absent))
        arrays: dict[str, np.ndarray] = {}
        broken = np.full(len(frame), "", dtype=object)
        for column in self.columns:
            read = self._numbers if column["kind"] == "number" else self._labels
            arrays[column["name"]], wrong = read(frame[column["name"]], column)
            if column["name"] in absent:
                wrong = [(IS_THERE, np.ones(len(frame), dtype=bool))]
            for rule, rows in ((rule, rows) for rule, rows in wrong if rows.any()):
                said = f"{column['name']}: {rule}"
                broken[rows] = [f"{one}; {said}" if one else said for one in broken[rows]]
        return Columns(arrays, len(frame)), broken

    def check_row(self, row: Mapping[str, Any]) -> tuple[Columns, str]:
        """``check`` for one row as a dictionary, without pandas."""
        absent = self._absent(row)
        if absent:
            row = {**row, **dict.fromkeys(absent)}
        arrays, broken = {}, []
        for column in self.columns:
            name, kind = column["name"], np.float64 if column["kind"] == "number" else object
            cell, rule = self._read(row[name], column)
            arrays[name] = np.array([cell], dtype=kind)
            rule = IS_THERE if name in absent else rule
            if rule:
                broken.append(f"{name}: {rule}")
        return Columns(arrays, 1), "; ".join(broken)

    def _absent(self, given: Any) -> list[str]:
        """The columns that are not among ``given`` ones. Raises InputRefused where they must be."""
        absent = [column["name"] for column in self.columns if column["name"] not in given]
        if absent and (self.refuses or len(absent) == len(self.columns)):
            raise InputRefused(f"missing columns: {', '.join(absent)}")
        return absent

    def _read(self, cell: Any, column: dict[str, Any]) -> tuple[Any, str | None]:
        """The cell, missing where it breaks a rule, and that rule."""
        if column["kind"] == "number":
            number = _number(cell)
            if number is None:
                return math.nan, NOT_A_NUMBER
            rule = next((rule for rule, off in _off_range(number, column) if off), None)
            return (math.nan if rule else number), rule
        text = self._label(cell)
        if text is None:
            return None, IS_MISSING if column["required"] else None
        unknown = column["categories"] is not None and text not in column["categories"]
        return (None, UNKNOWN) if unknown else (text, None)

    def _numbers(self, cells: pd.Series, column: dict[str, Any]) -> tuple[np.ndarray, _Broken]:
        wrong: _Broken = []
        try:
            values = cells.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
        except (ValueError, TypeError):  # some cell is not a number
            read = [_number(cell) for cell in cells]
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
        texts = np.array([*(self._label(label) for label in labels), None], dtype=object)
        wrong: _Broken = []
        if column["categories"] is not None:
            unknown = np.array([text not in {None, *column["categories"]} for text in texts])
            wrong.append((UNKNOWN, unknown[codes]))
            texts[unknown] = None
        if column["required"]:
            wrong.append((IS_MISSING, codes == -1))
        return texts[codes], wrong

    def _label(self, cell: Any) -> str | None:
        if cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell)):
            return None
        return self.label_text(cell)


def _number(cell: Any) -> float | None:
    """The cell as a number, NaN where there is none; None where it is something else."""
    if cell is None or cell is pd.NA:
        return math.nan
    try:
        return float(cell)
    except (ValueError, TypeError):
        return None


def _off_range(values: Any, column: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The rules on the size of numbers (one, or an array), and where they are broken."""
    low, high = column["minimum"], column["maximum"]
    if low is not None:
        yield f"is at least {low:g}", values < low
    if high is not None:
        yield f"is at most {high:g}", values > high
    if column["required"]:
        yield IS_MISSING, values != values


class Model:
    """A packaged model behind its contract: raw rows in; answers, version and broken rules out.

    ``folder`` holds ``scoring.py``, ``scorer.json`` and ``network.onnx``. A refused row has no
    answer (None) and its ``broken_rules``.
    """

    def __init__(self, folder: Path, version: str):
        scoring = run_path(str(folder / "scoring.py"))
        state = json.loads((folder / "scorer.json").read_text())
        self.scorer = scoring["Scorer"](folder)
        self.contract = Contract(state["contract"], scoring["label_text"])
        self.version = version

    def answer(self, frame: pd.DataFrame) -> pd.DataFrame:
        """One row of answers per row of ``frame``, in its order. Raises InputRefused."""
        starts = range(0, max(len(frame), 1), ROWS_AT_ONCE)
        parts = [self._answer(frame.iloc[start : start + ROWS_AT_ONCE]) for start in starts]
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)

    def _answer(self, frame: pd.DataFrame) -> pd.DataFrame:
        columns, broken = self.contract.check(frame)
        answers = pd.DataFrame(self.scorer.answers(columns))
        refused = broken != ""
        if self.contract.refuses and refused.any():
            answers = answers.astype(object)
            answers.loc[refused] = None
        return answers.assign(model_version=self.version, broken_rules=broken.astype("str"))

    def answer_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The answer for one row, as plain Python values. Raises InputRefused."""
        columns, broken = self.contract.check_row(row)
        answers = {name: one[0].item() for name, one in self.scorer.answers(columns).items()}
        if broken and self.contract.refuses:
            answers = dict.fromkeys(answers)
        return {**answers, "model_version": self.version, "broken_rules": broken}
