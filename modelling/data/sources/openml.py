"""Data sets of openml.org."""

import pandas as pd

from modelling.data.reading.raw_tables import ColumnSelection
from modelling.data.sources.source import SourceKind
from modelling.declaration.names import openml_data
from modelling.refusals import UsageError

SCHEME = "openml:"


def open_openml(uri: str, _: ColumnSelection) -> pd.DataFrame:
    """Raises UsageError where openml.org can't be reached, or has no such data."""
    from sklearn.datasets import fetch_openml

    name = uri.removeprefix(SCHEME)
    which = openml_data(name)
    try:
        return fetch_openml(**which, as_frame=True).frame
    except OSError as error:
        raise UsageError(f"openml:{name} can't be reached: {type(error).__name__}") from None
    except ValueError as error:
        raise UsageError(f"openml:{name}: {str(error).splitlines()[0]}") from None


SOURCES = (SourceKind(lambda uri: uri.startswith(SCHEME), open_openml),)
