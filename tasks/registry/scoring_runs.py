"""Load the model to score with, and record what was scored: version, time, input."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import pandas as pd
from mlflow.entities import Metric, RunTag
from mlflow.exceptions import MlflowException

from modelling.data.loading import shown_name
from modelling.data.reading.cells import TextFormat
from modelling.declaration import Source
from modelling.refusals import DataRefused, UsageError
from tasks.registry.champions import champion_of
from tasks.registry.model_files import load_version
from tasks.registry.promotion_history import versions
from tasks.tracking.store import connect, experiment_id
from tasks.workers.processes import process_tag

Answer = Callable[[pd.DataFrame], pd.DataFrame]


class ModelInterface(NamedTuple):
    """What is asked of a model: its ``answer``, the ``kinds`` of the columns that it takes, the
    types of the ``outputs`` that it gives, which share of rows may have labels unknown to it (by
    column), and how the text of numbers is ``written``."""

    answer: Answer
    kinds: Mapping[str, str]
    outputs: Mapping[str, str]
    unknown_at_most: Mapping[str, float] = {}
    written: TextFormat = TextFormat()


class LoadedModel(NamedTuple):
    """A registered version, ready to answer raw rows. A version that is deleted and made again has
    the same number, but another ``model_id``."""

    name: str
    version: str
    model_id: str
    asked: ModelInterface


def version_of(name: str, version: str | None = None) -> str:
    """The champion's version, or ``version``. Raises UsageError where there is none."""
    client = connect()
    holder = champion_of(client, name)
    if version is None and holder is None:
        raise UsageError(f"{name} has no champion: finflows train {name}, or finflows promote")
    wanted = version or str(holder.version)  # type: ignore[union-attr]
    if wanted not in [str(one.version) for one in versions(client, name)]:
        raise UsageError(f"{name} has no version {wanted}")
    return wanted


def load_registered(name: str, version: str | None = None) -> LoadedModel:
    """The champion of ``name``, or the ``version``. Raises UsageError where there is none; its
    ``answer`` raises DataRefused where columns are missing."""
    wanted = version_of(name, version)
    model = load_version(name, wanted)
    unwrapped = model.unwrap_python_model().model
    columns = unwrapped.contract.columns

    def answer(frame: pd.DataFrame) -> pd.DataFrame:
        try:
            return model.predict(frame)
        except MlflowException as error:
            raise DataRefused(str(error.message)) from None

    asked = ModelInterface(
        answer=answer,
        kinds={column["name"]: column["kind"] for column in columns},
        outputs={one.name: one.type.name for one in model.metadata.signature.outputs},
        unknown_at_most={column["name"]: column.get("unknown_at_most", 1.0) for column in columns},
        written=TextFormat(**getattr(unwrapped, "written", {})),  # older models do not say
    )
    return LoadedModel(name, wanted, str(model.model_id), asked)


@contextmanager
def scoring_run(model: LoadedModel, source: Source) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A run of its own experiment; call what it yields with counts (numbers) and facts (text)."""
    client = connect()
    experiment = experiment_id(client, f"{model.name}-scoring")
    shown = shown_name(source).rpartition("/")[2]
    tags = {"model_version": model.version, "model_id": model.model_id, "input": shown}
    tags["process"] = process_tag(os.getpid())
    run = client.create_run(experiment, tags=tags, run_name=shown)
    started = time.monotonic()

    def record(facts: dict[str, Any]) -> None:
        now = int(time.time() * 1000)
        numbers = {"seconds": time.monotonic() - started}
        numbers |= {name: one for name, one in facts.items() if not isinstance(one, str)}
        texts = [RunTag(name, one) for name, one in facts.items() if isinstance(one, str)]
        metrics = [Metric(name, float(one), now, 0) for name, one in numbers.items()]
        client.log_batch(run.info.run_id, metrics=metrics, tags=texts)

    try:
        yield record
    except BaseException as error:
        known = isinstance(error, UsageError | DataRefused)  # others may quote cells
        said = str(error) if known else type(error).__name__
        client.set_tag(run.info.run_id, "failure", said)
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        client.set_terminated(run.info.run_id, status)
        raise
    client.set_terminated(run.info.run_id, "FINISHED")
