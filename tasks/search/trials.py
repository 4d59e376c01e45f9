"""Run the trials of a search: each a training with settings of its own, in a nested run."""

import json
import logging
import math
import shutil
from collections import Counter
from dataclasses import asdict
from typing import Any

import pandas as pd
from optuna.trial import Trial
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from modelling.declaration import UseCase
from modelling.declaration.overrides import override
from modelling.features.preprocessing import Preprocessed
from modelling.learning_curve.attempt import kept_val_loss
from modelling.training.fitting import Job
from modelling.training.pruning import PruningThresholds
from tasks.progress import progress_line
from tasks.search.study import OUTCOME, Outcome, Study, remember
from tasks.tracking.record import TrackedRun
from tasks.tracking.retrying import can_pass
from tasks.tracking.runs import nested_run
from tasks.training import record_curve
from tasks.workers.executor import Executor, ExecutorLostError

log = logging.getLogger("finflows")
DEATHS = 10  # of workers, before a trial counts as failed: most likely it needs too much memory


def run_trials(
    study: Study, features: Preprocessed, parent: TrackedRun, executor: Executor
) -> None:
    """Run what is left of the study's trials, as many at a time as ``executor`` has slots.

    They are asked and told in one order, whoever finishes first: trial n is asked once trial
    n - lag was told. One more than there are slots is under way, so that a slot never waits for
    what is recorded of the trial before.
    """
    futures: dict[int, Any] = {}
    with (
        ThreadPoolTaskRunner(max_workers=executor.slots + 1) as runner,  # type: ignore[var-annotated]
        progress_line("searching", "trial", study.trials) as show,
    ):
        try:
            asked = told = len(study.told())
            while told < study.trials:
                while asked < min(told + study.lag, study.trials):
                    futures[asked] = _start(study, asked, features, parent, executor, runner)
                    asked += 1
                _tell(study, told, futures.pop(told))
                told += 1
                show(told, _summary(study.outcomes()))
        except BaseException:
            executor.abandon()
            raise


def _start(
    study: Study,
    number: int,
    features: Preprocessed,
    parent: TrackedRun,
    executor: Executor,
    runner: ThreadPoolTaskRunner[Outcome],
) -> Any:
    trial = study.ask(number)
    if OUTCOME in trial.user_attrs:
        return None  # over when the search was interrupted, but not yet told
    parameters = {
        "number": number,
        "trial": trial,
        "use_case": override(study.use_case, study.settings(number)),
        "features": features,
        "bar": study.pruning_thresholds(number),
        "parent": parent,
        "place": executor,
    }
    return runner.submit(run_trial, parameters)


@task(
    name="trial",
    task_run_name="trial {number}",
    retries=DEATHS,
    retry_condition_fn=can_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def run_trial(
    number: int,
    trial: Trial,
    use_case: UseCase,
    features: Preprocessed,
    bar: PruningThresholds,
    parent: TrackedRun,
    executor: Executor,
) -> Outcome:
    """Train one trial's settings, and write down what came of it.

    Goes on from its checkpoints where it finds some, as it does after its worker was killed. A
    pruned trial's run is FINISHED, with the tag ``pruned``: it did what it should.
    """
    with nested_run(parent, "trial", str(number), use_case) as run:
        job = Job(use_case, features.train, features.validation, run.checkpoint_folder, None, bar)
        fitted = executor.run(job, [run.log_epoch])
        diagnosis = record_curve(fitted, use_case, run)
        run.log_tags({"pruned": "yes" if fitted.pruned else "no"})
    val_loss = kept_val_loss(fitted.history, use_case)
    outcome = Outcome(
        state="pruned" if fitted.pruned else "finished",
        val_loss=val_loss if math.isfinite(val_loss) else math.inf,
        curve=fitted.history.metrics["val_loss"],
        verdict=diagnosis.verdict,
        seconds=fitted.history.seconds,
        run_id=run.run_id,
    )
    remember(trial, outcome)
    shutil.rmtree(run.checkpoint_folder, ignore_errors=True)
    return outcome


def _tell(study: Study, number: int, future: Any) -> None:
    """Count the trial. One that failed is counted too: the search goes on.

    Raises PlaceLostError where it is not the trial's fault: when resumed, it is run again.
    """
    trial = study.ask(number)
    if future is not None:
        future.wait()
        if not future.state.is_completed():
            error = future.state.result(raise_on_failure=False)
            if isinstance(error, ExecutorLostError):
                raise error
            remember(trial, Outcome("failed", math.inf, [], type(error).__name__, 0.0, ""))
    outcome = Outcome(**study.ask(number).user_attrs[OUTCOME])
    study.tell(number, outcome)
    epochs = f"{len(outcome.curve)} epochs in {outcome.seconds:.1f} s"
    said = f"val_loss {outcome.val_loss:.5g}, {outcome.verdict}, {epochs}"
    log.info("%-11s %s %s", f"trial {number}", outcome.state, said if outcome.curve else "")


def _summary(outcomes: list[Outcome]) -> str:
    """The best so far, for the progress line."""
    finished = [outcome.val_loss for outcome in outcomes if outcome.state == "finished"]
    pruned = sum(outcome.state == "pruned" for outcome in outcomes)
    return f"best val_loss {min(finished, default=math.inf):.5g}  {pruned} pruned"


def conclude_search(study: Study, parent: TrackedRun, trained_run: str) -> dict[str, Any]:
    """Record the search in its run, and where its winner was trained; the same as plain values."""
    outcomes, best = study.outcomes(), study.best()
    states = Counter(one.state for one in outcomes)
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
            "trained_run": trained_run,
        }
    )
    parent.client.set_tag(trained_run, "search_run", parent.run_id)
    parent.log_text(_table(study), "trials.csv")
    return {
        "trials": dict(states),
        "best_trial": best,
        "best_val_loss": outcomes[best].val_loss,
        "settings": settings,
    }


def _table(study: Study) -> str:
    rows = [
        {"trial": n, **asdict(one), **study.settings(n)} for n, one in enumerate(study.outcomes())
    ]
    return pd.DataFrame(rows).drop(columns="curve").to_csv(index=False)
