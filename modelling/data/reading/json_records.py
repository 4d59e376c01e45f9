"""JSON: one object a line (JSON lines), or one array of objects."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import chain, islice
from typing import IO, Any

from modelling.data.reading.raw_tables import ColumnSelection, Found, RawTable, batch_of
from modelling.refusals import DataRefused
from modelling.scorer.cells import label_text

ROWS_AT_ONCE = 16_384


def is_json(head: bytes) -> bool:
    """Whether a file begins as an object, or as an array of them; [id] may be a name in CSV."""
    return bool(re.match(rb"(\xef\xbb\xbf)?\s*(\{\s*([\"}]|$)|\[\s*([{\]]|$))", head))


def open_json(stream: IO[bytes], wanted: ColumnSelection) -> RawTable:
    """The columns are the keys of the first rows; what a row lacks is missing in it.

    Raises DataRefused where a line is no object, holds columns rather than a row, or has a wanted
    key that the first rows lack, or the same key twice.
    """
    wanted.refuse_header_line("JSON")
    records = _records(stream, wanted)
    first = list(islice(records, ROWS_AT_ONCE))
    _refuse_columns(first, wanted)
    names = {key: wanted.name(key) for row in first for key in row}
    wanted.refuse_names(list(names.values()))
    wanted.refuse_foreign(list(names.values()))
    twice = {name for name, keys in Counter(names.values()).items() if keys > 1}
    if twice and wanted.declared:  # " note" beside "note": neither gives way
        names = {key: name if name in wanted.declared else key for key, name in names.items()}
        twice = set()
    taken = {k: name for k, name in names.items() if name not in twice and wanted.takes(name)}
    batches = _batches(chain(first, records), names, taken, wanted)
    return RawTable([*taken.values()], batches, Found(named_twice=tuple(sorted(twice))))


def _refuse_columns(rows: list[dict[str, Any]], wanted: ColumnSelection) -> None:
    """One object of nothing but lists and objects holds columns; and where none of its keys is
    wanted by name, a list of objects in it is the table, as many programs answer."""
    if len(rows) != 1 or not rows[0]:
        return
    if not wanted.declared & {*map(wanted.name, rows[0])}:
        for key, value in rows[0].items():
            if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
                raise DataRefused(
                    f"{wanted.shown}: its one JSON object holds the table in '{key}': save that "
                    "array alone (jq '.\"" + key + "\"')"
                )
    if all(isinstance(value, dict | list) for value in rows[0].values()):
        raise DataRefused(
            f"{wanted.shown}: its one JSON object holds a table inside, or columns: give one "
            "object a line (pandas: to_json(orient='records', lines=True)), or one array of objects"
        )


def _records(stream: IO[bytes], wanted: ColumnSelection) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(stream, 1):
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if number == 1 and line.strip()[:1] == b"{" and line.rstrip()[-1:] != b"}":
            yield from _objects([_parsed(line + stream.read(), wanted, "")], wanted)
        elif line.lstrip()[:1] == b"[":
            yield from _objects(_parsed(line + stream.read(), wanted, ""), wanted)
        elif line.strip():
            yield from _objects([_parsed(line, wanted, f" in line {number}")], wanted)


def _parsed(text: bytes, wanted: ColumnSelection, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_named_once)
    except KeyError as twice:
        raise DataRefused(
            f"{wanted.shown}: an object has {twice} twice{where}: which of both is meant?"
        ) from None
    except ValueError:  # also bytes that are not UTF-8
        raise DataRefused(
            f"{wanted.shown} is no JSON{where}: give one object a line, or one array of objects"
        ) from None


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two cells of one column, Python would keep the last one in silence."""
    named = dict(pairs)
    if len(named) < len(pairs):
        raise KeyError(Counter(name for name, _ in pairs).most_common(1)[0][0])
    return named


def _objects(rows: Any, wanted: ColumnSelection) -> Iterator[dict[str, Any]]:
    for row in rows:
        if not isinstance(row, dict):
            raise DataRefused(f"{wanted.shown}: JSON holds something else than objects")
        yield row


def _batches(
    records: Iterator[dict[str, Any]],
    names: Collection[str],
    taken: dict[str, str],
    wanted: ColumnSelection,
) -> Iterator[Any]:
    while rows := list(islice(records, ROWS_AT_ONCE)):
        late = {key for row in rows for key in row if key not in names}
        if late := {key for key in late if wanted.takes(wanted.name(key))}:
            raise DataRefused(f"{wanted.shown}: only later rows have '{min(late)}': add it to all")
        columns = {}
        for key, name in taken.items():
            passed_on = bool(wanted.declared) and name not in wanted.declared
            columns[name] = [_cell(row.get(key), passed_on) for row in rows]
        yield batch_of(columns, wanted)


def _cell(value: Any, passed_on: bool) -> Any:
    """A value as a cell of a table. What is passed on beside the declared columns is text, as in
    CSV: it may be of another type in each row."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return label_text(value) if passed_on else value
