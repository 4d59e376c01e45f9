"""One trial of a search: a training with its own settings on each fold, in a nested run."""

import math
import shutil
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from optuna.trial import Trial
from prefect import task
from prefect.cache_policies import NO_CACHE

from modelling.declaration import UseCase
from modelling.judgement.losses import losses_of_rows
from modelling.learning_curve.attempt import TrainedNetwork, val_loss_of_kept_weights
from modelling.training.fitting import TrainingJob
from tasks.search.choice import keep_losses
from tasks.search.folds import Fold
from tasks.search.study import Outcome, Thresholds, store_outcome
from tasks.tracking.record import TrackedRun
from tasks.tracking.retrying import is_transient
from tasks.tracking.runs import nested_run
from tasks.training import record_curve
from tasks.workers.executor import Executor

MAXIMUM_DEATHS = 10  # of workers, before a trial counts as failed: it may need too much memory


class TrainedFolds(NamedTuple):
    """The networks of a trial, one for each fold that it came to; ``means`` is val_loss over the
    rows of the first fold, of the first two, and so on. ``pruned`` says that it ended early."""

    networks: list[TrainedNetwork]
    means: list[float]
    pruned: bool


@task(
    name="trial",
    task_run_name="trial {number}",
    retries=MAXIMUM_DEATHS,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def run_trial(
    number: int,
    trial: Trial,
    use_case: UseCase,
    settings: dict[str, Any],
    folds: Sequence[Fold],
    thresholds: Thresholds,
    parent: TrackedRun,
    executor: Executor,
) -> Outcome:
    """Train with the ``settings`` of one trial, which ``use_case`` has, and store the outcome.

    Continues from its checkpoints if there are any, as after its worker was killed. Its run shows
    the training of the first fold, which is that of the declared split. The run of a pruned trial
    is FINISHED, with the tag ``pruned``.
    """
    with nested_run(parent, "trial", str(number), use_case, settings) as run:
        trained = _train_folds(use_case, folds, thresholds, run, executor)
        diagnosis = record_curve(trained.networks[0], use_case, run)
        run.log_tags({"pruned": "yes" if trained.pruned else "no"})
    if len(trained.networks) == len(folds) and not trained.pruned:
        keep_losses(parent, number, _losses(trained.networks, folds, use_case))
    outcome = Outcome(
        state="pruned" if trained.pruned else "finished",
        val_loss=trained.means[-1],
        curve=trained.networks[0].history.metrics["val_loss"],
        verdict=diagnosis.verdict,
        seconds=sum(network.history.seconds for network in trained.networks),
        run_id=run.run_id,
        means=trained.means,
    )
    store_outcome(trial, outcome)
    shutil.rmtree(run.checkpoint_folder, ignore_errors=True)
    return outcome


def _train_folds(
    use_case: UseCase,
    folds: Sequence[Fold],
    thresholds: Thresholds,
    run: TrackedRun,
    executor: Executor,
) -> TrainedFolds:
    """Train on one fold after the other, until the trial diverged or is worse than most."""
    networks: list[TrainedNetwork] = []
    losses: list[float] = []
    means: list[float] = []
    rows = [len(fold.validation) for fold in folds]
    for number, fold in enumerate(folds):
        job = _job(use_case, fold, number, thresholds, run)
        network = executor.run(job, [] if number else [run.log_epoch])
        networks.append(network)
        losses.append(val_loss_of_kept_weights(network.history, use_case))
        mean = float(np.average(losses, weights=rows[: len(losses)]))
        means.append(mean if math.isfinite(mean) else math.inf)
        run.log_epoch(len(networks), {"mean_val_loss": mean})
        if network.pruned or (math.isfinite(mean) and thresholds.end(means)):
            return TrainedFolds(networks, means, pruned=True)
        if not math.isfinite(mean):
            break
    return TrainedFolds(networks, means, pruned=False)


def _job(
    use_case: UseCase, fold: Fold, number: int, thresholds: Thresholds, run: TrackedRun
) -> TrainingJob:
    folder = run.checkpoint_folder
    return TrainingJob(
        use_case=use_case,
        train=fold.features.train,
        validation=fold.features.validation,
        checkpoint_folder=folder / f"fold-{number + 1}" if number else folder,
        network_folder=None,
        pruning_thresholds=thresholds.by_epoch,
        directions=fold.features.directions,
        columns=fold.features.columns,
    )


def _losses(
    networks: Sequence[TrainedNetwork], folds: Sequence[Fold], use_case: UseCase
) -> np.ndarray:
    """(n,): the losses of the validation rows of all folds, one fold after the other."""
    return np.concatenate(
        [
            losses_of_rows(
                network.validation_outputs, fold.features.validation.target, use_case.problem
            )
            for network, fold in zip(networks, folds, strict=True)
        ]
    )
