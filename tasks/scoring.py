"""Score a table of any size in bounded memory: what training reads in, CSV or Parquet out.

Rows that the model refuses go to a quarantine file beside the output, with their number and the
rules that they break. Files appear whole or not at all, and are their owner's alone. In CSV, text
that a spreadsheet would run as a formula has an apostrophe in front.
"""

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from modelling.data.loading import frame_of, open_source, shown_name
from modelling.data.reading.number_text import MINUS_SIGN, numbers_in_text, plain_numbers
from modelling.data.reading.other_writing import (
    refuse_other_unit,
    refuse_other_writing,
    refuse_several_units,
    units_in,
)
from modelling.data.reading.raw_tables import RawTable
from modelling.data.reading.spreadsheets import as_it_was, as_text, cell_as_text
from modelling.declaration import Source
from modelling.declaration.references import ADDRESS, expand, refuse_unreadable
from modelling.refusals import DataRefused, UsageError
from tasks.registry.scoring_runs import ModelInterface
from tasks.tracking.unfinished_files import unfinished_file
from tasks.workers.training_workers import usable_cores

ARROW_TYPES = {"double": pa.float64(), "long": pa.int64(), "string": pa.string()}
MAXIMUM_THREADS = 8  # each holds a batch of rows in memory
ENOUGH_ROWS = 100  # in fewer, a share of unknown labels says nothing
BROKEN, UNKNOWN = "broken_rules", "unknown"


class Scored(NamedTuple):
    """How many rows came in, how many of them were set aside, how many had a label that no training
    row had (by column), and what the input was."""

    rows: int
    quarantined: int
    unknown: dict[str, int]
    input_hash: str


def score_file(
    asked: ModelInterface,
    source: Source,
    output: Path,
    on_rows: Callable[[int], None] = lambda _: None,
) -> Scored:
    """Write an answer for every row of ``source`` to ``output``, in the order of the rows.

    Each row of the output has its number (from 1), the columns that are not inputs of the model (an
    identifier, say) and the answers, typed as ``asked``. A quarantine file that is scored again
    keeps the numbers of the first file. Raises UsageError where a path can't be used, DataRefused
    where ``source`` is not a table or too many labels are unknown, and what ``answer`` raises where
    columns are missing.
    """
    _refuse_paths(source, output)
    written = source.model_copy(update=asdict(asked.text_format))
    raw = _as_first_read(open_source(written, asked.kinds, rest=True), asked)
    layout = _Layout.of(raw.names, asked)
    path, digest = Path(expand(source.uri, ADDRESS)), hashlib.sha256()
    unknown: Counter[str] = Counter()
    with _whole_or_nothing(output) as answered, _whole_or_nothing(quarantine_of(output)) as aside:
        rows, set_aside = 0, 0
        for batch, answers in _answered(_of_one_unit(raw.batches, asked), layout.inputs, asked):
            number = layout.numbers(batch, rows)
            refused = answers.iloc[:, 0].isna().to_numpy()
            typed = {n: pa.array(answers[n], ARROW_TYPES[t]) for n, t in asked.outputs.items()}
            whole = {**number, **layout.passed_on(batch), **typed}
            answered.write(pa.table(whole).filter(pa.array(~refused)))
            if refused.any():
                reasons = {BROKEN: pa.array(answers[BROKEN], pa.string())}
                kept = {name: batch.column(name) for name in layout.kept}
                aside.write(pa.table({**reasons, **number, **kept}).filter(pa.array(refused)))
            rows, set_aside = (
                rows + len(batch),
                set_aside + int(refused.sum()),
            )
            _count_unknown(answers, unknown)
            if not path.is_file():
                digest.update(batch.serialize())
            on_rows(rows)
        if not rows:
            raise DataRefused(f"{shown_name(source)} holds no rows")
        _refuse_unknown(unknown, rows, asked)
    if path.is_file():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    return Scored(rows, set_aside, dict(unknown), digest.hexdigest())


def _answered(
    batches: Iterable[pa.RecordBatch], inputs: Sequence[str], asked: ModelInterface
) -> Iterator[tuple[pa.RecordBatch, pd.DataFrame]]:
    """Each batch with its answers, in order. While one is written, the cores of this machine are at
    work on the next ones; a batch that waits is read, so there are never more than a few. Whoever
    stops, by an error or a signal, waits for none of them."""
    threads = min(usable_cores(), MAXIMUM_THREADS)
    waiting: deque[tuple[pa.RecordBatch, Future[pd.DataFrame]]] = deque()

    def answer(batch: pa.RecordBatch) -> pd.DataFrame:
        return asked.answer(_frame(batch, inputs, asked))

    pool = ThreadPoolExecutor(threads)
    try:
        for batch in batches:
            waiting.append((batch, pool.submit(answer, batch)))
            if len(waiting) > threads:
                first, answered = waiting.popleft()
                yield first, answered.result()
        for last, answered in waiting:
            yield last, answered.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def quarantine_of(output: Path) -> Path:
    """Where the refused rows of ``output`` go."""
    return output.with_name(f"{output.stem}.quarantine{output.suffix}")


class _Layout(NamedTuple):
    """Which columns of the input are the model's ``inputs``, which are ``kept`` for the quarantine,
    and how the number of a row is called: a name that no column has."""

    inputs: list[str]
    kept: list[str]
    others: list[str]
    number_name: str
    scored_again: bool
    outputs: frozenset[str]

    @classmethod
    def of(cls, names: Sequence[str], asked: ModelInterface) -> "_Layout":
        inputs = [name for name in asked.kinds if name in names]
        free = (name for name in _number_names() if name not in asked.kinds)
        ours = next(free)
        again = _is_quarantine(names, asked)
        number = ours if again else next(name for name in chain([ours], free) if name not in names)
        kept = [name for name in names if not (again and name in (BROKEN, ours))]
        others = [name for name in kept if name not in inputs]
        return cls(inputs, kept, others, number, again, frozenset(asked.outputs))

    def numbers(self, batch: pa.RecordBatch, before: int) -> dict[str, pa.Array]:
        """The number of each row in the first file: (n,)."""
        if self.scored_again:
            return {self.number_name: pc.cast(batch.column(self.number_name), pa.int64())}
        return {self.number_name: pa.array(np.arange(before + 1, before + len(batch) + 1))}

    def passed_on(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        """The columns that are no inputs; one that is called like an answer is told apart."""
        return {
            f"input.{name}" if name in self.outputs else name: batch.column(name)
            for name in self.others
        }


def _is_quarantine(names: Sequence[str], asked: ModelInterface) -> bool:
    """Whether these are the columns of a quarantine file of ours."""
    number = next(name for name in _number_names() if name not in asked.kinds)
    return BROKEN in names and number in names and BROKEN not in asked.kinds


def _as_first_read(raw: RawTable, asked: ModelInterface) -> RawTable:
    """A quarantine file that is scored again, with the text of the first file."""
    if not raw.is_text or not _is_quarantine(raw.names, asked):
        return raw
    names = as_it_was(pa.array(raw.names, pa.string())).to_pylist()
    batches = (
        pa.RecordBatch.from_arrays([as_it_was(cells) for cells in batch.columns], names)
        for batch in raw.batches
    )
    return raw._replace(names=names, batches=batches)


def _number_names() -> Iterator[str]:
    yield "row"
    yield from (f"row_{number}" for number in count(2))


def _frame(batch: pa.RecordBatch, inputs: Sequence[str], asked: ModelInterface) -> pd.DataFrame:
    """The raw columns as pandas holds them; a text column of numbers becomes numbers, if it can."""
    frame = frame_of(batch.select(inputs))
    for name in inputs:
        cells = _text(batch.column(name)) if asked.kinds[name] == "number" else None
        if cells is not None:
            try:
                frame[name] = numbers_in_text(cells, asked.text_format)
            except pa.ArrowInvalid:  # the contract names the cells
                ascii_minus = pc.replace_substring(cells, MINUS_SIGN, "-")
                plain = plain_numbers(ascii_minus, asked.text_format).to_pandas()
                unread = pd.to_numeric(plain, errors="coerce").isna() & plain.notna()
                if unread.sum() > len(plain) / 2:
                    refuse_other_writing(frame[name][unread.to_numpy()], asked.text_format)
                frame[name] = plain
    return frame


def _text(cells: pa.Array) -> pa.Array | None:
    """Text of any of Arrow's types as the usual one: pandas writes others to Parquet. None where
    the cells (n,) are no text."""
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return cells.cast(pa.string()) if is_text else None


def _of_one_unit(
    batches: Iterable[pa.RecordBatch], asked: ModelInterface
) -> Iterator[pa.RecordBatch]:
    """The batches, as long as each column is in one unit over all of them, that of training: one
    file of a folder may hold percentages and the next one shares."""
    numbers = [name for name, kind in asked.kinds.items() if kind == "number"]
    numbers = numbers if asked.text_format.around_numbers else []
    units: dict[str, Counter[str]] = {name: Counter() for name in numbers}
    for batch in batches:
        for name in {*numbers} & {*batch.schema.names}:
            cells = frame_of(batch.select([name]))[name]
            units[name] += units_in(cells, asked.text_format)
            refuse_several_units(name, units[name])
            refuse_other_unit(name, units[name], asked.units.get(name), asked.text_format)
        yield batch


def _count_unknown(answers: pd.DataFrame, unknown: Counter[str]) -> None:
    if UNKNOWN in answers:
        for names, rows in answers[UNKNOWN].value_counts().items():
            for name in str(names).split("; ") if names else []:
                unknown[name] += int(rows)


def _refuse_unknown(unknown: Mapping[str, int], rows: int, asked: ModelInterface) -> None:
    for name, told in unknown.items():
        bound = asked.unknown_at_most.get(name, 1.0)
        if rows >= ENOUGH_ROWS and told > bound * rows:
            raise DataRefused(
                f"{name}: {told:,} of {rows:,} rows hold labels that no training row had, or too "
                f"few for the model to know them, more than {bound:.1%}: is it the same code? "
                "Correct the file, train anew, or declare "
                "unknown_at_most"
            )


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")


def _refuse_paths(source: Source, output: Path) -> None:
    if not _is_parquet(output) and output.suffix.lower() != ".csv":
        raise UsageError(f"{output.name}: name a .csv or .parquet file for the answers")
    refuse_unreadable(source)
    path = Path(expand(source.uri, ADDRESS))
    if path.resolve() in (output.resolve(), quarantine_of(output).resolve()):
        raise UsageError(f"{output.name}: the output would overwrite the input")
    if not output.parent.is_dir():
        raise UsageError(f"no such folder: {output.parent}")
    if output.is_dir():
        raise UsageError(f"{output} is a folder: name a file for the answers")
    if not os.access(output.parent, os.W_OK):
        raise UsageError(f"{output.parent} can't be written to")


class _Writer:
    """A table written batch by batch into the file ``part``, its columns fixed by the first."""

    def __init__(self, part: Path, is_parquet: bool):
        self.part, self.is_parquet = part, is_parquet
        self.writer: Any = None

    def write(self, table: pa.Table) -> None:
        if not self.is_parquet:  # a spreadsheet opens it
            table = pa.table(
                [as_text(cells) for cells in table.columns],
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


def _typed(field: pa.Field) -> pa.Field:
    """What is missing in all of the first rows may be anything later."""
    return field.with_type(pa.string()) if pa.types.is_null(field.type) else field


def _as_first(field: pa.Field, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return cells.cast(field.type)
    except pa.ArrowException:
        raise DataRefused(
            f"{field.name}: later rows hold another type than the first ones: write all alike"
        ) from None


@contextmanager
def _whole_or_nothing(path: Path) -> Iterator[_Writer]:
    """A writer whose file appears under its name when all is written; an older one goes."""
    with unfinished_file(path) as part:
        writer = _Writer(part, _is_parquet(path))
        try:
            yield writer
        finally:
            writer.close()
