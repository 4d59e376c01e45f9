"""The folds by which a search judges settings: the declared cut alone where that has enough
validation rows, further ones of the same rows where it has few."""

import logging
from typing import NamedTuple

import pandas as pd

from modelling.data.folds import cut_folds, fold_count
from modelling.data.splitting import Parts
from modelling.declaration import UseCase
from modelling.features.preprocessing import Preprocessed, preprocess
from modelling.refusals import DataRefused
from tasks.tracking.record import TrackedRun

log = logging.getLogger("finflows")


class Fold(NamedTuple):
    """Rows as the network gets them, and the raw validation rows."""

    features: Preprocessed
    validation: pd.DataFrame


def prepare_folds(parts: Parts, use_case: UseCase, run: TrackedRun) -> list[Fold]:
    """The folds of a search, that of the declared cut first; said in the log and in its run."""
    folds = [Fold(preprocess(parts, use_case), parts.validation)]
    why_one = "" if fold_count(parts) > 1 else "enough to judge settings by"
    try:
        folds += [
            Fold(preprocess(fold, use_case), fold.validation)
            for fold in cut_folds(parts, use_case)[1:]
        ]
    except DataRefused as refusal:
        why_one = str(refusal)
    rows = sum(len(fold.validation) for fold in folds)
    said = f"{len(folds)} folds with {rows:,} validation rows in all"
    if len(folds) == 1:
        said = f"{rows:,} rows of the declared split: {why_one or 'it has no further folds'}"
    log.info("%-11s %s", "validation", said)
    run.log_metrics({"folds": len(folds), "validation_rows": rows})
    return folds
