"""Register a packaged model, once it answers elsewhere as it did here."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.model import ModelInfo
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from prefect import task
from prefect.cache_policies import NO_CACHE

from modelling.judgement.agreement import refuse_disagreement
from modelling.judgement.evaluation import RequirementResult
from modelling.judgement.packaging import Package
from modelling.learning_curve.attempt import Attempt
from tasks.registry.champions import set_challenger
from tasks.registry.file_hashes import hash_tag
from tasks.registry.locked_requirements import locked
from tasks.registry.model_files import fetched
from tasks.tracking.record import TrackedRun, gate_tags
from tasks.tracking.retrying import can_pass
from tasks.workers.fresh_process import answers_elsewhere

log = logging.getLogger("finflows")
TRAVELLING_MODEL = Path(__file__).with_name("registered_model.py")


@task(
    name="register",
    retries=3,
    retry_delay_seconds=[1, 5, 15],
    retry_condition_fn=can_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def register_model(
    run: TrackedRun,
    package: Package,
    gate: RequirementResult,
    trained: Attempt,
    validation: pd.DataFrame,
    frozen: Mapping[str, str],
) -> str:
    """Log the packaged model to the run, register it, call it ``challenger``; its version.

    Before, it is loaded in a new process and scores the raw ``validation`` rows. Raises UsageError
    where its answers differ from the trained network's. ``frozen`` are tags by which a later
    version knows whether it can be compared with this one.
    """
    started = time.perf_counter()
    made = _made_before(run, package.name)
    model_uri = str(made.source if made else _log_model(run, package).model_uri)
    with fetched(model_uri) as folder:
        tags = hash_tag(folder)
        answers = answers_elsewhere(folder, validation[list(package.inputs)])
    difference = refuse_disagreement(
        package.folder, trained.validation_outputs, answers, trained.use_case
    )
    tags |= {**gate_tags(gate), **frozen, "learning_curve": trained.diagnosis.verdict}
    tags["disagreement"] = f"{difference:.2g}"
    version = str((made or _create_version(run, package.name, model_uri, tags)).version)
    set_challenger(run.client, package.name, version)
    run.log_metrics({"registration_seconds": time.perf_counter() - started})
    log.info("%-11s %s version %s, alias challenger", "registered", package.name, version)
    return version


def _log_model(run: TrackedRun, package: Package) -> ModelInfo:
    """Log the model into the run's own experiment, so that it lies beside the run's artifacts.

    Left to itself, MLflow takes its experiment Default where no run is active in this thread, and
    that one's artifacts lie in the folder where somebody stood when the database was made.
    """
    settings = run.client.get_run(run.run_id).data.params
    model = run.client.create_logged_model(
        run.experiment_id, name="model", source_run_id=run.run_id, params=settings
    )
    return Model.log(
        artifact_path=None,
        name="model",
        model_id=model.model_id,
        flavor=SimpleNamespace(save_model=_save),
        run_id=run.run_id,
        python_model=str(TRAVELLING_MODEL),
        artifacts={"scorer": str(package.folder)},
        signature=signature_of(package),
        metadata={"input_columns": list(package.inputs)},
        input_example=package.example,
        pip_requirements=list(package.requirements),
    )


def _save(path: str, pip_requirements: list[str], **given: Any) -> None:
    """As MLflow saves, but with the requirements as the lock has them: MLflow can't write hashes
    (it would add itself once more, without)."""
    mlflow.pyfunc.save_model(path, pip_requirements=pip_requirements, **given)
    if lines := locked(pip_requirements):
        Path(path, "requirements.txt").write_text("\n".join(lines) + "\n")


def signature_of(package: Package) -> ModelSignature:
    """The answers by name. The inputs are the contract's: MLflow would check them too, cell by cell
    in Python (half of the time of one row), and quote the rows that it refuses."""
    answers = {"float64": DataType.double, "int64": DataType.long, "str": DataType.string}
    columns = package.outputs.items()
    outputs: list[ColSpec | TensorSpec] = [ColSpec(answers[kind], name) for name, kind in columns]
    return ModelSignature(outputs=Schema(outputs))


def _made_before(run: TrackedRun, name: str) -> ModelVersion | None:
    """The version that this run has already, where the task is tried again."""
    wanted = f"name = '{name}' and run_id = '{run.run_id}'"
    made = run.client.search_model_versions(wanted, max_results=1)
    return made[0] if made else None


def _create_version(
    run: TrackedRun, name: str, model_uri: str, tags: Mapping[str, str]
) -> ModelVersion:
    """With all of its tags at once: a version that is there is whole."""
    try:
        run.client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    model_id = model_uri.removeprefix("models:/")
    return run.client.create_model_version(
        name, model_uri, run.run_id, tags={k: str(v) for k, v in tags.items()}, model_id=model_id
    )
