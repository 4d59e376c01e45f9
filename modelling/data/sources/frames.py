"""Frames that somebody holds in this Python, while a training or a draft reads them."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pandas as pd

from modelling.data.reading.raw_tables import ColumnSelection
from modelling.data.sources.source import SourceKind
from modelling.refusals import DataRefused, UsageError

SCHEME = "memory:"
_held: dict[str, pd.DataFrame] = {}


@contextmanager
def in_memory(frame: pd.DataFrame, name: str) -> Iterator[str]:
    """The address of ``frame`` in the block, so that it goes the way of every other table. Nothing
    of it is written to a disk."""
    if not isinstance(frame, pd.DataFrame):
        raise UsageError(f"the frame is a {type(frame).__name__}: give a pandas DataFrame")
    names = (f"{SCHEME}{name}{'' if n == 1 else f'-{n}'}" for n in count(1))
    address = next(free for free in names if free not in _held)
    _held[address] = frame
    try:
        yield address
    finally:
        del _held[address]


def open_frame(uri: str, wanted: ColumnSelection) -> pd.DataFrame:
    """The frame at ``uri`` without its row labels, but with those that have a name as columns.

    Raises UsageError where it is not held (any more), and DataRefused where it has no rows.
    """
    if uri not in _held:
        raise UsageError(
            f"{wanted.shown} was a frame in another Python, or in an earlier call: give the frame "
            "again with finflows.train(..., frame), or save it as a file and say --data FILE"
        )
    frame = _labels_as_columns(_held[uri])
    if frame.empty:
        raise DataRefused(f"{wanted.shown} holds no rows")
    names = [wanted.name(str(name)) for name in frame.columns]
    taken, found = wanted.columns(names)
    if found.named_twice:
        twice = ", ".join(found.named_twice)
        raise DataRefused(f"{wanted.shown}: columns named twice: {twice}: rename them")
    return frame.iloc[:, [*taken]].set_axis([*taken.values()], axis="columns")


def _labels_as_columns(frame: pd.DataFrame) -> pd.DataFrame:
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    labelled = frame.reset_index(level=named) if named else frame
    return labelled.reset_index(drop=True)


SOURCES = (SourceKind(lambda uri: uri.startswith(SCHEME), open_frame),)
