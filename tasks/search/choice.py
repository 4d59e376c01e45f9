"""Which settings a search ends with: the best trial's, where they are better than the declared ones
by more than a standard error; else the declared ones.

The best of many trials has the lowest validation loss by luck, too. So it is compared with the
declared settings on the same validation rows. A 95 % interval, as between a challenger and a
champion, would give more gains away than it avoids harm (docs/search_workers_gpus.md).
"""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from modelling.data.independence import groups_of
from modelling.judgement.losses import gain_of
from tasks.search.folds import Fold
from tasks.search.study import Study
from tasks.tracking.record import TrackedRun

log = logging.getLogger("finflows")


class ChosenTrial(NamedTuple):
    """The number of the trial whose settings are trained anew, and why it is that one."""

    number: int
    reason: str


def keep_losses(parent: TrackedRun, number: int, losses: np.ndarray) -> None:
    """Keep a trial's losses (n,) of all validation rows until the search is finished."""
    path = _path(parent, number)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    np.save(path, losses)


def choose_trial(study: Study, parent: TrackedRun, folds: Sequence[Fold]) -> ChosenTrial:
    """The trial of a finished search whose settings are used, said in one line."""
    validation = pd.concat([fold.validation for fold in folds[: study.folds]])
    chosen = _chosen(study, parent, validation)
    log.info("%-11s %s", "chosen", chosen.reason)
    parent.log_tags({"search_choice": chosen.reason})
    return chosen


def _chosen(study: Study, parent: TrackedRun, validation: pd.DataFrame) -> ChosenTrial:
    best, declared = study.best(), study.declared()
    if declared is None:
        return ChosenTrial(best, f"trial {best}; the declared settings were not among the trials")
    if best == declared:
        where = ", over all folds and in the first" if study.folds > 1 else ""
        reason = f"no trial has a lower val_loss than the declared settings{where}: they are kept"
        return ChosenTrial(declared, reason)
    outcome = study.outcomes()[declared]
    if outcome.state != "finished" or not math.isfinite(outcome.val_loss):
        ended = {"finished": "diverged", "pruned": "was pruned", "failed": "failed"}[outcome.state]
        return ChosenTrial(best, f"trial {best}; the trial of the declared settings {ended}")
    paths = [_path(parent, number) for number in (best, declared)]
    if not all(path.exists() for path in paths):
        return ChosenTrial(best, f"trial {best}; an earlier release kept nothing to compare it by")
    losses, than = (np.load(path) for path in paths)
    gain = gain_of(losses, than, groups_of(validation, study.use_case))
    parent.log_metrics({"gain": gain.value, "gain_standard_error": gain.standard_error})
    if gain.exceeds_error:
        reason = f"trial {best}, better than the declared settings by {gain} of validation loss"
        return ChosenTrial(best, reason)
    return ChosenTrial(
        declared,
        "no trial is better than the declared settings by more than a standard error (trial "
        f"{best} by {gain} of validation loss): they are kept",
    )


def _path(parent: TrackedRun, number: int) -> Path:
    return parent.checkpoint_folder / f"trial-{number}-losses.npy"
