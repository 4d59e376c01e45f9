"""Load the table of a use case: the boundary to files, databases and the network."""

import logging
from pathlib import Path

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from modelling.data.loading import (
    fingerprint,
    kinds_of,
    read_source,
    type_columns,
)
from modelling.declaration import SimulatedTransactions, Source, UseCase
from modelling.secrets import hide_secrets

log = logging.getLogger("finflows")


@task(name="load", cache_policy=NO_CACHE, persist_result=False)
def load_table(use_case: UseCase) -> tuple[pd.DataFrame, str, str]:
    """The columns that are declared, in their declared kinds; the fingerprint of their content; and
    where they came from, with what was found out of the file that is not declared."""
    raw, found = read_source(use_case.source, kinds_of(use_case))
    table = type_columns(raw, use_case)
    data_hash = fingerprint(table)
    origin = source_name(use_case) + (f" ({', '.join(found)})" if found else "")
    log.info("%-11s %s rows from %s", "data", f"{len(table):,}", origin)
    return table, data_hash, origin


def source_name(use_case: UseCase) -> str:
    """The source as it may be shown: without secrets and without folders of this machine."""
    if isinstance(use_case.source, SimulatedTransactions):
        settings = (f"{name}={value}" for name, value in use_case.source)
        return f"a simulation with {', '.join(settings)}"
    if not isinstance(use_case.source, Source):
        return f"{use_case.source.__module__}.{use_case.source.__qualname__}"
    uri = use_case.source.uri
    is_address = "://" in uri or uri.startswith("package:")
    return hide_secrets(uri if is_address else Path(uri).name)
