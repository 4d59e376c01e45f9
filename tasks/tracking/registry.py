"""Register a packaged model, once it answers elsewhere as it did here."""

import logging
from collections.abc import Mapping
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.model import ModelInfo
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import AnyType
from prefect import task
from prefect.cache_policies import NO_CACHE

from modelling.agreement import refuse_disagreement
from modelling.evaluation import Verdict
from modelling.packaging import Package
from modelling.refusals import UsageError
from tasks.tracking.champions import set_challenger
from tasks.tracking.fresh_process import answers_elsewhere
from tasks.tracking.record import TrackedRun, gate_tags
from tasks.training import Attempt

log = logging.getLogger("finflows")
TRAVELLING_MODEL = Path(__file__).with_name("registered_model.py")


def is_passing(_task, _run, state) -> bool:
    """Retry what can pass by itself: a locked database, a server that does not answer."""
    try:
        state.result()
    except (MlflowException, ConnectionError, OSError) as error:
        return not isinstance(error, UsageError)
    except Exception:
        return False
    return False


@task(
    name="register",
    retries=3,
    retry_delay_seconds=[1, 5, 15],
    retry_condition_fn=is_passing,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def register_model(
    run: TrackedRun,
    package: Package,
    gate: Verdict,
    trained: Attempt,
    validation: pd.DataFrame,
    frozen: Mapping[str, str],
) -> str:
    """Log the packaged model to the run, register it, call it ``challenger``; its version.

    Before, it is loaded in a new process and scores the raw ``validation`` rows. Raises UsageError
    where its answers differ from the trained network's. ``frozen`` are tags by which a later
    version knows whether it can be compared with this one.
    """
    logged = _log_model(run, package)
    folder = Path(mlflow.artifacts.download_artifacts(logged.model_uri))
    answers = answers_elsewhere(folder, validation[list(package.inputs)])
    difference = refuse_disagreement(
        package.folder, trained.validation_outputs, answers, trained.use_case
    )
    version = _create_version(run, package.name, logged)
    tags = {**gate_tags(gate), **frozen, "learning_curve": trained.diagnosis.verdict}
    for name, value in {**tags, "disagreement": f"{difference:.2g}"}.items():
        run.client.set_model_version_tag(package.name, version, name, value)
    set_challenger(run.client, package.name, version)
    log.info("%-11s %s version %s, alias challenger", "registered", package.name, version)
    return version


def _log_model(run: TrackedRun, package: Package) -> ModelInfo:
    return Model.log(
        artifact_path=None,
        name="model",
        flavor=mlflow.pyfunc,
        run_id=run.run_id,
        python_model=str(TRAVELLING_MODEL),
        artifacts={"scorer": str(package.folder)},
        signature=signature_of(package),
        input_example=package.example,
        pip_requirements=list(package.requirements),
    )


def signature_of(package: Package) -> ModelSignature:
    """The raw columns and the answers by name. Types and ranges are the contract's: inputs are of
    any type and optional, because where MLflow refuses a row it quotes it."""
    inputs: list = [ColSpec(AnyType(), name, required=False) for name in package.inputs]
    answers = {"float64": DataType.double, "int64": DataType.long, "str": DataType.string}
    outputs: list = [ColSpec(answers[kind], name) for name, kind in package.outputs.items()]
    return ModelSignature(Schema(inputs), Schema(outputs))


def _create_version(run: TrackedRun, name: str, logged: ModelInfo) -> str:
    try:
        run.client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    registered = run.client.create_model_version(
        name, logged.model_uri, run.run_id, model_id=logged.model_id
    )
    return str(registered.version)
