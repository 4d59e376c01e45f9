"""Score a file of any size in bounded memory: CSV or Parquet in, CSV or Parquet out.

Rows that the model refuses go to a quarantine file beside the output, with their number and the
rules that they break. Files appear whole or not at all.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from modelling.refusals import DataRefused, UsageError

ROWS_AT_ONCE = 131_072
BLOCK_BYTES = 16 << 20
# What pandas reads as missing, so that a file scores as it trains.
MISSING = ["", "#N/A", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "<NA>", "-nan"]
MISSING += ["#NA", "#N/A N/A", "-NaN", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"]
ARROW_TYPES = {"double": pa.float64(), "long": pa.int64(), "string": pa.string()}


class Scored(NamedTuple):
    """How many rows came in, how many of them were set aside, and what the input was."""

    rows: int
    quarantined: int
    input_hash: str


Answer = Callable[[pd.DataFrame], pd.DataFrame]


def score_file(
    answer: Answer,
    inputs: Sequence[str],
    numbers: Sequence[str],
    outputs: Mapping[str, str],
    source: Path,
    output: Path,
    on_rows: Callable[[int], None] = lambda _: None,
) -> Scored:
    """Write ``answer`` for every row of ``source`` to ``output``, in the order of the rows.

    Each row of the output has its number (from 1), the columns that are not ``inputs`` of the
    model (an identifier, say) and the answers, typed as in ``outputs``. Raises UsageError where a
    path can't be used, DataRefused where ``source`` is not a table, and what ``answer`` raises
    where columns are missing.
    """
    _refuse_paths(source, output)
    with _whole_or_nothing(output) as answered, _whole_or_nothing(quarantine_of(output)) as aside:
        rows, set_aside = 0, 0
        for batch in _batches(source):
            _refuse_doubles(batch.schema.names)
            given = [name for name in inputs if name in batch.schema.names]
            answers = answer(_frame(batch.select(given), numbers))
            number = pa.array(range(rows + 1, rows + len(batch) + 1), pa.int64())
            refused = answers.iloc[:, 0].isna().to_numpy()
            kept = _columns(batch, [n for n in batch.schema.names if n not in inputs], number)
            typed = {n: pa.array(answers[n], ARROW_TYPES[kind]) for n, kind in outputs.items()}
            answered.write(pa.table({**kept, **typed}).filter(pa.array(~refused)))
            if refused.any():
                reasons = {"broken_rules": pa.array(answers["broken_rules"], pa.string())}
                whole = {**reasons, **_columns(batch, batch.schema.names, number)}
                aside.write(pa.table(whole).filter(pa.array(refused)))
            rows, set_aside = rows + len(batch), set_aside + int(refused.sum())
            on_rows(rows)
        if not rows:
            raise DataRefused(f"{source.name} holds no rows")
    with source.open("rb") as file:
        return Scored(rows, set_aside, hashlib.file_digest(file, "sha256").hexdigest())


def quarantine_of(output: Path) -> Path:
    """Where the refused rows of ``output`` go."""
    return output.with_name(f"{output.stem}.quarantine{output.suffix}")


def _is_parquet(path: Path) -> bool:
    return path.suffix in (".parquet", ".pq")


def _refuse_paths(source: Path, output: Path) -> None:
    for path in (source, output):
        if not _is_parquet(path) and path.suffix != ".csv":
            raise UsageError(f"{path.name}: name a .csv or .parquet file")
    if not source.is_file():
        raise UsageError(f"no such file: {source}")
    if not output.parent.is_dir():
        raise UsageError(f"no such folder: {output.parent}")
    if source.resolve() in (output.resolve(), quarantine_of(output).resolve()):
        raise UsageError(f"{output.name}: the output would overwrite the input")


def _refuse_doubles(names: list[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataRefused(f"columns named twice: {', '.join(twice)}")


def _batches(source: Path) -> Iterator[pa.RecordBatch]:
    """CSV cells stay text: what a column's type is, the contract decides, not the first block."""
    try:
        if _is_parquet(source):
            yield from pyarrow.parquet.ParquetFile(source).iter_batches(ROWS_AT_ONCE)
            return
        names = pd.read_csv(source, nrows=0).columns
        text = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=MISSING,
            strings_can_be_null=True,
        )
        options = pyarrow.csv.ReadOptions(block_size=BLOCK_BYTES)
        with pyarrow.csv.open_csv(source, options, convert_options=text) as reader:
            yield from (batch for batch in reader if len(batch))
    except (pa.ArrowInvalid, pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError):
        raise DataRefused(f"{source.name} is not a table: give CSV or Parquet") from None


def _frame(batch: pa.RecordBatch, numbers: Sequence[str]) -> pd.DataFrame:
    """The raw columns as pandas holds them; a text column of numbers becomes numbers, if it can."""
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name in numbers and pa.types.is_string(column.type):
            with suppress(pa.ArrowInvalid):  # the contract names the cells
                column = pc.cast(pc.utf8_trim_whitespace(column), pa.float64())
        columns[name] = column.to_pandas()
    return pd.DataFrame(columns)


def _columns(batch: pa.RecordBatch, names: Sequence[str], number: pa.Array) -> dict[str, Any]:
    return {"row": number, **{name: batch.column(name) for name in names if name != "row"}}


class _Writer:
    """A table written batch by batch, its columns fixed by the first."""

    def __init__(self, part: Path, is_parquet: bool):
        self.part, self.is_parquet = part, is_parquet
        self.writer: Any = None

    def write(self, table: pa.Table) -> None:
        if self.writer is None:
            kind = pyarrow.parquet.ParquetWriter if self.is_parquet else pyarrow.csv.CSVWriter
            self.writer = kind(self.part, table.schema)
        self.writer.write_table(table)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


@contextmanager
def _whole_or_nothing(path: Path) -> Iterator[_Writer]:
    """A writer whose file appears under its name when all is written; an older one goes."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    writer = _Writer(part, _is_parquet(path))
    try:
        yield writer
        writer.close()
        if part.exists():
            os.replace(part, path)
        else:
            path.unlink(missing_ok=True)
    finally:
        writer.close()
        part.unlink(missing_ok=True)
