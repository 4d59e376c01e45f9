"""Which columns of a table are the model's inputs, and which stand in its files of answers."""

from collections.abc import Sequence
from itertools import chain, count
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.registry.scoring_runs import ModelInterface

BROKEN = "broken_rules"


class Layout(NamedTuple):
    """Where the columns of the input go.

    ``inputs`` are the model's, ``others`` are passed on to the answers, ``kept`` (both) stand in
    the quarantine. The number of a row is called ``number_name``, which no other column is.
    ``scored_again`` is a quarantine file of ours: it has that column, and one more that is left
    out. ``outputs`` are the columns of the answers.
    """

    inputs: list[str]
    others: list[str]
    kept: list[str]
    number_name: str
    scored_again: bool
    outputs: frozenset[str]

    @classmethod
    def of(cls, names: Sequence[str], model: ModelInterface) -> "Layout":
        again = is_quarantine(names, model)
        number_name = _number_name(model, () if again else names)
        written_by_us = {BROKEN, number_name} if again else set()
        kept = [name for name in names if name not in written_by_us]
        inputs = [name for name in model.kinds if name in names]
        others = [name for name in kept if name not in model.kinds]
        return cls(inputs, others, kept, number_name, again, frozenset(model.outputs))

    def numbers(self, batch: pa.RecordBatch, before: int) -> dict[str, pa.Array]:
        """The number of each row in the first file: (n,)."""
        if self.scored_again:
            return {self.number_name: pc.cast(batch.column(self.number_name), pa.int64())}
        return {self.number_name: pa.array(np.arange(before + 1, before + len(batch) + 1))}

    def rows_without_inputs(self, batch: pa.RecordBatch) -> int:
        """How many rows hold nothing in any input, as those below a table that a spreadsheet has
        formatted."""
        missing = [pc.is_null(batch.column(name), nan_is_null=True) for name in self.inputs]
        return int(np.logical_and.reduce([np.asarray(cells) for cells in missing]).sum())

    def passed_on(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        """The columns that are no inputs; one that is called like an answer is told apart."""
        return {
            f"input.{name}" if name in self.outputs else name: batch.column(name)
            for name in self.others
        }

    def as_it_came(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        """The columns of a row that is set aside, to be corrected and scored again."""
        return {name: batch.column(name) for name in self.kept}


def is_quarantine(names: Sequence[str], model: ModelInterface) -> bool:
    """Whether these are the columns of a quarantine file of ours."""
    return BROKEN not in model.kinds and {BROKEN, _number_name(model)} <= {*names}


def _number_name(model: ModelInterface, taken: Sequence[str] = ()) -> str:
    """``row``, or the first of ``row_2``, ``row_3`` ... that is no input and not ``taken``."""
    numbered = (f"row_{number}" for number in count(2))
    return next(n for n in chain(["row"], numbered) if n not in model.kinds and n not in taken)
