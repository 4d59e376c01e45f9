"""From the source of a use case to rows that can be learnt from: read, typed, validated, derived,
validated again, split, and looked at for leaks and for columns of no use. The one preparation, for
trainings, searches, tests and benchmarks."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from modelling.data.derived_columns import derive_columns
from modelling.data.fingerprint import fingerprint
from modelling.data.loading import read_source
from modelling.data.sources.frames import SCHEME
from modelling.data.splitting import Parts, split_table
from modelling.data.target_codes import code_classes, labelled_rows, merge_classes
from modelling.data.transaction_columns import history_findings
from modelling.data.typed_columns import TypedTable, kinds_of, read_again, type_columns
from modelling.declaration import SimulatedTransactions, Source, UseCase
from modelling.features.usable_columns import column_findings, refuse_unusable
from modelling.leaks.sentinel import find_leaks
from modelling.secrets import hide_secrets
from modelling.shown_text import row_count
from tasks.progress import elapsed_line
from tasks.validation import ValidationReport, Validator

log = logging.getLogger("finflows")


class PreparedData(NamedTuple):
    """The validated ``table`` and the ``parts`` that it is split into, what the validation found,
    the fingerprint of what was read, where it came from, and in which units its columns were."""

    table: pd.DataFrame
    parts: Parts
    report: ValidationReport
    data_hash: str
    origin: str
    units: Mapping[str, str] = {}


@task(name="prepare", cache_policy=NO_CACHE, persist_result=False)
def prepare_data(use_case: UseCase) -> PreparedData:
    """``prepare`` as a task, which says in the log what the split table showed."""
    data = prepare(use_case)
    for finding in data.report.found_in_parts:
        log.warning("%-11s %s", "", finding)
    return data


def prepare(use_case: UseCase) -> PreparedData:
    """Prepare the table of ``use_case``; the same table gives the same rows.

    Raises UsageError where the source can't be reached, and DataRefused where it holds no table,
    breaks a critical rule, gives the target away or can't be split as declared. Both name columns
    and count rows.
    """
    typed, data_hash, origin = read_typed(use_case)
    with elapsed_line("validating"):
        validator = Validator(use_case, typed.unreadable)
        validator.check_source(typed.table)
        derived = merge_classes(derive_columns(typed.table, use_case), use_case)
        labelled, typed = read_again(labelled_rows(derived, use_case), typed, use_case)
        validator.unreadable = typed.unreadable
        validator.check_types(labelled)
        table = code_classes(labelled, use_case)
        report = validator.check_content(table)
        parts = split_table(table, use_case)
        refuse_unusable(parts.train, use_case)
        found_in_parts = find_leaks(parts, use_case) + column_findings(parts, use_case)
        found_in_parts += history_findings(parts, derived, use_case)
        report = replace(
            report.with_findings(found_in_parts),
            unlabelled=len(derived) - len(labelled),
            duplicates=len(labelled) - len(table),
        )
    log.info("%-11s %s", "validated", report.summary())
    return PreparedData(table, parts, report, data_hash, origin, typed.units)


def read_typed(use_case: UseCase) -> tuple[TypedTable, str, str]:
    """The table at the source of ``use_case`` with its columns as their kinds, its fingerprint, and
    where it came from. Raises as ``prepare_data`` does."""
    with elapsed_line("reading"):
        raw, found = read_source(use_case.source, kinds_of(use_case))
        typed = type_columns(raw, use_case)
        data_hash, origin = fingerprint(typed.table), source_name(use_case, found.in_words())
    log.info("%-11s %s from %s", "data", row_count(len(raw)), origin)
    return typed, data_hash, origin


def source_name(use_case: UseCase, found: tuple[str, ...] = ()) -> str:
    """The source as it may be shown: without secrets and without folders of this machine; and what
    was ``found`` out of the file that is not declared."""
    if isinstance(use_case.source, SimulatedTransactions):
        settings = (f"{name}={value}" for name, value in use_case.source)
        return f"a simulation with {', '.join(settings)}"
    if not isinstance(use_case.source, Source):
        return f"{use_case.source.__module__}.{use_case.source.__qualname__}"
    uri = use_case.source.uri
    if uri.startswith(SCHEME):
        return f"{uri}, a frame in Python: the run can be repeated only with it"
    is_address = "://" in uri or uri.startswith("package:")
    shown = hide_secrets(uri if is_address else Path(uri).name)
    return shown + (f" ({', '.join(found)})" if found else "")
