"""Train and read the learning curve: the one stage that holds a worker's cores or GPU."""

import json
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from modelling.data.splitting import Parts
from modelling.declaration import UseCase
from modelling.features.preprocessing import Preprocessed
from modelling.judgement.packaging import Package
from modelling.judgement.reliance import what_it_rests_on
from modelling.learning_curve.attempt import Attempt, TrainedNetwork
from modelling.learning_curve.diagnosis import Diagnosis, read_learning_curve
from modelling.learning_curve.history import History, OnEpoch, format_loss
from modelling.refusals import UsageError
from modelling.training.fitting import TrainingJob
from tasks.progress import progress_line
from tasks.tracking.descriptions import in_words
from tasks.tracking.provenance import flat_parameters
from tasks.tracking.record import REMEDY_SETTINGS, TrackedRun
from tasks.tracking.retrying import is_transient
from tasks.workers.fresh_process import start_fresh_process
from tasks.workers.training_workers import borrowed_worker

log = logging.getLogger("finflows")


@task(
    name="train",
    retries=3,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def train_and_read(
    features: Preprocessed, use_case: UseCase, run: TrackedRun, scratch: Path
) -> Attempt:
    """Train the declared network in a worker process, and record what its curve says.

    Goes on from the run's checkpoints where it finds some, as a retry does after the worker was
    killed. Shows a progress line on a terminal.
    """
    folder = scratch / f"network-{run.run_id}"
    job = TrainingJob(
        use_case,
        features.train,
        features.validation,
        run.checkpoint_folder,
        folder,
        directions=features.directions,
        columns=features.columns,
    )
    start_fresh_process()
    with (
        borrowed_worker() as worker,
        _epoch_progress(use_case, len(features.train.target)) as on_progress,
    ):
        fitted = worker.run(job, [run.log_epoch, on_progress])
    diagnosis = record_curve(fitted, use_case, run)
    run.log_text(fitted.summary, "model_summary.txt")
    _say(fitted.history, diagnosis)
    return Attempt(use_case, folder, fitted, diagnosis)


def record_curve(fitted: TrainedNetwork, use_case: UseCase, run: TrackedRun) -> Diagnosis:
    """Read the learning curve, and record it in the run with its picture and verdict."""
    from modelling.figures.learning_curve import draw_learning_curve

    diagnosis = read_learning_curve(fitted.history, use_case, fitted.dead_unit_share)
    figure = draw_learning_curve(fitted.history, use_case.title, diagnosis, use_case.problem)
    run.log_curve(fitted.history, diagnosis, figure)
    run.log_tags({"weights_hash": fitted.weights_hash})
    return diagnosis


def name_suspects(run: TrackedRun, trained: Attempt, package: Package, parts: Parts) -> Attempt:
    """``trained``, and where its curve looks like a leak, with the columns that it rests on."""
    if not (suspected := trained.diagnosis.leak_suspected):
        return trained
    rests_on = what_it_rests_on(package, parts.validation, trained.use_case)
    log.info("%-11s %s", "", rests_on)
    suspected = f"{suspected} {rests_on[0].upper()}{rests_on[1:]}"
    run.log_tags({"leak_suspected": suspected})
    return replace(trained, diagnosis=replace(trained.diagnosis, leak_suspected=suspected))


def refuse_diverged(attempt: Attempt) -> Attempt:
    """``attempt``, unless its weights are no numbers. Raises UsageError with what to try."""
    if math.isfinite(attempt.val_loss):
        return attempt
    settings = attempt.summary()["remedy"].items()
    flags = " ".join(f"--set {name}={value}" for name, value in settings)
    raise UsageError(f"training diverged, {attempt.diagnosis.evidence}: try {flags}")


def choose_attempt(run: TrackedRun, attempts: list[Attempt]) -> Attempt:
    """The healthy attempt (or, without one, any) with the lowest validation loss.

    Its curve becomes that of the parent run, which also shows the path and the settings that led
    there.
    """
    healthy = [one for one in attempts if one.diagnosis.verdict == "healthy"]
    chosen = min(healthy or attempts, key=lambda one: np.nan_to_num(one.val_loss, nan=np.inf))
    history = chosen.history
    for epoch in range(len(history.metrics["loss"])):
        run.log_epoch(epoch, {name: values[epoch] for name, values in history.metrics.items()})
    record_curve(chosen.fitted, chosen.use_case, run)
    run.log_text(chosen.fitted.summary, "model_summary.txt")
    run.log_text(_path(attempts, chosen), "remedies.md")
    path = " -> ".join(one.diagnosis.verdict for one in attempts)
    run.log_tags({"remedy_path": path, REMEDY_SETTINGS: json.dumps(chosen.applied)})
    return chosen


def say_remedy(number: int, remedies: int, remedy: Mapping[str, Any]) -> None:
    """Say what the next attempt changes."""
    log.info("%-11s %d of %d: trying %s", "remedy", number, remedies, in_words(remedy))


def _path(attempts: list[Attempt], chosen: Attempt) -> str:
    lines = ["| attempt | changed | verdict | val_loss | kept |", "|---|---|---|---:|---|"]
    before = flat_parameters(attempts[0].use_case)
    for number, one in enumerate(attempts, start=1):
        now = flat_parameters(one.use_case)
        changed = ", ".join(f"{k}={v}" for k, v in now.items() if before[k] != v) or "-"
        kept = "yes" if one is chosen else ""
        verdict = one.diagnosis.verdict
        lines.append(f"| {number} | {changed} | {verdict} | {format_loss(one.val_loss)} | {kept} |")
        before = now
    return "\n".join(lines) + "\n"


def _say(history: History, diagnosis: Diagnosis) -> None:
    log.info(
        "%-11s %d epochs in %.1f s (%s rows/s), best epoch %d with val_loss %s",
        "trained",
        len(history.metrics["loss"]),
        history.seconds,
        f"{history.rows_per_second:,.0f}",
        history.best_epoch + 1,
        format_loss(history.best_val_loss),
    )
    if history.group_lasso:
        log.info("%-11s group lasso of %.2g standard errors", "", history.group_lasso)
    if history.not_compiled:
        log.warning("%-11s not compiled, batch by batch: %s", "", history.not_compiled)
    log.info("%-11s %s: %s", "curve", diagnosis.verdict, diagnosis.evidence)
    if diagnosis.leak_suspected:
        log.info("%-11s leak suspected: %s", "", diagnosis.leak_suspected)


@contextmanager
def _epoch_progress(use_case: UseCase, rows: int) -> Iterator[OnEpoch]:
    """A progress line with the losses of each epoch."""
    epochs = use_case.training.epochs
    with progress_line("training", "epoch", epochs, rows, text="starting") as show:

        def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
            val_loss = metrics.get("val_loss", 0)
            show(
                epoch + 1,
                f"loss {format_loss(metrics['loss'], 4)}  val_loss {format_loss(val_loss, 4)}",
            )

        yield on_epoch
