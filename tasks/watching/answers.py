"""What a registered version answers to rows of today."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from modelling.judgement.judging import Predictions
from modelling.refusals import DataRefused
from modelling.scorer.transformer import Columns


class Answered(NamedTuple):
    """The rows of a table as the contract reads them; the rules that each breaks, and the columns
    with an unknown label, as text (n,); which rows have an answer (n,), and those answers."""

    columns: Columns
    broken: np.ndarray
    unknown: np.ndarray
    has_answer: np.ndarray
    predictions: Predictions


def answered_by(packaged: Any, table: pd.DataFrame) -> Answered:
    """What the ``scorer.model.Model`` of a version says of a table with its columns, of n rows.

    Raises DataRefused where the contract refuses all of them, as where a column is missing.
    """
    try:
        columns, broken, unknown = packaged.contract.check(table)
    except ValueError as error:  # InputRefused of the version's own code
        raise DataRefused(str(error)) from None
    answered = (broken == "") if packaged.contract.refuses else np.ones(len(table), dtype=bool)
    arrays = {name: cells[answered] for name, cells in columns.arrays.items()}
    kept = Columns(arrays, int(answered.sum()))
    outputs = packaged.scorer.outputs(kept)
    predictions = Predictions(outputs, packaged.scorer.decide(kept, outputs))
    return Answered(columns, broken, unknown, answered, predictions)
