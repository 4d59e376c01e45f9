"""What is wanted of a table, the table as it stands in its file, and why it can't be read."""

import csv
import gzip
import lzma
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from modelling.declaration import Source
from modelling.refusals import DataRefused, UsageError
from modelling.scorer.cells import composed, label_text
from modelling.scorer.column_names import as_written, spelled_otherwise

DAMAGED = (
    pa.ArrowException, ValueError, EOFError, csv.Error, zipfile.BadZipFile, gzip.BadGzipFile,
    lzma.LZMAError, zlib.error,
)  # fmt: skip
NOT_A_TABLE = "is not a table, or was cut off: give CSV, Parquet, Excel or JSON lines"


class Found(NamedTuple):
    """What was found out of a file that its source does not declare: ``settings`` of the source by
    name, the columns that are ``named_twice``, and how many ``nameless``, which are left out, and
    so are ``report_lines``: the header again and totals.
    """

    settings: dict[str, str] = {}
    named_twice: tuple[str, ...] = ()
    nameless: int = 0
    report_lines: int = 0

    def in_words(self) -> tuple[str, ...]:
        words = [f"{name} {value!r}" for name, value in self.settings.items()]
        if self.named_twice:
            words.append(f"columns named twice, left out: {', '.join(self.named_twice)}")
        if self.nameless:
            words.append(f"columns without a name, left out: {self.nameless:,}")
        if self.report_lines:
            words.append(f"lines with the header again or totals, left out: {self.report_lines:,}")
        return tuple(words)


class RawTable(NamedTuple):
    """The columns' names in the order of the table, its batches of them, what was found out of
    the file, and whether a spreadsheet may have written it."""

    names: list[str]
    batches: Iterator[pa.RecordBatch]
    found: Found = Found()
    is_text: bool = False


@dataclass(frozen=True)
class ColumnSelection:
    """What is wanted of a table: the ``declared`` columns that are there, and the ``rest`` too
    where that is true. ``shown`` is the address as people may see it, without secrets; ``numbers``
    are the columns that will be read as numbers, as far as that is known."""

    source: Source
    shown: str
    declared: frozenset[str]
    rest: bool
    numbers: frozenset[str] = frozenset()

    def takes(self, name: str) -> bool:
        return name in self.declared or self.rest

    def name(self, header: str) -> str:
        """A name in a header, unless it is declared as it stands there: blanks around it do not
        count, and letters with accents are composed, as in labels."""
        return header if header in self.declared else composed(header.strip())

    def refuse_foreign(self, names: list[str]) -> None:
        """A table with none of the declared columns is another one, or read from a wrong line."""
        if self.declared and not self.declared & set(names):
            raise DataRefused(
                f"{self.shown} names none of the declared columns: is its first line the header "
                "(else add header_line to the source), and is it CSV, Parquet, Excel or JSON "
                "lines?",
                settings={"header_line": None, "delimiter": None},
            )

    def refuse_names(self, names: list[str]) -> None:
        """What is declared must be one column, and be called as it is declared."""
        if twice := sorted(n for n in self.declared if names.count(n) > 1):
            raise DataRefused(f"{self.shown}: columns named twice: {', '.join(twice)}")
        if others := spelled_otherwise(self.declared, names):
            told = ", ".join(
                f"{as_written(name)} (not {as_written(others[name])})" for name in sorted(others)
            )
            raise DataRefused(f"{self.shown}: columns must be called as they are declared: {told}")

    def refuse_header_line(self, kind: str) -> None:
        """Only text and sheets have lines, one of which names the columns."""
        if self.source.header_line is not None:
            raise UsageError(
                f"{self.shown}: header_line={self.source.header_line} means nothing in {kind}, "
                "whose columns have names: remove it from the source"
            )

    def columns(self, names: list[str]) -> tuple[dict[int, str], Found]:
        """Those of the columns of a header (n,) that are taken, by their place in it, and what is
        left out. Raises DataRefused where what is declared is none of them, or several.

        Of other names that stand twice the second becomes NAME.1, as in pandas; where nothing is
        declared, both are left out: neither could be. So are columns without a name.
        """
        self.refuse_names(names)
        twice = {n for n in names if names.count(n) > 1 and n.strip() and not self.declared}
        taken = {
            at: unique
            for at, (name, unique) in enumerate(zip(names, unique_names(names), strict=True))
            if name.strip() and name not in twice and self.takes(unique)
        }
        nameless = 0 if self.declared else sum(not name.strip() for name in names)
        return taken, Found(named_twice=tuple(sorted(twice)), nameless=nameless)

    def text_of(self, name: str, cell: object) -> str | None:
        """A cell among others of another type, as text. A number among words will be read as text
        is declared to write numbers, so it is written so: 1.234 is not 1234."""
        text = label_text(cell)
        if text and name in self.numbers and not isinstance(cell, str):
            return text.replace(".", self.source.decimal)
        return text


def unique_names(names: list[str]) -> list[str]:
    """The names (n,) with a number behind those that stand there before, which makes none of the
    others: a, a and a.1 become a, a.2 and a.1."""
    number, given, unique = Counter[str](), {*names}, dict[str, None]()
    for name in names:
        one = name
        while one in unique or (number[name] and one in given):
            number[name] += 1
            one = f"{name}.{number[name]}"
        unique[one] = None
    return [*unique]


def in_plain_words(batches: Iterator[pa.RecordBatch], shown: str) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except Exception as error:
        raise plain_error(error, shown) from None


def plain_error(error: Exception, shown: str) -> Exception:
    """What a reader raised, in one line without the cells that libraries quote."""
    said = str(error)
    if isinstance(error, UsageError | DataRefused):
        return error
    if isinstance(error, FileNotFoundError):
        return UsageError(_absent(error, shown))
    if isinstance(error, ImportError):
        return UsageError(f"{shown}: reading this address needs a package: {error}")
    if isinstance(error, LookupError) and "encoding" in said:
        return UsageError(f"{shown}: there is no such encoding")
    if isinstance(error, UnicodeError) or "UTF8" in said or "utf-8" in said.lower():
        return DataRefused(
            f"{shown} holds bytes that are not UTF-8: add encoding='cp1252' (Western Windows), "
            "'latin-1', 'cp932' (Japanese) or what it was written in to the source (finflows "
            "score: --source encoding=cp1252)",
            settings={"encoding": "cp1252"},
        )
    if "Expected" in said and "columns, got" in said:
        return DataRefused(f"{shown}: {_ragged(said)}")
    if isinstance(error, DAMAGED) or type(error).__module__ == "python_calamine":
        return DataRefused(f"{shown} {NOT_A_TABLE}")
    # Such as that of a client of cloud storage, which quotes the signed address.
    return UsageError(f"{shown} can't be read: {type(error).__name__}")


def _absent(error: FileNotFoundError, shown: str) -> str:
    """fsspec calls all addresses absent that it can't open; the reason is what came before."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    status = getattr(cause, "status", None)
    if status in (401, 403):
        return f"{shown}: access is denied ({status}): is its signature or password still valid?"
    if cause is error or status == 404:
        return f"no such file: {shown}"
    return f"{shown} can't be read: {type(cause).__name__}"


def _ragged(said: str) -> str:
    """Arrow's words without the row that it quotes."""
    row = said.partition("Row #")[2].partition(":")[0]
    expected, _, got = said.partition("Expected ")[2].partition(" columns, got ")
    got = got.partition(":")[0].split()[0]
    where = f"line {row}" if row else "a line"
    return (
        f"{where} has {got} cell{'' if got == '1' else 's'} where the header names {expected}: "
        "correct it, or where the "
        "header is not the first line, add header_line to the source"
    )


def with_text(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches with text for bytes, as some programs write text to Parquet, and for UUIDs, of
    which libraries make bytes; and with the cells themselves of a column that is kept as a
    dictionary of them, as pandas keeps categories: 007 is text there, too."""
    for batch in batches:
        for at, packed in enumerate(batch.schema):
            if pa.types.is_dictionary(packed.type):
                cells = batch.column(at).dictionary_decode()
                batch = batch.set_column(at, packed.name, cells)
        for at, column in enumerate(batch.schema):
            if pa.types.is_string_view(column.type):  # of which Arrow can select no rows
                batch = batch.set_column(at, column.name, batch.column(at).cast(pa.string()))
            if _is_bytes(column.type) or _is_uuid(column.type):
                texts = pa.array(map(label_text, batch.column(at).to_pylist()), pa.string())
                batch = batch.set_column(at, column.name, texts)
        yield batch


def _is_bytes(kind: pa.DataType) -> bool:
    of_one_size = pa.types.is_fixed_size_binary(kind)
    of_any = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return of_one_size or of_any or pa.types.is_binary_view(kind)


def _is_uuid(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.uuid"


def batch_of(columns: dict[str, list[Any]], wanted: ColumnSelection) -> pa.RecordBatch:
    """Lists of Python values (n,) as one batch; where a column's values are of several types, each
    becomes text."""
    arrays = {name: _array(name, cells, wanted) for name, cells in columns.items()}
    return pa.RecordBatch.from_pydict(arrays)


def _array(name: str, cells: list[Any], wanted: ColumnSelection) -> pa.Array:
    try:
        return pa.array(cells, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([wanted.text_of(name, cell) for cell in cells], pa.string())
