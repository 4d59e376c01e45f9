"""A table that a declared function returns."""

import inspect
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb

import pandas as pd

from modelling.refusals import DataRefused, UsageError


def call_source(source: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """What a declared function returns. What a library says in it may quote cells or a password, so
    only the kind of error is passed on, and where it happened."""
    try:
        return source()
    except (UsageError, DataRefused):
        raise
    except Exception as error:
        file = inspect.getfile(inspect.unwrap(source))
        lines = [
            frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == file
        ]
        where = f"{source.__qualname__} of {Path(file).name}, line {lines[-1] if lines else '?'}"
        raise UsageError(f"the source failed: {type(error).__name__} in {where}") from None
