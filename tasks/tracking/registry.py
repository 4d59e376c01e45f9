"""Register a packaged model."""

import logging
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import AnyType
from prefect import task
from prefect.cache_policies import NO_CACHE

from modelling.evaluation import Verdict
from modelling.packaging import Package
from modelling.refusals import UsageError
from tasks.tracking.record import TrackedRun, gate_tags

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
def register_model(run: TrackedRun, package: Package, gate: Verdict) -> str:
    """Log the packaged model to the run, register it, call it ``challenger``; its version."""
    # With type double MLflow would refuse a whole number, and quote the row: the scorer converts.
    inputs: list = [ColSpec(AnyType(), name) for name in package.inputs]
    answers = {"float64": DataType.double, "int64": DataType.long, "str": DataType.string}
    outputs: list = [ColSpec(answers[kind], name) for name, kind in package.outputs.items()]
    logged = Model.log(
        artifact_path=None,
        name="model",
        flavor=mlflow.pyfunc,
        run_id=run.run_id,
        python_model=str(TRAVELLING_MODEL),
        artifacts={"scorer": str(package.folder)},
        signature=ModelSignature(Schema(inputs), Schema(outputs)),
        input_example=package.example,
        pip_requirements=list(package.requirements),
    )
    try:
        run.client.create_registered_model(package.name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    registered = run.client.create_model_version(
        package.name, logged.model_uri, run.run_id, model_id=logged.model_id
    )
    version = str(registered.version)
    for name, value in gate_tags(gate).items():
        run.client.set_model_version_tag(package.name, version, name, value)
    run.client.set_registered_model_alias(package.name, "challenger", version)
    log.info("%-11s %s version %s, alias challenger", "registered", package.name, version)
    return version
