"""From the bytes of a request to raw rows, in the formats of MLflow's scoring server.

What is refused is told without a word of the request, which holds customers' values: MLflow would
quote its rows and a traceback. The first part of a message is MLflow's own where it has one.
"""

import csv
import io
import json
import math
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

TABLE_FORMATS = ("dataframe_records", "dataframe_split", "inputs", "instances")
CANT_READ = "the rows can't be read: "
ONE_TABLE = (
    "The input must be a JSON dictionary with exactly one of the input fields dataframe_records, "
    "dataframe_split, inputs or instances"
)
NOT_JSON = "Ensure that input is a valid JSON formatted string."
NO_RECORDS = "Dataframe records format must be a list of records."
NOT_SPLIT = (
    "Provided dataframe_split field is not a valid dataframe representation: it has 'columns', "
    "each named once, and 'data' with rows of that many cells"
)
NOT_CSV = "Failed to parse input as CSV: UTF-8, with commas, and as many cells in each row"
MAXIMUM_CELLS = 10_000_000  # in rows with different columns, each row counts with all columns
MAXIMUM_LEVELS = 4  # nested lists and objects: dataframe_split has that many
# Matches numbers too large for a float (up to e99 they have some 210 digits), and integers that
# Python refuses to read.
HUGE_NUMBER = re.compile(rb"[0-9]{200}|[eE]\+?[0-9]{3}")

# One row, which needs no pandas; none, or several; or several of which not all have all columns.
Rows = dict[str, Any] | pd.DataFrame | list[dict[str, Any]]


class RequestRefused(Exception):
    """The request is answered with this HTTP status and this message."""

    def __init__(self, status: int, message: str, code: str = "BAD_REQUEST"):
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Table:
    """Rows as lists of cells, or as dictionaries where ``columns`` is None."""

    rows: list[Any]
    columns: list[Any] | None = None

    def refuse_size(self, maximum_rows: int) -> None:
        """Raise RequestRefused where there are too many rows or cells."""
        if len(self.rows) > maximum_rows:
            raise RequestRefused(413, f"more than {maximum_rows:,} rows at once: send fewer rows")
        columns = self.columns
        if columns is None:
            columns = list({name for row in self.rows for name in row})
        if len(self.rows) * len(columns) > MAXIMUM_CELLS:
            raise RequestRefused(413, f"more than {MAXIMUM_CELLS:,} cells at once: send fewer rows")

    def raw_rows(self) -> Rows:
        """The rows as a model takes them. Cells stay as they are: pandas would make floats of whole
        numbers beside a missing one, and of a code of 17 digits another code; and of a column that
        some rows lack it would make one that they have, with a missing cell."""
        if self.columns is None and any(row.keys() != self.rows[0].keys() for row in self.rows):
            return self.rows
        if len(self.rows) != 1:
            return pd.DataFrame(self.rows, columns=self.columns, dtype=object)
        (row,) = self.rows
        return row if self.columns is None else dict(zip(self.columns, row, strict=True))


def read_json(body: bytes) -> tuple[Table, object]:
    """The table of a request, and its ``params``. Raises RequestRefused where it has no table.

    A number too large for a float is read as its text, so that the contract refuses its row only.
    """
    decoder = _LENIENT if HUGE_NUMBER.search(body) else _STRICT
    try:
        given = decoder.decode(body.removeprefix(BOM_UTF8).decode())
        too_deep = _is_deeper(given, MAXIMUM_LEVELS)
    except RecursionError:
        too_deep = True
    except ValueError:
        raise unreadable(NOT_JSON) from None
    if too_deep:
        raise unreadable("lists and objects are nested too deeply")
    formats = [form for form in TABLE_FORMATS if form in given] if isinstance(given, dict) else []
    if len(formats) != 1:
        raise unreadable(ONE_TABLE)
    return _READERS[formats[0]](given[formats[0]]), given.get("params")


def read_csv(body: bytes) -> tuple[Table, None]:
    """The table of a request as text, which the contract reads as that of a file. Raises
    RequestRefused where it is not one: pandas would guess types, and make 1 of 001."""
    try:
        text = io.StringIO(body.decode("utf-8-sig"), newline="")
        lines = [line for line in csv.reader(text, strict=True) if line]
    except (ValueError, csv.Error):
        raise unreadable(NOT_CSV) from None
    if not lines:
        raise unreadable(NOT_CSV)
    return _checked(Table(lines[1:], lines[0]), NOT_CSV), None


READERS = {"application/json": read_json, "text/csv": read_csv}


def unreadable(why: str) -> RequestRefused:
    """To raise where a request holds no table, for the reason ``why``."""
    return RequestRefused(400, CANT_READ + why)


def reasons_in(params: object, gives_reasons: bool) -> int:
    """How many reasons ``params`` ask for. Raises RequestRefused for anything else in them, which
    MLflow would quote, or ignore in silence."""
    if params is None or params == {}:
        return 0
    reasons = params.get("reasons") if isinstance(params, dict) and len(params) == 1 else None
    if not isinstance(reasons, int) or isinstance(reasons, bool) or not 0 <= reasons <= 1000:
        raise RequestRefused(400, 'params: send {"reasons": 4}, a whole number up to 1000')
    if not gives_reasons:
        message = "this model was registered before models gave reasons: train again"
        raise RequestRefused(400, f"params: {message}")
    return reasons


def _records(given: Any) -> Table:
    if not isinstance(given, list) or not all(isinstance(row, dict) for row in given):
        raise unreadable(NO_RECORDS)
    return Table(given)


def _split(given: Any) -> Table:
    if not isinstance(given, dict):
        raise unreadable("Dataframe split format must be a dictionary.")
    rows, columns, index = (given.get(name) for name in ("data", "columns", "index"))
    if not (isinstance(rows, list) and isinstance(columns, list)):
        raise unreadable(NOT_SPLIT)
    numbered = index is None or (isinstance(index, list) and len(index) == len(rows))
    if not numbered or given.keys() - {"data", "columns", "index"}:
        raise unreadable(NOT_SPLIT)
    return _checked(Table(rows, columns), NOT_SPLIT)


def _by_row_or_column(given: Any) -> Table:
    """``inputs`` and ``instances``. MLflow would make arrays of them, in which true among numbers
    is 1."""
    if not isinstance(given, dict):
        return _records(given)
    if not any(isinstance(cells, list) for cells in given.values()):
        return Table([given])
    try:
        rows = [list(row) for row in zip(*given.values(), strict=True)]
    except (TypeError, ValueError):  # a column is no list, or shorter than the others
        raise unreadable("send lists of the same length, one for each column") from None
    return Table(rows, list(given))


_READERS: dict[str, Callable[[Any], Table]] = {
    "dataframe_records": _records,
    "dataframe_split": _split,
    "inputs": _by_row_or_column,
    "instances": _by_row_or_column,
}


def _checked(table: Table, message: str) -> Table:
    """``table``, unless a column has no name or that of another, or a row too few or many cells."""
    columns = table.columns or ()
    named = all(isinstance(name, str | int) for name in columns)
    if not named or len({*columns}) < len(columns):
        raise unreadable(message)
    if not all(isinstance(row, list) and len(row) == len(columns) for row in table.rows):
        raise unreadable(message)
    return table


def _is_deeper(given: object, levels: int) -> bool:
    if not isinstance(given, dict | list):
        return False
    inside = given.values() if isinstance(given, dict) else given
    return levels == 0 or any(_is_deeper(value, levels - 1) for value in inside)


def _refuse_constant(name: str) -> None:
    raise unreadable(f"{name} is not JSON, send null for a missing number")


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two cells of one column, Python would keep the last one in silence."""
    named = dict(pairs)
    if len(named) < len(pairs):
        raise unreadable("an object has the same name twice")
    return named


def _float(text: str) -> float | str:
    return number if math.isfinite(number := float(text)) else text


def _int(text: str) -> int | str:
    return int(text) if len(text) < 300 else text


_SAME: dict[str, Any] = {
    "parse_constant": _refuse_constant,
    "object_pairs_hook": _named_once,
}
_STRICT = json.JSONDecoder(**_SAME)
_LENIENT = json.JSONDecoder(**_SAME, parse_float=_float, parse_int=_int)
