"""Files with typed columns: Parquet, and Arrow's own, which is called Feather."""

import io
from collections.abc import Callable, Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet

from modelling.data.reading.raw_tables import ColumnSelection, RawTable, unique_names

ROWS_AT_ONCE = 131_072


def open_parquet(stream: IO[bytes], wanted: ColumnSelection) -> RawTable:
    """Some thousand rows at once, of the columns that are taken."""
    wanted.refuse_header_line("Parquet")
    if not stream.seekable():
        stream = io.BytesIO(stream.read())
    file = pyarrow.parquet.ParquetFile(stream)

    def batches(asked: list[str]) -> Iterator[pa.RecordBatch]:
        return file.iter_batches(ROWS_AT_ONCE, columns=asked)

    return _of_columns(file.schema_arrow.names, batches, wanted)


def open_feather(stream: IO[bytes], wanted: ColumnSelection) -> RawTable:
    """Arrow's own file, as polars and R write it; one batch of it may be the whole table."""
    wanted.refuse_header_line("Feather")
    file = pa.ipc.open_file(stream if stream.seekable() else io.BytesIO(stream.read()))

    def batches(_: list[str]) -> Iterator[pa.RecordBatch]:
        for number in range(file.num_record_batches):
            whole = file.get_batch(number)
            for first in range(0, len(whole), ROWS_AT_ONCE):
                yield whole.slice(first, ROWS_AT_ONCE)

    return _of_columns(file.schema.names, batches, wanted)


def _of_columns(
    headers: list[str],
    read: Callable[[list[str]], Iterator[pa.RecordBatch]],
    wanted: ColumnSelection,
) -> RawTable:
    """A table whose file names its columns; ``read`` is asked for some, and may give more."""
    taken, found = wanted.columns([*map(wanted.name, headers)])
    names, unique = [*taken.values()], unique_names(headers)

    def batches() -> Iterator[pa.RecordBatch]:
        asked = dict.fromkeys(headers[at] for at in taken)  # answered with all of one name
        for batch in read([*asked]):
            there = unique_names(batch.schema.names)
            places = [there.index(unique[at]) for at in taken]
            if len(batch):
                yield batch.select(places).rename_columns(names)

    return RawTable(names, batches(), found)
