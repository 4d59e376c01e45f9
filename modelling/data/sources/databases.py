"""Read the answer to a query from whatever database SQLAlchemy has a dialect for."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from modelling.data.reading.raw_tables import ColumnSelection, RawTable, batch_of
from modelling.data.sources.source import SourceKind
from modelling.declaration.references import expand, is_database
from modelling.refusals import DataRefused, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

ROWS_AT_ONCE = 16_384
# What drivers say may quote the address, the query and cells, so it is never repeated. These are
# our words for what it is about, where one of them is in it.
REASONS = (
    "no such table",
    "no such column",
    "does not exist",
    "doesn't exist",
    "invalid object name",
    "syntax error",
    "one statement at a time",
    "authentication failed",
    "access denied",
    "login failed",
    "permission denied",
    "connection refused",
    "could not translate host name",
    "name or service not known",
    "certificate",
    "does not support ssl",
    "no pg_hba.conf entry",
    "timed out",
    "timeout",
    "unable to open database file",
    "database is locked",
    "read-only",
)


def read_query(uri: str, wanted: ColumnSelection) -> RawTable:
    """The answer to the source's ``query``.

    Raises UsageError, without the driver's words, where the database can't be asked, and
    DataRefused where it answers no table.
    """
    shown = wanted.shown
    query = expand(wanted.source.query or "", "source.query")
    engine = _engine(uri, shown)
    if not query:
        raise UsageError(
            "a database needs a query: --set 'source.query=SELECT ... FROM ...' (finflows score, "
            "watch: --source 'query=SELECT ...')"
        )
    answered = _answered(engine, query, shown)
    headers = next(answered)
    if not (first := next(answered, [])):
        raise DataRefused(f"{shown}: the query returned no rows")
    taken, found = wanted.columns([wanted.name(str(header)) for header in headers])

    def batches() -> Iterator[pa.RecordBatch]:
        for rows in chain([first], answered):
            cells = {name: [row[at] for row in rows] for at, name in taken.items()}
            yield batch_of(cells, wanted)

    return RawTable([*taken.values()], batches(), found)


def _answered(engine: "Engine", query: str, shown: str) -> Iterator[Sequence[Any]]:
    """The names of the columns, and then some rows at once: an answer may be larger than memory."""
    options = {"no_parameters": True}
    try:
        with engine.connect() as connection:
            # As it stands there: SQLAlchemy's own text takes the :1 in '{"a":1}' for a parameter.
            answer = connection.exec_driver_sql(query, execution_options=options)
            if not answer.returns_rows:
                raise UsageError(f"{shown}: source.query returns no table: write SELECT ...")
            yield list(answer.keys())
            while rows := answer.fetchmany(ROWS_AT_ONCE):
                yield rows
    except UsageError:
        raise
    except Exception as error:  # each driver has its own
        raise UsageError(f"{shown}: the query failed ({_reason(error)})") from None
    finally:
        engine.dispose()


def _engine(uri: str, shown: str) -> "Engine":
    from sqlalchemy import create_engine
    from sqlalchemy.exc import NoSuchModuleError

    scheme = uri.partition("://")[0]
    try:
        engine = create_engine(uri)
    except NoSuchModuleError:
        raise UsageError(
            f"{shown}: no installed package reads '{scheme}' addresses: install its SQLAlchemy "
            "dialect if it is a database, its fsspec package if it holds files"
            + (" (SQLAlchemy says postgresql)" if scheme == "postgres" else "")
        ) from None
    except ImportError as error:
        raise UsageError(
            f"{shown}: the driver is not installed: pip install {error.name or scheme}"
        ) from None
    except Exception as error:  # such as a port that is no number, with the password in its text
        raise UsageError(
            f"{shown} is not the address of a database ({type(error).__name__}): write it as "
            "dialect://user:$PASSWORD@host:port/database, with %40 for an @ in the password"
        ) from None
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    if file and not file.startswith((":", "file:")) and not Path(file).exists():
        raise UsageError(f"{shown}: no such file")  # SQLite would make an empty one
    if engine.dialect.is_async:
        raise UsageError(
            f"{shown}: {engine.driver} is a driver for asynchronous programs: write "
            f"{engine.dialect.name}://, or another driver"
        )
    return engine


def _reason(error: BaseException) -> str:
    """The driver's class of error and, where we know one, the words for it."""
    cause = getattr(error, "orig", None) or error  # SQLAlchemy's wraps the driver's
    said = str(cause).lower()
    words = next((f": {reason}" for reason in REASONS if reason in said), "")
    return type(cause).__name__ + words


DATABASES = SourceKind(is_database, read_query)
