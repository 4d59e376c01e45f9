"""Load the model that scores, and record what was scored: version, time, input."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import pandas as pd
from mlflow.entities import Metric, Run, RunTag
from mlflow.exceptions import MlflowException

from modelling.checkout import command
from modelling.data.loading import shown_name
from modelling.data.reading.number_text import TextFormat
from modelling.declaration import Source
from modelling.refusals import DataRefused, UsageError
from modelling.shown_text import shortened
from modelling.watching.profile import JudgedNumbers, numbers_in
from tasks.registry.champions import champion_of
from tasks.registry.model_files import load_version
from tasks.registry.promotion_history import refuse_absent_version, registered_versions
from tasks.tracking.record import LONGEST_TAG
from tasks.tracking.store import connect, experiment_id
from tasks.workers.processes import process_tag

Answer = Callable[[pd.DataFrame], pd.DataFrame]


class ModelInterface(NamedTuple):
    """What scoring uses of a model: its ``answer`` function, the ``kinds`` of its input columns,
    the types of its ``outputs``, the share of rows that may have unknown labels (by column), the
    format of numbers in text, of a binary model the cut-off of its decision, the sign that was
    beside the numbers of a column in training ("": none), where that is known, what the source of
    the training table declared of its file (encoding, header line and so on), and how the columns
    of numbers lay in the rows that it was ``judged`` on."""

    answer: Answer
    kinds: Mapping[str, str]
    outputs: Mapping[str, str]
    unknown_at_most: Mapping[str, float] = {}
    text_format: TextFormat = TextFormat()
    cut_off: float | None = None
    units: Mapping[str, str] = {}
    layout: Mapping[str, Any] = {}
    judged: Mapping[str, JudgedNumbers] = {}


class LoadedModel(NamedTuple):
    """A registered version, ready to score raw rows. A version that is deleted and registered again
    has the same number, but another ``model_id``. ``packaged`` is its ``scorer.model.Model``, of
    the code that it was registered with."""

    name: str
    version: str
    model_id: str
    interface: ModelInterface
    packaged: Any = None


def version_of(name: str, version: str | None = None) -> str:
    """The champion's version, or ``version``. Raises UsageError where there is none."""
    client = connect()
    known, holder = registered_versions(client, name), champion_of(client, name)
    if version is None and holder is None:
        raise UsageError(
            f"{name} has no champion: {command('train', name)}, or {command('promote', name)}"
        )
    requested = version or str(holder.version)  # type: ignore[union-attr]
    refuse_absent_version(name, requested, known)
    return requested


def load_registered(name: str, version: str | None = None, reasons: int = 0) -> LoadedModel:
    """The champion of ``name``, or the given ``version``, which gives up to so many ``reasons`` for
    each row. Raises UsageError where there is none, or it gives no reasons; its ``answer`` raises
    DataRefused where columns are missing."""
    requested = version_of(name, version)
    model = load_version(name, requested)
    unwrapped = model.unwrap_python_model().model
    columns = unwrapped.contract.columns
    outputs = {column.name: column.type.name for column in model.metadata.signature.outputs}
    if reasons and getattr(unwrapped, "reasons", None) is None:
        raise UsageError(
            f"version {requested} of {name} was registered before models gave reasons: train again "
            f"({command('train', name)}), or score without --reasons"
        )
    if reasons:
        outputs |= unwrapped.reasons.types_of(reasons)

    def answer(frame: pd.DataFrame) -> pd.DataFrame:
        try:
            return model.predict(frame, {"reasons": reasons} if reasons else None)
        except MlflowException as error:
            raise DataRefused(str(error.message)) from None

    interface = ModelInterface(
        answer=answer,
        kinds={column["name"]: column["kind"] for column in columns},
        outputs=outputs,
        unknown_at_most={column["name"]: column.get("unknown_at_most", 1.0) for column in columns},
        text_format=TextFormat(**getattr(unwrapped, "written", {})),  # not in older models
        cut_off=unwrapped.scorer.cut_off if unwrapped.scorer.problem == "binary" else None,
        units={column["name"]: column.get("written_in") for column in columns},
        layout=getattr(unwrapped, "layout", {}),
        judged=numbers_in(getattr(unwrapped, "profile", None), columns),  # not in older models
    )
    return LoadedModel(name, requested, str(model.model_id), interface, unwrapped)


def data_hash_of(name: str, version: str) -> str | None:
    """The fingerprint of the table that a version was trained on; None where its run is gone."""
    client = connect()
    try:
        run = client.get_run(str(client.get_model_version(name, version).run_id))
    except MlflowException:
        return None
    return run.data.tags.get("data_hash")


class RecordedUse(NamedTuple):
    """The MLflow run of a use of a model; ``record`` takes counts, which become metrics, and texts,
    which become tags."""

    run: Run
    record: Callable[[dict[str, Any]], None]


@contextmanager
def recorded_use(model: LoadedModel, source: Source, use: str = "scoring") -> Iterator[RecordedUse]:
    """An MLflow run for a use of a model, in an experiment for uses of its kind."""
    client = connect()
    experiment = experiment_id(client, f"{model.name}-{use}")
    shown = shown_name(source).rpartition("/")[2]
    tags = {"model_version": model.version, "model_id": model.model_id, "input": shown}
    tags["process"] = process_tag(os.getpid())
    run = client.create_run(experiment, tags=tags, run_name=shown)
    started = time.monotonic()

    def record(facts: dict[str, Any]) -> None:
        now = int(time.time() * 1000)
        numbers = {"seconds": time.monotonic() - started}
        numbers |= {name: value for name, value in facts.items() if not isinstance(value, str)}
        texts = [
            RunTag(name, shortened(value, LONGEST_TAG))
            for name, value in facts.items()
            if isinstance(value, str)
        ]
        metrics = [Metric(name, float(value), now, 0) for name, value in numbers.items()]
        client.log_batch(run.info.run_id, metrics=metrics[:1000], tags=texts)
        for first in range(1000, len(metrics), 1000):  # servers take no more at once
            client.log_batch(run.info.run_id, metrics=metrics[first : first + 1000])

    try:
        yield RecordedUse(run, record)
    except BaseException as error:
        known = isinstance(error, UsageError | DataRefused)  # others may quote cells
        message = str(error) if known else type(error).__name__
        client.set_tag(run.info.run_id, "failure", shortened(message, LONGEST_TAG))
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        client.set_terminated(run.info.run_id, status)
        raise
    client.set_terminated(run.info.run_id, "FINISHED")
