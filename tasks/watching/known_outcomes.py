"""The rows of today whose outcomes are known, judged as test rows are."""

from typing import Any

import numpy as np
import pandas as pd

from modelling.data.independence import groups_of
from modelling.data.target_codes import code_classes, labelled_rows
from modelling.data.typed_columns import TypedTable, kinds_of, read_again
from modelling.declaration import UseCase
from modelling.refusals import BrokenRule, refuse_broken
from modelling.scorer.cells import label_text
from modelling.watching.outcomes import Outcomes, few_outcomes, judge_outcomes
from tasks.watching.answers import answered_by


def known_outcomes(
    packaged: Any, table: pd.DataFrame, typed: TypedTable, use_case: UseCase
) -> tuple[Outcomes | None, str]:
    """What is known of the rows whose outcome is known; else why nothing is."""
    target = use_case.target
    if target not in table or not table[target].notna().any():
        return None, f"not known yet: no row has a {target}"
    rows, typed = read_again(table[table[target].notna()], typed, use_case)
    rows = _as_declared(labelled_rows(rows, use_case), typed, packaged, use_case)
    coded = code_classes(rows, use_case)
    answered = answered_by(packaged, coded)
    coded = coded[answered.has_answer].reset_index(drop=True)
    if too_few := few_outcomes(coded, use_case):
        return None, too_few
    if groups_of(coded, use_case).max() < 1:
        return None, "known of one day, group or customer only, too few to judge by: give several"
    return judge_outcomes(coded, answered.predictions, use_case, packaged.profile), ""


def _as_declared(
    rows: pd.DataFrame, typed: TypedTable, packaged: Any, use_case: UseCase
) -> pd.DataFrame:
    """Rows with an outcome and all declared columns; those that the model can do without are
    missing in each row. Raises DataRefused where others are not there or can't be read, where a
    target is none, and where it is not known which rows belong together."""
    read_by_model = packaged.contract.names
    lenient = () if packaged.contract.refuses else read_by_model
    absent = [column.name for column in use_case.columns if column.name not in rows]
    remedy = f"add it, or leave out {use_case.target} to watch drift alone"
    broken = [BrokenRule(name, "is there", None, remedy=remedy) for name in absent]
    broken = [rule for rule in broken if rule.column not in lenient]
    broken += [
        BrokenRule(name, f"is a {kind}", typed.unreadable[name])
        for name, kind in kinds_of(use_case).items()
        if name not in read_by_model and typed.unreadable.get(name)
    ]
    labels = [str(label_text(label)) for label in use_case.classes]
    missing = {name: rows[name].isna() for name in use_case.needed_columns if name in rows}
    rules = [(name, "is not missing", cells, "") for name, cells in missing.items()]
    if labels:
        no_class = ~rows[use_case.target].isin(labels)
        unknown = "where it is not known yet, leave it empty, or declare unlabelled='drop'"
        rules.append((use_case.target, f"is one of {', '.join(labels)}", no_class, unknown))
    broken += [
        BrokenRule(name, rule, int(n), remedy=remedy)
        for name, rule, cells, remedy in rules
        if (n := cells.sum())
    ]
    refuse_broken(broken)
    return rows.assign(**dict.fromkeys(absent, np.nan))
