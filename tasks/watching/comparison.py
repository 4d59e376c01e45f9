"""Watch a registered version: compare rows of today with those on which it was judged."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from modelling.checkout import command
from modelling.data.derived_columns import derive_columns
from modelling.data.target_codes import merge_classes
from modelling.data.transaction_columns import rows_with_history
from modelling.declaration import TransactionWindows, UseCase
from modelling.refusals import DataRefused, UsageError
from modelling.watching.drift import Drift, drift_of
from modelling.watching.profile import answers_of, counts_in, values_of
from modelling.watching.report import Watched
from tasks.preparation import read_typed
from tasks.progress import elapsed_line
from tasks.registry.scoring_runs import LoadedModel, data_hash_of
from tasks.scoring.file_scoring import counted
from tasks.validation import Validator
from tasks.watching.answers import answered_by
from tasks.watching.known_outcomes import known_outcomes

log = logging.getLogger("finflows")


def watch_version(model: LoadedModel, use_case: UseCase) -> Watched:
    """Compare the table at the source of ``use_case`` with the rows that ``model`` was judged on.

    Raises UsageError where the version has no profile or answers another question, DataRefused
    where the table is not one, is that of the training, lacks columns, or has fewer rows than any
    number may be told of.
    """
    packaged = model.packaged
    _refuse_version(model, use_case)
    typed, data_hash, _ = read_typed(use_case)
    if data_hash == data_hash_of(model.name, model.version):
        raise DataRefused(
            f"version {model.version} of {model.name} was trained on this very table: "
            "give rows that came later"
        )
    _refuse_outcomes_alone(packaged.contract.names, typed.table, use_case.target)
    _refuse_absent_frauds(typed.table, use_case)
    with elapsed_line("comparing"):
        if use_case.derived is not None:
            Validator(use_case, typed.unreadable).check_source(typed.table)
        table = _with_history(
            merge_classes(derive_columns(typed.table, use_case), use_case), use_case
        )
        _refuse_few(table, use_case)
        answered = answered_by(packaged, table)
        values = values_of(packaged.contract, answered.columns)
        answers = answers_of(packaged.scorer, answered.predictions)
        outcomes, why_none = known_outcomes(packaged, table, typed, use_case)
        return Watched(
            name=model.name,
            version=model.version,
            rows=len(table),
            judged_rows=packaged.profile["rows"],
            refused=int((~answered.has_answer).sum()),
            broken=dict(counted(pd.Series(answered.broken)).most_common()),
            unknown=dict(counted(pd.Series(answered.unknown)).most_common()),
            columns=_drifts(packaged, "columns", values, use_case),
            answers=_drifts(packaged, "answers", answers, use_case),
            outcomes=outcomes,
            no_outcomes=why_none,
            repeated=int(table.drop(columns=use_case.target, errors="ignore").duplicated().sum()),
        )


def _refuse_version(model: LoadedModel, use_case: UseCase) -> None:
    version = f"version {model.version} of {model.name}"
    if getattr(model.packaged, "profile", None) is None:  # older code has no such attribute
        raise UsageError(
            f"{version} was registered before models kept what they were judged on: train again "
            f"({command('train', model.name)}), and promote what is no better by hand "
            f"({command('promote', model.name)})"
        )
    scorer = model.packaged.scorer
    if (scorer.problem, scorer.classes) != (use_case.problem, list(use_case.classes)):
        raise UsageError(
            f"{version} answers another question than {model.name} declares now: declare its "
            f"problem and classes again, or train again ({command('train', model.name)})"
        )
    declared = {column.name for column in use_case.columns}
    if gone := [name for name in model.packaged.contract.names if name not in declared]:
        raise UsageError(
            f"{version} reads {', '.join(gone)}, which {model.name} does not declare any more: "
            f"declare it again, or train again ({command('train', model.name)})"
        )


def _refuse_outcomes_alone(read_by_model: list[str], table: pd.DataFrame, target: str) -> None:
    if target in table and not {*read_by_model} & {*table.columns}:
        raise DataRefused(
            f"the table has {target}, and no column that the model reads: join it, by a key of "
            "yours, to the rows that were scored"
        )


def _refuse_absent_frauds(table: pd.DataFrame, use_case: UseCase) -> None:
    derived = use_case.derived
    if isinstance(derived, TransactionWindows) and derived.fraud not in table:
        raise DataRefused(
            f"the table has no {derived.fraud}, and its windows count earlier frauds: add which "
            f"transactions were frauds, empty for those of the last {derived.delay_days} days that "
            "are not known yet"
        )


def _with_history(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """The rows whose derived columns are complete."""
    if not isinstance(use_case.derived, TransactionWindows):
        return table
    kept = rows_with_history(table, use_case.derived)
    history = f"{len(table) - len(kept):,} rows, the first {use_case.derived.history_days} days"
    log.info("%-11s %s, which others look back on", "history", history)
    return kept.reset_index(drop=True)


def _refuse_few(table: pd.DataFrame, use_case: UseCase) -> None:
    least = use_case.minimum_rows_per_value
    if len(table) < least:
        raise DataRefused(
            f"{len(table)} rows are too few to watch: give at least {least} "
            "(minimum_rows_per_value), so that nothing is told of a single customer"
        )


def _drifts(
    packaged: Any, kind: str, cells: dict[str, np.ndarray], use_case: UseCase
) -> tuple[Drift, ...]:
    """Of the columns or the answers, the largest first; none where too few rows have an answer."""
    found = [
        drift_of(name, counts, cells[name])
        for name, counts in counts_in(packaged.profile, kind).items()
        if len(cells[name]) >= use_case.minimum_rows_per_value
    ]
    return tuple(sorted(found, key=lambda drift: -drift.psi))
