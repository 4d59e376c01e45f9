"""Train: the one stage that holds a worker's cores or GPU."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from modelling.declaration import UseCase
from modelling.history import History, OnEpoch
from modelling.preprocessing import Preprocessed

if TYPE_CHECKING:
    import keras

log = logging.getLogger("finflows")


@task(name="train", cache_policy=NO_CACHE, persist_result=False)
def train_on_worker(
    features: Preprocessed, use_case: UseCase, on_epoch: OnEpoch
) -> tuple["keras.Model", History]:
    """Build and fit the declared network on this worker, with a progress line on a terminal."""
    # Importing TensorFlow takes seconds, which refused data need not wait for.
    from modelling.network import build_network
    from modelling.training import train_network

    train, validation = features.train, features.validation
    network = build_network(use_case, train.features.shape[1], train.target)
    with _progress(use_case.training.epochs, len(train.target)) as on_progress:
        history = train_network(network, train, validation, use_case, [on_epoch, on_progress])
    log.info(
        "%-11s %d epochs in %.1f s (%s rows/s), best epoch %d with val_loss %.5g",
        "trained",
        len(history.metrics["loss"]),
        history.seconds,
        f"{history.rows_per_second:,.0f}",
        history.best_epoch + 1,
        history.best_val_loss,
    )
    return network, history


@contextmanager
def _progress(epochs: int, rows: int) -> Iterator[OnEpoch]:
    """One live line with loss, val_loss, rows/s and time left; nothing where no one looks."""
    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("epoch {task.completed}/{task.total}  {task.fields[losses]}"),
        TimeRemainingColumn(compact=True),
    ]
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        line = bar.add_task("training", total=epochs, losses="compiling")

        def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
            speed = bar.tasks[line].speed
            losses = f"loss {metrics['loss']:.4g}  val_loss {metrics.get('val_loss', 0):.4g}"
            if speed:
                losses += f"  {speed * rows:,.0f} rows/s"
            bar.update(line, completed=epoch + 1, losses=losses)

        yield on_epoch
