"""What every kind of source is asked for."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from modelling.data.reading.raw_tables import ColumnSelection, RawTable


class SourceKind(NamedTuple):
    """One kind of source, which its module lists in ``SOURCES``.

    It ``reads`` an address or does not, and opens the table there: in batches, or as a whole where
    its library gives a frame.

    ``open`` takes the address and what is wanted of it. It raises UsageError where the address
    can't be reached and DataRefused where it holds no table.
    """

    reads: Callable[[str], bool]
    open: Callable[[str, ColumnSelection], RawTable | pd.DataFrame]
