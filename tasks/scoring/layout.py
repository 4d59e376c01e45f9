"""Which columns of a table are the model's inputs, and which stand in its files of answers."""

from collections.abc import Iterator, Sequence
from itertools import chain, count
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.registry.scoring_runs import ModelInterface

BROKEN = "broken_rules"


class Layout(NamedTuple):
    """Which columns of the input are the model's ``inputs``, which are ``kept`` for the quarantine,
    and how the number of a row is called: a name that no column has."""

    inputs: list[str]
    kept: list[str]
    others: list[str]
    number_name: str
    scored_again: bool
    outputs: frozenset[str]

    @classmethod
    def of(cls, names: Sequence[str], model: ModelInterface) -> "Layout":
        inputs = [name for name in model.kinds if name in names]
        free = (name for name in _number_names() if name not in model.kinds)
        ours = next(free)
        again = is_quarantine(names, model)
        number = ours if again else next(name for name in chain([ours], free) if name not in names)
        kept = [name for name in names if not (again and name in (BROKEN, ours))]
        others = [name for name in kept if name not in inputs]
        return cls(inputs, kept, others, number, again, frozenset(model.outputs))

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


def is_quarantine(names: Sequence[str], model: ModelInterface) -> bool:
    """Whether these are the columns of a quarantine file of ours."""
    number = next(name for name in _number_names() if name not in model.kinds)
    return BROKEN in names and number in names and BROKEN not in model.kinds


def _number_names() -> Iterator[str]:
    yield "row"
    yield from (f"row_{number}" for number in count(2))
