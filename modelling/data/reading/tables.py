"""From an address to the raw cells of a table: text as it stands in the file, typed cells as typed.

One reader for training and scoring, whole or batch by batch. What a cell means is decided by the
kind that its column is declared as (``data.reading.cells``), never by what a library makes of the
first rows. How a file is packed and written is told by its content, not by its name; what is found
that way and not declared is reported, and what fits two ways is refused.
"""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Iterator
from glob import glob, has_magic
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from modelling.data.reading.arrow_files import open_feather, open_parquet
from modelling.data.reading.delimited import open_delimited
from modelling.data.reading.excel import open_excel
from modelling.data.reading.json_records import is_json, open_json
from modelling.data.reading.raw_tables import (
    ColumnSelection,
    RawTable,
    in_plain_words,
    plain_error,
)
from modelling.refusals import DataRefused, UsageError

HIVE_MISSING = "__HIVE_DEFAULT_PARTITION__"  # a folder's word for a missing cell
MARKUP = (b"<html", b"<table", b"<?xml", b"<!doc", b"<head", b"<meta", b"<style")


def open_table(path: str, wanted: ColumnSelection) -> RawTable:
    """What is ``wanted`` of the table of the file, URL, folder or glob ``path``.

    Raises UsageError where nothing can be read there, DataRefused where it is not a table, or one
    that can be read in two ways.
    """
    try:
        raw = _open(path, wanted)
        return raw._replace(batches=in_plain_words(raw.batches, wanted.shown))
    except Exception as error:
        raise plain_error(error, wanted.shown) from None


def _open(path: str, wanted: ColumnSelection) -> RawTable:
    if "://" not in path:
        if Path(path).is_dir():
            return _open_folder(Path(path), wanted)
        if has_magic(path) and not Path(path).exists():
            return _open_all(sorted(map(Path, glob(path, recursive=True))), wanted)
    return _open_stream(_stream(path, wanted.shown), wanted)


def _stream(path: str, shown: str) -> IO[bytes]:
    if "://" not in path:
        return _of_file(Path(path), shown)
    import fsspec

    if urlsplit(path).scheme == "file":
        return _of_file(Path(urlsplit(path).path), shown)
    with fsspec.open(path, "rb") as remote:
        return io.BytesIO(remote.read())


def _of_file(path: Path, shown: str) -> IO[bytes]:
    stream = path.open("rb")
    if stream.seekable():
        return stream
    raise UsageError(f"{shown} is a pipe, which is read only once: save it to a file first")


def _open_folder(folder: Path, wanted: ColumnSelection) -> RawTable:
    """All files of a folder in the order of their paths; folders called NAME=VALUE are a column."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    )
    return _open_all(files, wanted, folder)


def _open_all(files: list[Path], wanted: ColumnSelection, folder: Path | None = None) -> RawTable:
    """Files of the same columns below each other, each with the types that it has itself. Only one
    is open at a time: there may be thousands."""
    if not files:
        raise UsageError(f"{wanted.shown}: there is no file")

    def opened(path: Path) -> RawTable:
        table = _open_stream(path.open("rb"), wanted)
        return table if folder is None else _with_folders(table, path.relative_to(folder), wanted)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from first.batches
        for path in files[1:]:
            table = opened(path)
            if differing := sorted({*table.names} ^ {*first.names}):
                raise DataRefused(
                    f"{wanted.shown}: {path.name} has other columns than {files[0].name}: "
                    f"{', '.join(differing)}"
                )
            yield from (batch.select(first.names) for batch in table.batches)

    first = opened(files[0])
    return first._replace(batches=batches())


def _with_folders(table: RawTable, path: Path, wanted: ColumnSelection) -> RawTable:
    """A table with the columns that the folders of its file name, as text: 007 stays 007."""
    pairs = [part.partition("=") for part in path.parts[:-1] if "=" in part]
    named = {name: None if value == HIVE_MISSING else unquote(value) for name, _, value in pairs}
    added = {n: cell for n, cell in named.items() if wanted.takes(n) and n not in table.names}
    if not added:
        return table
    names = [*table.names, *added]

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in table.batches:
            cells = [pa.array([cell] * len(batch), pa.string()) for cell in added.values()]
            yield pa.RecordBatch.from_arrays([*batch.columns, *cells], names)

    return table._replace(names=names, batches=batches())


def _open_stream(stream: IO[bytes], wanted: ColumnSelection) -> RawTable:
    """A table by its first bytes, unpacked as often as it is packed."""
    head = stream.read(8)
    stream.seek(0)
    if head.startswith(b"PAR1"):
        return open_parquet(stream, wanted)
    if head.startswith(b"ARROW1"):
        return open_feather(stream, wanted)
    if head.startswith(b"PK\x03\x04"):
        archive = zipfile.ZipFile(stream)
        if "xl/workbook.xml" in archive.namelist():
            return open_excel(stream, wanted)
        return _open_stream(io.BytesIO(_only_member(archive, wanted)), wanted)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return open_excel(stream, wanted)
    if unpacked := _unpacked(stream, head):
        return _open_stream(unpacked, wanted)
    if is_json(head):
        return open_json(stream, wanted)
    if head.lstrip(b"\xef\xbb\xbf \r\n").lower().startswith(MARKUP):
        raise DataRefused(
            f"{wanted.shown} is a web page or XML, whatever its name says: open it in a "
            "spreadsheet and save it as .xlsx or CSV"
        )
    return open_delimited(stream, wanted)


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


def _only_member(archive: zipfile.ZipFile, wanted: ColumnSelection) -> bytes:
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
