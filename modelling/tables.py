"""From an address to the raw cells of a table: text as it stands in the file, typed cells as typed.

One reader for training and scoring, whole or batch by batch. What a cell means is decided by the
kind that its column is declared as (``modelling.cells``), never by what a library makes of the
first rows. How a file is packed and written is told by its content, not by its name; what is found
so and not declared is said, and what fits two ways is refused.
"""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from glob import glob, has_magic
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet

from modelling.declared_data import Source
from modelling.refusals import DataRefused, UsageError
from modelling.scoring import label_text

ROWS_AT_ONCE = 131_072
BLOCK_BYTES = 16 << 20
HEAD_BYTES = 1 << 18
DELIMITERS = (",", ";", "\t", "|")
DAMAGED = (
    pa.ArrowException, ValueError, EOFError, csv.Error, zipfile.BadZipFile, gzip.BadGzipFile,
    lzma.LZMAError, zlib.error,
)  # fmt: skip
NOT_A_TABLE = "is not a table: give CSV, Parquet or Excel"


class RawTable(NamedTuple):
    """The columns' names in the order of the table, its batches of them, and what was found out of
    the file that the source does not declare."""

    names: list[str]
    batches: Iterator[pa.RecordBatch]
    found: tuple[str, ...] = ()


def open_table(
    path: str, shown: str, source: Source, declared: Collection[str] = (), rest: bool = False
) -> RawTable:
    """The table of the file, URL, folder or glob ``path``, called ``shown`` to people.

    Only the ``declared`` columns that are there, unless the ``rest`` is wanted too. Raises
    UsageError where nothing can be read there, DataRefused where it is not a table, or one that
    can be read in two ways.
    """
    wanted = _Wanted(source, shown, frozenset(declared), rest)
    try:
        raw = _open(path, wanted)
        return raw._replace(batches=_plainly(raw.batches, shown))
    except Exception as error:
        raise _plain(error, shown) from None


@dataclass(frozen=True)
class _Wanted:
    source: Source
    shown: str
    declared: frozenset[str]
    rest: bool

    def takes(self, name: str) -> bool:
        return name in self.declared or self.rest

    def name(self, header: str) -> str:
        """A name in a header; blanks around it do not count where it is declared without."""
        bare = header.strip()
        return bare if bare in self.declared and header not in self.declared else header

    def refuse_doubles(self, names: list[str]) -> None:
        """What is declared must be one column."""
        if twice := sorted(n for n in self.declared if names.count(n) > 1):
            raise DataRefused(f"{self.shown}: columns named twice: {', '.join(twice)}")


def _plainly(batches: Iterator[pa.RecordBatch], shown: str) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except Exception as error:
        raise _plain(error, shown) from None


def _plain(error: Exception, shown: str) -> Exception:
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
            "'latin-1' or what it was written in to the source"
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
    return f"{where} has {got} cells where the header names {expected}"


def _open(path: str, wanted: _Wanted) -> RawTable:
    if "://" not in path:
        if Path(path).is_dir():
            return _open_folder(Path(path), wanted)
        if has_magic(path) and not Path(path).exists():
            return _open_all(sorted(map(Path, glob(path, recursive=True))), wanted)
    return _open_stream(_stream(path), wanted)


def _stream(path: str) -> IO[bytes]:
    if "://" not in path:
        return Path(path).open("rb")
    import fsspec

    if urlsplit(path).scheme == "file":
        return Path(urlsplit(path).path).open("rb")
    with fsspec.open(path, "rb") as remote:
        return io.BytesIO(remote.read())


def _open_folder(folder: Path, wanted: _Wanted) -> RawTable:
    """All files of a folder in the order of their paths; folders called NAME=VALUE are a column."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    )
    if files and all(_magic(path) == b"PAR1" for path in files):
        names = [str(path) for path in files]
        parts = pyarrow.dataset.partitioning(flavor="hive")
        data: Any = pyarrow.dataset.dataset(
            names, format="parquet", partitioning=parts, partition_base_dir=str(folder)
        )
        wanted.refuse_doubles(data.schema.names)
        taken = [name for name in data.schema.names if wanted.takes(name)]
        batches = data.to_batches(columns=taken, batch_size=ROWS_AT_ONCE)
        return RawTable(taken, (batch for batch in batches if len(batch)))
    return _open_all(files, wanted)


def _magic(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _open_all(files: list[Path], wanted: _Wanted) -> RawTable:
    if not files:
        raise UsageError(f"{wanted.shown}: there is no file")
    tables = [_open_stream(path.open("rb"), wanted) for path in files]
    first = tables[0]
    for path, table in zip(files, tables, strict=True):
        if sorted(table.names) != sorted(first.names):
            raise DataRefused(f"{wanted.shown}: {path.name} has other columns than {files[0].name}")
    batches = (batch.select(first.names) for table in tables for batch in table.batches)
    return RawTable(first.names, batches, first.found)


def _open_stream(stream: IO[bytes], wanted: _Wanted) -> RawTable:
    """A table by its first bytes, unpacked as often as it is packed."""
    head = stream.read(8)
    stream.seek(0)
    if head.startswith(b"PAR1"):
        return _open_parquet(stream, wanted)
    if head.startswith(b"PK\x03\x04"):
        archive = zipfile.ZipFile(stream)
        if "xl/workbook.xml" in archive.namelist():
            return _open_excel(stream, wanted)
        return _open_stream(io.BytesIO(_only_member(archive, wanted)), wanted)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _open_excel(stream, wanted)
    if unpacked := _unpacked(stream, head):
        return _open_stream(unpacked, wanted)
    return _open_csv(stream, wanted)


def _unpacked(stream: IO[bytes], head: bytes) -> IO[bytes] | None:
    if head.startswith(b"\x1f\x8b"):
        return gzip.open(stream)  # type: ignore[return-value]
    if head.startswith(b"\xfd7zXZ"):
        return lzma.open(stream)
    if head.startswith(b"BZh"):
        return bz2.open(stream)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        import zstandard

        reader = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
        return io.BytesIO(reader.read())
    return None


def _only_member(archive: zipfile.ZipFile, wanted: _Wanted) -> bytes:
    members = [
        name
        for name in archive.namelist()
        if not name.endswith("/") and not name.startswith(("__MACOSX/", "."))
    ]
    if len(members) != 1:
        raise DataRefused(f"{wanted.shown} packs {len(members)} files: give one of them")
    try:
        return archive.read(members[0])
    except RuntimeError:  # zipfile's word for a password
        raise UsageError(f"{wanted.shown} is packed with a password: unpack it first") from None


def _open_parquet(stream: IO[bytes], wanted: _Wanted) -> RawTable:
    if not stream.seekable():
        stream = io.BytesIO(stream.read())
    file = pyarrow.parquet.ParquetFile(stream)
    names = file.schema_arrow.names
    wanted.refuse_doubles(names)
    taken = [name for name in dict.fromkeys(names) if wanted.takes(name)]
    batches = file.iter_batches(ROWS_AT_ONCE, columns=taken)
    return RawTable(taken, (batch.select(taken) for batch in batches if len(batch)))


def _open_excel(stream: IO[bytes], wanted: _Wanted) -> RawTable:
    """The declared sheet, or the only one that names all declared columns."""
    sheets = pd.read_excel(
        stream,
        sheet_name=None,
        header=None,
        engine="calamine",
        dtype=object,
        keep_default_na=False,
        na_values=[""],
    )
    sheet = wanted.source.sheet
    if sheet is not None and sheet not in sheets:
        raise UsageError(f"{wanted.shown} has no sheet '{sheet}'; it has {', '.join(sheets)}")
    full = {name: cells.dropna(how="all") for name, cells in sheets.items()}
    full = {name: cells for name, cells in full.items() if len(cells)}
    fitting = [n for n, cells in full.items() if wanted.declared <= set(map(str, cells.iloc[0]))]
    chosen = [sheet] if sheet in full else fitting if len(fitting) == 1 else list(full)
    if len(chosen) != 1:
        raise DataRefused(
            f"{wanted.shown} has {len(full)} sheets with cells: add sheet='...' to the source"
        )
    cells = full[chosen[0]]
    names = [wanted.name(label_text(one) or "") for one in cells.iloc[0]]
    wanted.refuse_doubles(names)
    columns = {
        name: cells.iloc[1:, position].tolist()
        for position, name in enumerate(names)
        if name and wanted.takes(name)
    }
    found = () if len(sheets) == 1 or sheet else (f"sheet '{chosen[0]}'",)
    return RawTable(list(columns), iter([batch_of(columns)]), found)


def batch_of(columns: dict[str, list[Any]]) -> pa.RecordBatch:
    """Lists of Python values (n,) as one batch; where a column's values are of several types, each
    becomes the text of a label."""
    return pa.RecordBatch.from_pydict({name: _array(cells) for name, cells in columns.items()})


def _array(cells: list[Any]) -> pa.Array:
    try:
        return pa.array(cells, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([label_text(cell) for cell in cells], pa.string())


def _open_csv(stream: IO[bytes], wanted: _Wanted) -> RawTable:
    head = _peek(stream)
    if not head.strip():
        raise DataRefused(f"{wanted.shown} is empty")
    encoding = wanted.source.encoding or _encoding(head, wanted)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    delimiter = wanted.source.delimiter or _delimiter(text, wanted)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = next(row for row in reader if row)
    if any("\ufffd" in name for name in header):
        raise UnicodeError
    names = [wanted.name(name) for name in header]
    if wanted.declared and not wanted.rest and not wanted.declared & set(names):
        raise DataRefused(
            f"{wanted.shown} names none of the declared columns: is its first line the header, and "
            "is it CSV, Parquet or Excel?"
        )
    lines, first = reader.line_num, next(reader, [])
    wanted.refuse_doubles(names)
    extra = max(len(first) - len(names), 0)
    unique = [*_unique(names), *(f"\0{number}" for number in range(extra))]
    taken = [name for name in unique if name[:1] == "\0" or wanted.takes(name)]
    taken = [name for name in taken if name.strip("\0 ") or name[:1] == "\0"]
    options = pyarrow.csv.ReadOptions(
        block_size=BLOCK_BYTES, column_names=unique, skip_rows=lines, encoding=_arrows(encoding)
    )
    cells = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(unique, pa.string()),
        include_columns=taken,
        null_values=[""],
        strings_can_be_null=True,
    )
    parse = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    batches = _csv_batches(stream, options, parse, cells)
    shown = [name for name in taken if name[:1] != "\0"]
    found = [] if wanted.source.delimiter or delimiter == "," else [f"delimiter {delimiter!r}"]
    found += [] if wanted.source.encoding or encoding == "utf-8-sig" else [f"encoding {encoding}"]
    return RawTable(shown, _without_extra(batches, shown, wanted), tuple(found))


def _arrows(encoding: str) -> str:
    """Arrow reads its own "utf8", with a mark or without, without a detour over Python."""
    return "utf8" if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii") else encoding


def _csv_batches(stream: IO[bytes], options: Any, parse: Any, cells: Any) -> Iterator[Any]:
    """Opened late: a file of nothing but a header has no batch, which Arrow calls an error."""
    try:
        reader = pyarrow.csv.open_csv(stream, options, parse, cells)
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return
        raise
    with reader:
        yield from (batch for batch in reader if len(batch))


def _peek(stream: IO[bytes]) -> bytes:
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    return head


def _unique(names: list[str]) -> list[str]:
    """Names that nobody declared may come twice: the second becomes NAME.1, as in pandas."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        count = seen[name] = seen.get(name, -1) + 1
        unique.append(f"{name}.{count}" if count else name)
    return unique


def _without_extra(
    batches: Iterator[pa.RecordBatch], names: list[str], wanted: _Wanted
) -> Iterator[pa.RecordBatch]:
    """Lines may end in delimiters that the header lacks, as long as nothing stands behind them."""
    for batch in batches:
        behind = [one for one in batch.schema.names if one[:1] == "\0"]
        if any(batch.column(one).null_count < len(batch) for one in behind):
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


def _encoding(head: bytes, wanted: _Wanted) -> str:
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


def _delimiter(text: str, wanted: _Wanted) -> str:
    """The one under which the header names most of the declared columns, or has most cells."""

    def header(delimiter: str) -> list[str]:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        return next(chain((row for row in lines if row), [[]]))

    def names_of(delimiter: str) -> tuple[int, int]:
        cells = header(delimiter)
        return len(wanted.declared & {cell.strip() for cell in cells}), len(cells)

    return max(DELIMITERS, key=names_of)
