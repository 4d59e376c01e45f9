"""Run the trials of a search, several at a time, and record what they came to."""

import json
import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd
from prefect.task_runners import ThreadPoolTaskRunner

from modelling.declaration.overrides import override
from modelling.learning_curve.history import format_loss
from tasks.progress import progress_line
from tasks.search.choice import ChosenTrial
from tasks.search.folds import Fold
from tasks.search.study import OUTCOME, Outcome, Study, store_outcome
from tasks.search.trial import run_trial
from tasks.tracking.record import TrackedRun
from tasks.tracking.resuming import TRAINED_RUN
from tasks.workers.executor import Executor, ExecutorLostError

log = logging.getLogger("finflows")


def run_trials(study: Study, folds: Sequence[Fold], parent: TrackedRun, executor: Executor) -> None:
    """Run the remaining trials of the study, as many at a time as ``executor`` has slots.

    Trials are proposed, and their outcomes passed to Optuna, in the order of their numbers,
    whichever ends first: trial n is proposed after the outcome of trial n - lag. One more trial
    than there are slots is started, so that no slot waits while the trial before is recorded.
    """
    futures: dict[int, Any] = {}
    with (
        ThreadPoolTaskRunner(max_workers=executor.slots + 1) as runner,  # type: ignore[var-annotated]
        progress_line("searching", "trial", study.trials) as show,
    ):
        try:
            proposed = recorded = len(study.ended_trials())
            while recorded < study.trials:
                while proposed < min(recorded + study.lag, study.trials):
                    futures[proposed] = _start(study, proposed, folds, parent, executor, runner)
                    proposed += 1
                _record_outcome(study, recorded, futures.pop(recorded))
                recorded += 1
                show(recorded, _summary(study.outcomes()))
        except BaseException:
            executor.abandon()
            raise


def _start(
    study: Study,
    number: int,
    folds: Sequence[Fold],
    parent: TrackedRun,
    executor: Executor,
    runner: ThreadPoolTaskRunner[Outcome],
) -> Any:
    trial = study.ask(number)
    if OUTCOME in trial.user_attrs:
        return None  # it had ended when the search was interrupted, but was not yet recorded
    parameters = {
        "number": number,
        "trial": trial,
        "use_case": override(study.use_case, study.settings(number)),
        "settings": study.settings(number),
        "folds": folds[: study.folds],
        "thresholds": study.thresholds(number),
        "parent": parent,
        "executor": executor,
    }
    return runner.submit(run_trial, parameters)


def _record_outcome(study: Study, number: int, future: Any) -> None:
    """Wait for the trial and record its outcome. A failed trial is recorded, too: the search
    continues.

    Raises ExecutorLostError where no worker is left: a resumed search runs the trial again.
    """
    trial = study.ask(number)
    if future is not None:
        future.wait()
        if not future.state.is_completed():
            error = future.state.result(raise_on_failure=False)
            if isinstance(error, ExecutorLostError):
                raise error
            store_outcome(trial, Outcome("failed", math.inf, [], type(error).__name__, 0.0, ""))
    outcome = Outcome(**study.ask(number).user_attrs[OUTCOME])
    study.tell(number, outcome)
    epochs = f"{len(outcome.curve)} epochs"
    if len(outcome.means) > 1:
        epochs = f"{len(outcome.means)} folds, {epochs} of the first"
    took = f"{epochs} in {outcome.seconds:.1f} s"
    summary = f"val_loss {format_loss(outcome.val_loss)}, {outcome.verdict}, {took}"
    log.info("%-11s %s %s", f"trial {number}", outcome.state, summary if outcome.curve else "")


def _summary(outcomes: list[Outcome]) -> str:
    """The best so far, for the progress line."""
    finished = [outcome.val_loss for outcome in outcomes if outcome.state == "finished"]
    pruned = sum(outcome.state == "pruned" for outcome in outcomes)
    return f"best val_loss {format_loss(min(finished, default=math.inf))}  {pruned} pruned"


def conclude_search(
    study: Study, parent: TrackedRun, chosen: ChosenTrial, trained_run: str
) -> dict[str, Any]:
    """Record the result of the search, and the run that trained the chosen settings, in its run;
    returns the result."""
    outcomes, best = study.outcomes(), chosen.number
    states = Counter(outcome.state for outcome in outcomes)
    settings = study.settings(best)
    parent.log_metrics(
        {
            "best_val_loss": outcomes[best].val_loss,
            "trials": len(outcomes),
            **{f"trials_{state}": states[state] for state in ("finished", "pruned", "failed")},
        }
    )
    parent.log_tags(
        {
            "best_trial": best,
            "best_trial_run": outcomes[best].run_id,
            "best_settings": json.dumps(settings),
            TRAINED_RUN: trained_run,
        }
    )
    parent.client.set_tag(trained_run, "search_run", parent.run_id)
    parent.log_text(_table(study), "trials.csv")
    return {
        "trials": dict(states),
        "best_trial": best,
        "best_val_loss": outcomes[best].val_loss,
        "settings": settings,
        "choice": chosen.reason,
    }


def _table(study: Study) -> str:
    rows = [
        {"trial": number, **asdict(outcome), **study.settings(number)}
        for number, outcome in enumerate(study.outcomes())
    ]
    return pd.DataFrame(rows).drop(columns=["curve", "means"]).to_csv(index=False)
