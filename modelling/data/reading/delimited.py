"""Delimited text: its encoding, its delimiter, its header, and its cells as they stand."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.csv

from modelling.data.reading.header_lines import LOOKED_AT, refuse_title, refuse_units
from modelling.data.reading.raw_tables import (
    NOT_A_TABLE,
    ColumnSelection,
    RawTable,
    unique_names,
)
from modelling.refusals import DataRefused, UsageError

BLOCK_BYTES = 16 << 20
HEAD_BYTES = 1 << 18
BEHIND = "\0"  # begins what cells without a name are called: no name of a file has it
DELIMITERS = (",", ";", "\t", "|")
csv.field_size_limit(HEAD_BYTES)  # by another delimiter, one cell may be all that is looked at


def open_delimited(stream: IO[bytes], wanted: ColumnSelection) -> RawTable:
    """How the text is written is told by its first bytes; its cells are read as they stand."""
    head = _peek(stream)
    if not head.strip():
        raise DataRefused(f"{wanted.shown} is empty")
    encoding = wanted.source.encoding or _encoding(head, wanted)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    delimiter = wanted.source.delimiter or _delimiter(text, wanted)
    header = _header(text, delimiter, wanted)
    columns, found = wanted.columns(header.names)
    names, taken = unique_names(header.names), [*columns.values()]
    behind = [f"{BEHIND}{number}" for number in range(header.cells_behind)]
    batches = _csv_batches(
        stream,
        pyarrow.csv.ReadOptions(
            block_size=BLOCK_BYTES,
            column_names=names + behind,
            skip_rows=header.lines,
            encoding=_arrows(encoding),
        ),
        pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names + behind, pa.string()),
            include_columns=taken + behind,
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    found = found._replace(settings=_not_declared(wanted, delimiter, encoding))
    return RawTable(taken, _without_behind(batches, taken, wanted), found, is_text=True)


class _Header(NamedTuple):
    """The names of the columns, how many ``lines`` end with them, and how many cells of the first
    row stand behind those that are named."""

    names: list[str]
    lines: int
    cells_behind: int


def _header(text: str, delimiter: str, wanted: ColumnSelection) -> _Header:
    """Raises DataRefused where the line that would be the header names no columns."""
    _refuse_other_separators(text, delimiter, wanted)
    if wanted.source.header_line is None:
        refuse_title(_lines(text, delimiter, wanted)[1], wanted.shown)
    refuse_units(_lines(text, delimiter, wanted)[1], wanted.source.missing, wanted.shown)
    reader, rows = _lines(text, delimiter, wanted)
    _, cells = next(rows, (0, []))
    if not cells:
        raise UsageError(f"{wanted.shown} has no line {wanted.source.header_line}")
    if any("\ufffd" in name for name in cells):
        raise UnicodeError
    names = [wanted.name(name) for name in cells]
    wanted.refuse_names(names)
    wanted.refuse_foreign(names)
    lines = reader.line_num
    _, first = next(rows, (0, []))
    return _Header(names, lines, max(len(first) - len(names), 0))


def _not_declared(wanted: ColumnSelection, delimiter: str, encoding: str) -> dict[str, str]:
    """How the text is written beyond commas and UTF-8, where the source does not say so."""
    found = {"delimiter": delimiter, "encoding": encoding}
    usual = {"delimiter": ",", "encoding": "utf-8-sig"}
    return {
        name: taken
        for name, taken in found.items()
        if taken != usual[name] and not getattr(wanted.source, name)
    }


def _lines(
    text: str, delimiter: str, wanted: ColumnSelection
) -> tuple[Any, Iterator[tuple[int, list[str]]]]:
    """A reader of the text, and its rows with cells by the number of the line that they begin in,
    from the declared header on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)

    def rows() -> Iterator[tuple[int, list[str]]]:
        begins = 1
        for row in reader:
            if row and begins >= (wanted.source.header_line or 1):
                yield begins, row
            begins = reader.line_num + 1

    return reader, rows()


def _refuse_other_separators(text: str, delimiter: str, wanted: ColumnSelection) -> None:
    """Blanks between cells, and single quotes around them, are read by nothing here."""
    lines = [line for line in text.splitlines()[:LOOKED_AT] if line.strip()]
    quoted = rf"(?:^|{re.escape(delimiter)})'[^'\"]*'(?=\s*{re.escape(delimiter)}|\s*$)"
    if sum(bool(re.search(quoted, line)) for line in lines) > len(lines) / 2:
        raise DataRefused(
            f'{wanted.shown}: cells stand in single quotes: save it with double quotes (") or none'
        )
    parts = {len(line.split()) for line in lines}
    if len(lines) > 1 and len(parts) == 1 and {*parts} != {1} and delimiter not in text:
        raise DataRefused(
            f"{wanted.shown}: cells seem to be separated by blanks: save it with commas, "
            "semicolons or tabs between them"
        )


def _arrows(encoding: str) -> str:
    """Arrow reads its own "utf8", with a mark or without, without a detour over Python."""
    return "utf8" if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii") else encoding


def _csv_batches(stream: IO[bytes], options: Any, parse: Any, cells: Any) -> Iterator[Any]:
    """Opened late: a file of nothing but a header has no batch, which Arrow calls an error."""
    try:
        with pyarrow.csv.open_csv(stream, options, parse, cells) as reader:
            yield from (batch for batch in reader if len(batch))
    except pa.ArrowInvalid as error:
        said = str(error)
        if "Empty CSV file" in said:
            return
        if "columns, got" not in said or not (line := _other_width(stream, options, parse)):
            raise
        raise pa.ArrowInvalid(f"Row #{line}: Expected{said.partition('Expected')[2]}") from None


def _other_width(stream: IO[bytes], options: Any, parse: Any) -> int | None:
    """The first line below the header that has more or fewer cells: Arrow counts rows, if at all,
    and neither empty lines nor those within a cell."""
    stream.seek(0)
    text = io.TextIOWrapper(stream, options.encoding, errors="replace", newline="")
    reader, begins = csv.reader(text, delimiter=parse.delimiter), 1
    with suppress(csv.Error):
        for row in reader:
            if row and begins > options.skip_rows and len(row) != len(options.column_names):
                return begins
            begins = reader.line_num + 1
    return None


def _peek(stream: IO[bytes]) -> bytes:
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    return head


def _without_behind(
    batches: Iterator[pa.RecordBatch], names: list[str], wanted: ColumnSelection
) -> Iterator[pa.RecordBatch]:
    """Lines may end in delimiters that the header lacks, as long as nothing stands behind them."""
    for batch in batches:
        behind = [name for name in batch.schema.names if name.startswith(BEHIND)]
        if any(batch.column(name).null_count < len(batch) for name in behind):
            raise DataRefused(
                f"{wanted.shown}: lines have {len(behind)} more cells than the header has names: "
                "correct the header"
            )
        yield batch.select(names)


BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def _encoding(head: bytes, wanted: ColumnSelection) -> str:
    """UTF-8, or what a byte order mark or the place of zero bytes makes certain."""
    for mark, name in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return name
    even, odd = head[0:2000:2].count(0), head[1:2000:2].count(0)
    if odd > 0.7 * len(head[1:2000:2]) and not even:
        return "utf-16-le"
    if even > 0.7 * len(head[0:2000:2]) and not odd:
        return "utf-16-be"
    if b"\0" in head:
        raise DataRefused(f"{wanted.shown} {NOT_A_TABLE}")
    return "utf-8-sig"


def _delimiter(text: str, wanted: ColumnSelection) -> str:
    """The one under which the header names most of the declared columns, or has most cells, or
    where it is a title, the lines below it have."""

    def names_of(delimiter: str) -> tuple[int, int, int]:
        rows = [cells for _, cells in islice(_lines(text, delimiter, wanted)[1], LOOKED_AT)] or [[]]
        declared = len(wanted.declared & {*map(wanted.name, rows[0])})
        return declared, len(rows[0]), sum(map(len, rows))

    return max(DELIMITERS, key=names_of)
