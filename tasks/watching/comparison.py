"""Watch a registered version: compare rows of today with those on which it was judged."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from modelling.checkout import command
from modelling.data.derived_columns import derive_columns
from modelling.data.independence import groups_of
from modelling.data.target_codes import code_classes, labelled_rows, merge_classes
from modelling.data.typed_columns import TypedTable, read_again
from modelling.declaration import UseCase
from modelling.judgement.judging import Predictions
from modelling.refusals import BrokenRule, DataRefused, UsageError, refuse_broken
from modelling.scorer.transformer import Columns
from modelling.watching.drift import Drift, drift_of
from modelling.watching.outcomes import Outcomes, judge_outcomes
from modelling.watching.profile import Counts, answers_of, counts_in
from modelling.watching.report import Watched
from tasks.preparation import read_typed
from tasks.progress import elapsed_line
from tasks.registry.scoring_runs import LoadedModel, data_hash_of
from tasks.validation import Validator


class _Answered(NamedTuple):
    """The rows of a table as the contract reads them; the rules that each breaks, and the columns
    with an unknown label, as text (n,); which rows have an answer (n,), and those answers."""

    columns: Columns
    broken: np.ndarray
    unknown: np.ndarray
    has_answer: np.ndarray
    predictions: Predictions


def watch_version(model: LoadedModel, use_case: UseCase) -> Watched:
    """Compare the table at the source of ``use_case`` with the rows that ``model`` was judged on.

    Raises UsageError where the version has no profile or answers another question, DataRefused
    where the table is not one, is that of the training, or lacks columns.
    """
    packaged = model.packaged
    _refuse_version(model, use_case)
    typed, data_hash, _ = read_typed(use_case)
    if data_hash == data_hash_of(model.name, model.version):
        raise DataRefused(
            f"version {model.version} of {model.name} was trained on this very table: "
            "give rows that came later"
        )
    with elapsed_line("comparing"):
        if use_case.derived is not None:
            Validator(use_case, typed.unreadable).check_source(typed.table)
        table = merge_classes(derive_columns(typed.table, use_case), use_case)
        answered = _answered(packaged, table)
        answers = answers_of(packaged.scorer, answered.predictions)
        outcomes, why_none = _outcomes(packaged, table, typed, use_case)
        return Watched(
            name=model.name,
            version=model.version,
            rows=len(table),
            judged_rows=packaged.profile["rows"],
            refused=int((~answered.has_answer).sum()),
            broken=_counted(answered.broken),
            unknown=_counted(answered.unknown),
            columns=_drifts(counts_in(packaged.profile, "columns"), answered.columns.arrays),
            answers=_drifts(counts_in(packaged.profile, "answers"), answers),
            outcomes=outcomes,
            no_outcomes=why_none,
        )


def _refuse_version(model: LoadedModel, use_case: UseCase) -> None:
    version = f"version {model.version} of {model.name}"
    if model.packaged.profile is None:
        raise UsageError(
            f"{version} was registered before models kept what they were judged on: train again "
            f"({command('train', model.name)})"
        )
    scorer = model.packaged.scorer
    if (scorer.problem, scorer.classes) != (use_case.problem, list(use_case.classes)):
        raise UsageError(f"{version} answers another question than {model.name} declares now")


def _drifts(judged: dict[str, Counts], cells: dict[str, np.ndarray]) -> tuple[Drift, ...]:
    found = [drift_of(name, counts, cells[name]) for name, counts in judged.items()]
    return tuple(sorted(found, key=lambda drift: -drift.psi))


def _answered(packaged: Any, table: pd.DataFrame) -> _Answered:
    try:
        columns, broken, unknown = packaged.contract.check(table)
    except ValueError as error:  # InputRefused of the version's own code
        raise DataRefused(str(error)) from None
    answered = (broken == "") if packaged.contract.refuses else np.ones(len(table), dtype=bool)
    arrays = {name: cells[answered] for name, cells in columns.arrays.items()}
    kept = Columns(arrays, int(answered.sum()))
    outputs = packaged.scorer.outputs(kept)
    predictions = Predictions(outputs, packaged.scorer.decide(kept, outputs))
    return _Answered(columns, broken, unknown, answered, predictions)


def _counted(notes: Iterable[str]) -> dict[str, int]:
    """In how many rows each of the things stands that the notes list."""
    found = Counter[str]()
    for listed, rows in Counter(notes).items():
        found.update(dict.fromkeys(listed.split("; ") if listed else [], rows))
    return dict(found.most_common())


def _outcomes(
    packaged: Any, table: pd.DataFrame, typed: TypedTable, use_case: UseCase
) -> tuple[Outcomes | None, str]:
    """What is known of the rows whose outcome is known; else why nothing is."""
    target = use_case.target
    if target not in table or not table[target].notna().any():
        return None, f"not known yet: no row has a {target}"
    rows, typed = read_again(_with_outcome(table, use_case), typed, use_case)
    unread = typed.unreadable.get(target, 0)
    missing = [column.name for column in use_case.columns if column.name not in rows]
    broken = [BrokenRule(name, "is there", None) for name in missing]
    broken += [BrokenRule(target, "is a number", unread)] if unread else []
    refuse_broken(broken)
    coded = code_classes(rows, use_case)
    answered = _answered(packaged, coded)
    coded = coded[answered.has_answer].reset_index(drop=True)
    if coded[target].nunique() < 2:
        return None, f"known of {len(coded):,} rows, all alike: too few to judge by"
    if groups_of(coded, use_case).max() < 1:
        return None, "known of one day, group or customer only: how sure they are can't be told"
    return judge_outcomes(coded, answered.predictions, use_case, packaged.profile), ""


def _with_outcome(table: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    """Outcomes come late: whatever training does, a row without one is left out."""
    return labelled_rows(table, use_case.model_copy(update={"unlabelled": "drop"}))
