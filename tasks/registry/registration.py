"""Register a packaged model, after a new process gets the same answers from it."""

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
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from prefect import task
from prefect.cache_policies import NO_CACHE

from modelling.declaration import UseCase
from modelling.judgement.agreement import refuse_disagreement
from modelling.judgement.evaluation import RequirementResult
from modelling.judgement.packaging import Package
from modelling.learning_curve.attempt import Attempt
from tasks.registry.champions import set_challenger
from tasks.registry.file_hashes import hash_tag
from tasks.registry.locked_requirements import locked_requirements
from tasks.registry.model_files import downloaded_model
from tasks.registry.second_person import approval_tags
from tasks.tracking.descriptions import describe_experiment, describe_version
from tasks.tracking.record import TrackedRun, gate_tags
from tasks.tracking.retrying import is_transient
from tasks.workers.fresh_process import score_in_fresh_process

log = logging.getLogger("finflows")
MODEL_CODE = Path(__file__).with_name("registered_model.py")


@task(
    name="register",
    retries=3,
    retry_delay_seconds=[1, 5, 15],
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def register_model(
    run: TrackedRun,
    package: Package,
    gate: RequirementResult,
    trained: Attempt,
    validation: pd.DataFrame,
    judged: Mapping[str, str],
) -> str:
    """Log the packaged model to the run, register it as ``challenger``, and return its version.

    Before that, a new process loads it and scores the raw ``validation`` rows. Raises UsageError
    where its answers differ from the trained network's. ``judged`` are the tags that say whether a
    later version can be compared with this one (``comparison_tags``), and what is doubtful about it
    (``doubts_tag``): no version is without them, whatever ends the training next.
    """
    started = time.perf_counter()
    existing = _existing_version(run, package.name)
    model_uri = str(existing.source if existing else _log_model(run, package).model_uri)
    with downloaded_model(model_uri) as folder:
        tags = hash_tag(folder)
        answers = score_in_fresh_process(folder, validation[list(package.inputs)])
    difference = refuse_disagreement(
        package.folder, trained.validation_outputs, answers, trained.use_case
    )
    tags |= {**gate_tags(gate), **judged, **approval_tags(trained.use_case)}
    tags |= {"learning_curve": trained.diagnosis.verdict, "disagreement": f"{difference:.2g}"}
    description = describe_version(trained.use_case, gate, trained.diagnosis.verdict, run.address)
    made = existing or _create_version(run, package.name, model_uri, tags, description)
    version = str(made.version)
    _describe_model(run, trained.use_case)
    set_challenger(run.client, package.name, version)
    run.log_metrics({"registration_seconds": time.perf_counter() - started})
    log.info("%-11s %s version %s, alias challenger", "registered", package.name, version)
    return version


def _log_model(run: TrackedRun, package: Package) -> ModelInfo:
    """Log the model to the experiment of the run, so that it is stored next to its artifacts.

    Where no run is active in this thread, MLflow would use the experiment Default, whose artifacts
    are in the folder that was current when the database was created.
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
        python_model=str(MODEL_CODE),
        artifacts={"scorer": str(package.folder)},
        signature=signature_of(package),
        metadata={"input_columns": list(package.inputs)},
        input_example=package.example,
        pip_requirements=list(package.requirements),
    )


def _save(path: str, pip_requirements: list[str], **arguments: Any) -> None:
    """Save as MLflow does, but with the requirements and hashes of the lock: MLflow can't write
    hashes (it would add a line for itself without one)."""
    mlflow.pyfunc.save_model(path, pip_requirements=pip_requirements, **arguments)
    if lines := locked_requirements(pip_requirements):
        Path(path, "requirements.txt").write_text("\n".join(lines) + "\n")


def signature_of(package: Package) -> ModelSignature:
    """The signature: outputs, and how many reasons may be asked for. The contract checks the
    inputs: MLflow would check them again, cell by cell in Python (half of the time of one row), and
    quote the rows that it refuses."""
    answers = {"float64": DataType.double, "int64": DataType.long, "str": DataType.string}
    columns = package.outputs.items()
    outputs: list[ColSpec | TensorSpec] = [ColSpec(answers[kind], name) for name, kind in columns]
    asked = ParamSchema([ParamSpec("reasons", DataType.long, 0)])
    return ModelSignature(outputs=Schema(outputs), params=asked)


def _existing_version(run: TrackedRun, name: str) -> ModelVersion | None:
    """The version that this run has already, where the task is tried again."""
    wanted = f"name = '{name}' and run_id = '{run.run_id}'"
    made = run.client.search_model_versions(wanted, max_results=1)
    return made[0] if made else None


def _describe_model(run: TrackedRun, use_case: UseCase) -> None:
    """Describe the registered model, unless somebody already has."""
    if not run.client.get_registered_model(use_case.name).description:
        run.client.update_registered_model(use_case.name, describe_experiment(use_case))


def _create_version(
    run: TrackedRun, name: str, model_uri: str, tags: Mapping[str, str], description: str
) -> ModelVersion:
    """Create the version with all tags at once, so that none is incomplete."""
    try:
        run.client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    model_id = model_uri.removeprefix("models:/")
    return run.client.create_model_version(
        name,
        model_uri,
        run.run_id,
        tags={k: str(v) for k, v in tags.items()},
        description=description,
        model_id=model_id,
    )
