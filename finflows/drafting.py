"""Draft a use case in a notebook, from a frame or from anything that training reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finflows import session
from finflows.drafts import WRITTEN_LATER, Draft

if TYPE_CHECKING:
    import pandas as pd

    from modelling.declaration import Source
    from modelling.drafting.columns.findings import TableFindings


def draft(
    table: "pd.DataFrame | str | Path",
    target: str,
    *,
    name: str | None = None,
    time: str | None = None,
    identifier: str | None = None,
    positive: str | int | None = None,
    query: str | None = None,
    source: Mapping[str, Any] | None = None,
) -> Draft:
    """The use case of a table that is not declared yet, with a reason beside each line.

    Parameters
    ----------
    table : DataFrame (n rows), or path or address
        A frame, whose named row labels count as columns; or anything that training reads: CSV,
        Parquet, Excel, a folder, a URL, ``package:...``, ``openml:...``, a database.
    target : str
        The column that is to be predicted.
    name : str, optional
        What the use case is called; by default as its file or its target.
    time, identifier : str, optional
        The columns that say when a row was decided, and whom it is about; else found out.
    positive : optional
        The label that is to be found. Without it the rarer or the worse one is taken, and said.
    query : str, optional
        Of a database.
    source : dict, optional
        How the table is written, where that can't be found out: ``{"decimal": ","}``.

    Raises
    ------
    UsageError
        Where the table can't be reached, or a column is not there.
    DataRefused
        Where it is no table, or nothing can be learnt from it.
    """
    from modelling.declaration import names
    from modelling.declaration.overrides import declare_source
    from modelling.drafting.columns.findings import Wanted
    from modelling.drafting.new_declarations import name_of

    session.configure()
    fields = {**(source or {}), **({"query": query} if query else {})}
    address = str(table) if isinstance(table, str | Path) else ""
    name = names.check_use_case_name(name or name_of(None, address, target))
    label = None if positive is None else str(positive)
    wanted = Wanted(name, target, time, identifier, label)
    if isinstance(table, str | Path):
        declared = declare_source(address, fields)
        return Draft(_findings(declared, wanted), declared)
    from modelling.data.sources.frames import in_memory

    with in_memory(table, name) as held:
        declared = declare_source(held, fields)
        return Draft(_findings(declared, wanted), declared, table)


def _findings(source: "Source", wanted: Any) -> "TableFindings":
    from modelling.data.sources.frames import SCHEME
    from modelling.declaration.references import refuse_unreadable
    from modelling.drafting.columns.table_source import read_undeclared
    from modelling.drafting.drafting import draft_table
    from modelling.drafting.new_declarations import refuse_secrets

    refuse_secrets(source)
    refuse_unreadable(source)
    table, read, said = read_undeclared(source)
    if source.uri.startswith(SCHEME):
        read = read.model_copy(update={"uri": f"{wanted.name}.parquet"})
        said = (*said, WRITTEN_LATER)
    return draft_table(table, read, said, wanted)
