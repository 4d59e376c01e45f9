"""The batches of a table as the model takes them: read as training reads, in its units."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from modelling.data.loading import frame_of
from modelling.data.reading.number_text import numbers_in_text, plain_numbers
from modelling.data.reading.other_writing import (
    refuse_other_unit,
    refuse_other_writing,
    refuse_several_units,
    units_in,
)
from modelling.data.reading.raw_tables import RawTable
from modelling.data.reading.spreadsheets import as_it_was
from modelling.scorer.cells import MINUS_SIGN, number_of
from tasks.registry.scoring_runs import ModelInterface
from tasks.scoring.layout import is_quarantine


def as_first_read(raw: RawTable, model: ModelInterface) -> RawTable:
    """A quarantine file that is scored again, with the text of the first file."""
    if not raw.is_text or not is_quarantine(raw.names, model):
        return raw
    names = as_it_was(pa.array(raw.names, pa.string())).to_pylist()
    batches = (
        pa.RecordBatch.from_arrays([as_it_was(cells) for cells in batch.columns], names)
        for batch in raw.batches
    )
    return raw._replace(names=names, batches=batches)


def of_one_unit(
    batches: Iterable[pa.RecordBatch], model: ModelInterface
) -> Iterator[pa.RecordBatch]:
    """The batches, as long as each column is in one unit over all of them, that of training: one
    file of a folder may hold percentages and the next one shares."""
    numbers = [name for name, kind in model.kinds.items() if kind == "number"]
    numbers = numbers if model.text_format.around_numbers else []
    units: dict[str, Counter[str]] = {name: Counter() for name in numbers}
    for batch in batches:
        for name in {*numbers} & {*batch.schema.names}:
            cells = frame_of(batch.select([name]))[name]
            units[name] += units_in(cells, model.text_format)
            refuse_several_units(name, units[name])
            refuse_other_unit(name, units[name], model.units.get(name), model.text_format)
        yield batch


def input_frame(
    batch: pa.RecordBatch, inputs: Sequence[str], model: ModelInterface
) -> pd.DataFrame:
    """The raw columns as pandas holds them; a text column of numbers becomes numbers, if it can."""
    frame = frame_of(batch.select(inputs))
    for name in inputs:
        cells = _text(batch.column(name)) if model.kinds[name] == "number" else None
        if cells is not None:
            try:
                frame[name] = numbers_in_text(cells, model.text_format)
            except pa.ArrowInvalid:  # the contract names the cells
                ascii_minus = pc.replace_substring(cells, MINUS_SIGN, "-")
                plain = plain_numbers(ascii_minus, model.text_format).to_pylist()
                numbers = [number_of(text) for text in plain]
                unread = np.array([number is None for number in numbers])
                if unread.sum() > len(plain) / 2:
                    known = len(plain) - cells.null_count
                    refuse_other_writing(frame[name][unread], known, model.text_format)
                read = zip(numbers, plain, strict=True)
                frame[name] = [text if number is None else number for number, text in read]
    return frame


def _text(cells: pa.Array) -> pa.Array | None:
    """Text of any of Arrow's types as the usual one: pandas writes others to Parquet. None where
    the cells (n,) are no text."""
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return cells.cast(pa.string()) if is_text else None
