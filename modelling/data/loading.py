"""Read the table of a use case from wherever it is."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from modelling.data.reading.raw_tables import ColumnSelection, Found, RawTable, with_text
from modelling.data.reading.report_lines import lines_of_a_report
from modelling.data.sources.databases import DATABASES
from modelling.data.sources.files import FILES
from modelling.data.sources.functions import call_source
from modelling.declaration import SimulatedTransactions, Source
from modelling.declaration.references import ADDRESS, expand
from modelling.refusals import DataRefused, UsageError
from modelling.scorer.cells import label_text
from modelling.secrets import hide_secrets
from modelling.variants import variants_in

AnyTable = Source | SimulatedTransactions | Callable[[], pd.DataFrame]
OF_LIBRARIES = (pd.CategoricalDtype, pd.PeriodDtype, pd.ArrowDtype)
TEXT = pd.StringDtype("pyarrow", na_value=np.nan)  # "str", over Arrow's own cells: no copy


def read_table(source: AnyTable, declared: Collection[str] = ()) -> pd.DataFrame:
    """The table at ``source`` with the cells as they stand there, or only its ``declared`` columns.

    Raises UsageError where the source can't be reached and DataRefused where it holds no table.
    """
    return read_source(source, declared)[0]


def read_source(source: AnyTable, declared: Collection[str] = ()) -> tuple[pd.DataFrame, Found]:
    """``read_table``, and what was found out of the file that the source does not declare."""
    if isinstance(source, SimulatedTransactions):
        from modelling.data.transaction_simulator import simulate_transactions

        return simulate_transactions(source), Found()
    if callable(source):
        return _as_in_files(call_source(source)), Found()
    opened = _open(source, declared, rest=not declared)
    if isinstance(opened, pd.DataFrame):
        return _as_in_files(opened), Found()
    batches, report_lines = _rows_of(opened, declared)
    table = _frame(opened.names, batches, _selection(source, declared, rest=not declared))
    if table.empty:
        raise DataRefused(f"{shown_name(source)} holds no rows")
    return table, opened.found._replace(report_lines=report_lines)


def _rows_of(opened: RawTable, declared: Collection[str]) -> tuple[list[pa.RecordBatch], int]:
    """The batches of a table without the lines of a report, and how many these are."""
    numbers = _numbers_in(declared)
    rows, left_out = [], 0
    for batch in opened.batches:
        lines = lines_of_a_report(batch, numbers) if opened.is_text else np.zeros(0, dtype=bool)
        rows.append(batch.filter(pa.array(~lines)) if lines.any() else batch)
        left_out += int(lines.sum())
    return rows, left_out


def open_source(source: Source, declared: Collection[str], rest: bool = False) -> RawTable:
    """The ``declared`` columns of a file, package's file or database, and the ``rest``, in batches.

    Raises as ``read_table`` does, of a broken file also while its batches are read.
    """
    opened = _open(source, declared, rest)
    if isinstance(opened, pd.DataFrame):  # its library knows no batches
        raise UsageError(f"{shown_name(source)} can't be read in batches: save it as a file")
    return opened


def _open(source: Source, declared: Collection[str], rest: bool) -> RawTable | pd.DataFrame:
    uri = expand(source.uri, ADDRESS)
    kinds = (*variants_in("modelling.data.sources", "SOURCES"), DATABASES, FILES)
    kind = next(kind for kind in kinds if kind.reads(uri))
    opened = kind.open(uri, _selection(source, declared, rest))
    if isinstance(opened, pd.DataFrame):
        return opened
    return opened._replace(batches=with_text(opened.batches))


def _selection(source: Source, declared: Collection[str], rest: bool) -> ColumnSelection:
    chosen = frozenset(declared), rest, _numbers_in(declared)
    return ColumnSelection(source, shown_name(source), *chosen)


def _numbers_in(declared: Collection[str]) -> frozenset[str]:
    """The columns that are read as numbers, where the ``declared`` ones have kinds."""
    kinds = declared if isinstance(declared, Mapping) else {}
    return frozenset(name for name, kind in kinds.items() if kind == "number")


def shown_name(source: Source) -> str:
    """The address as it may be shown: without secrets."""
    return hide_secrets(source.uri)


def _as_in_files(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame of a library with the types that the same cells have in a file: its draft is that of
    the file."""
    if not any(isinstance(kind, OF_LIBRARIES) for kind in frame.dtypes):
        return frame
    return pd.DataFrame(frame.apply(_plain))


def _plain(cells: pd.Series) -> pd.Series:
    """Labels whatever pandas knows of their set, periods as their first day, Arrow's columns as
    those of Parquet."""
    if isinstance(cells.dtype, pd.CategoricalDtype):
        return cells.astype(object).infer_objects()
    if isinstance(cells.dtype, pd.PeriodDtype):
        return cells.dt.to_timestamp()
    if not isinstance(cells.dtype, pd.ArrowDtype):
        return cells
    [batch] = with_text(iter([pa.RecordBatch.from_arrays([pa.array(cells)], ["cells"])]))
    return frame_of(batch)["cells"].set_axis(cells.index)


def _frame(
    names: list[str], batches: list[pa.RecordBatch], wanted: ColumnSelection
) -> pd.DataFrame:
    if not batches:
        return pd.DataFrame(columns=names)
    read = [pa.Table.from_batches(_of_one_schema(batches, wanted))]
    batches.clear()
    return frame_of(read.pop())  # nothing holds the cells any more but ``frame_of``


def _of_one_schema(batches: list[pa.RecordBatch], wanted: ColumnSelection) -> list[pa.RecordBatch]:
    """Files of one folder may hold a column as other types: then as text, unless it is empty in all
    but those of one type."""
    first = batches[0].schema
    if all(batch.schema.equals(first) for batch in batches):
        return batches
    kinds = {
        name: {str(kind): kind for batch in batches if (kind := batch[name].type) != pa.null()}
        for name in first.names
    }
    for name in (name for name, found in kinds.items() if len(found) > 1):
        _refuse_lost_zeros(name, batches, wanted)
    return [
        pa.RecordBatch.from_arrays(
            [_of_kind(batch[n], n, [*found.values()], wanted) for n, found in kinds.items()],
            first.names,
        )
        for batch in batches
    ]


def _refuse_lost_zeros(name: str, batches: list[pa.RecordBatch], wanted: ColumnSelection) -> None:
    """Codes that lost their zeros in those files that hold them as numbers would be other labels
    than the same codes elsewhere."""
    if name in wanted.numbers:
        return
    numbers, texts = set[str | None](), set[str | None]()
    for cells in (batch[name] for batch in batches):
        is_number = pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type)
        (numbers if is_number else texts).update(map(label_text, cells.unique().to_pylist()))
    padded = [text for text in texts if text and re.fullmatch(r"0[0-9]+", text)]
    if both := sum(str(int(text)) in numbers for text in padded):
        raise DataRefused(
            f"{wanted.shown}: {name}: {both:,} of its codes are numbers in some files and have "
            "zeros in front in others, as 8 and 008: write it as text in all of them"
        )


def _of_kind(
    cells: pa.Array, name: str, kinds: list[pa.DataType], wanted: ColumnSelection
) -> pa.Array:
    """Cells (n,) of a column that has these ``kinds`` in the batches of its table."""
    if len(kinds) <= 1:
        return cells.cast(kinds[0]) if kinds else cells
    return pa.array([wanted.text_of(name, cell) for cell in cells.to_pylist()], pa.string())


def frame_of(table: pa.Table | pa.RecordBatch) -> pd.DataFrame:
    """As pandas holds it, but that whole numbers stay whole beside missing cells.

    pandas copies text, so each column is let go as soon as it is copied.
    """
    columns = {}
    while table.num_columns:
        name, column = table.schema.names[0], table.column(0)
        table = table.remove_column(0)
        kept: dict[pa.DataType, Any] = {pa.string(): TEXT, pa.large_string(): TEXT}
        if pa.types.is_integer(column.type) and column.null_count:
            unsigned = pa.types.is_uint64(column.type)
            kept = {column.type: pd.UInt64Dtype() if unsigned else pd.Int64Dtype()}
        columns[name] = column.to_pandas(types_mapper=kept.get, date_as_object=False)
    return pd.DataFrame(columns, copy=False)
