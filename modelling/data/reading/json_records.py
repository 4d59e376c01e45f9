"""JSON: one object a line (JSON lines), or one array of objects."""

import json
from collections.abc import Iterator
from itertools import chain, islice
from typing import IO, Any

from modelling.data.reading.raw_tables import ColumnSelection, RawTable, batch_of
from modelling.refusals import DataRefused

ROWS_AT_ONCE = 16_384


def is_json(head: bytes) -> bool:
    """Whether a file begins as an object, or as an array of them."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def open_json(stream: IO[bytes], wanted: ColumnSelection) -> RawTable:
    """The columns are the keys of the first rows; what a row lacks is missing in it.

    Raises DataRefused where a line is no object, or has a key that the first rows lack.
    """
    records = _records(stream, wanted)
    first = list(islice(records, ROWS_AT_ONCE))
    names = list(dict.fromkeys(wanted.name(key) for row in first for key in row))
    wanted.refuse_foreign(names)
    wanted.refuse_doubles(names)
    taken = [name for name in names if wanted.takes(name)]
    return RawTable(taken, _batches(chain(first, records), names, taken, wanted))


def _records(stream: IO[bytes], wanted: ColumnSelection) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(stream, 1):
        if number == 1 and (line := line.removeprefix(b"\xef\xbb\xbf")).lstrip()[:1] == b"[":
            yield from _objects(_parsed(line + stream.read(), wanted, ""), wanted)
        elif line.strip():
            yield from _objects([_parsed(line, wanted, f" in line {number}")], wanted)


def _parsed(text: bytes, wanted: ColumnSelection, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # also bytes that are not UTF-8
        raise DataRefused(
            f"{wanted.shown} is no JSON{where}: give one object a line, or one array of objects"
        ) from None


def _objects(rows: Any, wanted: ColumnSelection) -> Iterator[dict[str, Any]]:
    for row in rows:
        if not isinstance(row, dict):
            raise DataRefused(f"{wanted.shown}: JSON holds something else than objects")
        yield row


def _batches(
    records: Iterator[dict[str, Any]], names: list[str], taken: list[str], wanted: ColumnSelection
) -> Iterator[Any]:
    known = {*names}
    while rows := list(islice(records, ROWS_AT_ONCE)):
        rows = [{wanted.name(key): cell for key, cell in row.items()} for row in rows]
        if late := {key for row in rows for key in row} - known:
            raise DataRefused(f"{wanted.shown}: only later rows have '{min(late)}': add it to all")
        yield batch_of({name: [row.get(name) for row in rows] for name in taken})
