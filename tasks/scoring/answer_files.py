"""The files that scoring writes, CSV or Parquet: whole or not at all, and their owner's alone.

In CSV, text that a spreadsheet would run as a formula has an apostrophe in front.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from modelling.data.reading.spreadsheets import as_text, cell_as_text
from modelling.refusals import DataRefused
from modelling.scorer.cells import label_text
from tasks.scoring.paths import is_parquet
from tasks.tracking.unfinished_files import unfinished_file


class AnswerFile:
    """A table written batch by batch into the file ``part``, its columns fixed by the first."""

    def __init__(self, part: Path, is_parquet: bool):
        self.part, self.is_parquet = part, is_parquet
        self.writer: Any = None

    def write(self, table: pa.Table) -> None:
        if not self.is_parquet:  # a spreadsheet opens it
            table = pa.table(
                [as_text(_unnested(cells)) for cells in table.columns],
                [str(cell_as_text(name)) for name in table.column_names],
            )
        if self.writer is None:
            self.schema = pa.schema([_typed(field) for field in table.schema])
            self.writer = self._opened(self.schema)
        cells = [_as_first(*pair) for pair in zip(self.schema, table.columns, strict=True)]
        self.writer.write_table(pa.table(cells, self.schema))

    def _opened(self, schema: pa.Schema) -> Any:
        if not self.is_parquet:
            return pyarrow.csv.CSVWriter(self.part, schema)
        # A dictionary of numbers is as long as the numbers, and takes longer than to write them.
        texts = [field.name for field in schema if pa.types.is_string(field.type)]
        return pyarrow.parquet.ParquetWriter(self.part, schema, use_dictionary=texts)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[AnswerFile]:
    """A writer whose file appears under its name when all is written; an older one goes."""
    with unfinished_file(path) as part:
        writer = AnswerFile(part, is_parquet(path))
        try:
            yield writer
        finally:
            writer.close()


def _unnested(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists and objects (n,) as the JSON that files of JSON have them read as; others as they
    are."""
    if not pa.types.is_nested(cells.type):
        return cells
    texts = [
        None if value is None else json.dumps(value, ensure_ascii=False, default=label_text)
        for value in cells.to_pylist()
    ]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _typed(field: pa.Field) -> pa.Field:
    """What is missing in all of the first rows may be anything later."""
    return field.with_type(pa.string()) if pa.types.is_null(field.type) else field


def _as_first(field: pa.Field, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cells of later rows as the type of the first ones. Raises DataRefused where that would change
    one: of 007 a number is 7."""
    if cells.type == field.type or cells.null_count == len(cells):
        return cells.cast(field.type)
    try:
        cast = cells.cast(field.type)
        back = cast.cast(cells.type)
        same = pc.or_(pc.equal(back, cells), pc.not_equal(cells, cells))  # NaN equals nothing
        if pc.all(same).as_py() is not False:
            return cast
    except pa.ArrowException:
        pass
    raise DataRefused(
        f"{field.name}: later rows hold another type than the first ones: write all alike"
    )
