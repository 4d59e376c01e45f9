"""Copy registered models of earlier releases into the artifact store.

Registered models used to be logged to MLflow's experiment Default, whose artifacts are in the
folder that was current when the database was created. Removing that folder removed champions.
"""

import os
import shutil
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModel

from tasks.registry.model_files import experiment_of_project_run, is_gone
from tasks.tracking.addresses import folder_of, tracking_uri
from tasks.tracking.pages import all_pages, all_versions
from tasks.tracking.store import connect

DEFAULT_EXPERIMENT = "0"  # the id of the experiment Default in every store
SERVERS = ("http:", "https:", "databricks")


def relocate_models() -> list[str]:
    """Copy such models next to the artifacts of their run; returns one line for each.

    The old files stay, since others may read them. A server manages its own artifacts: nothing is
    done for one.
    """
    if any(uri.startswith(SERVERS) for uri in (tracking_uri(), _registry_uri())):
        return []
    client = connect()
    # All of them first: each that is moved out of Default would shift the pages that follow.
    models = all_pages(client.search_logged_models, [DEFAULT_EXPERIMENT])
    return [line for model in models for line in _relocate(client, model)]


def _relocate(client: MlflowClient, model: LoggedModel) -> list[str]:
    experiment = experiment_of_project_run(client, model.source_run_id)
    source = f"source_path = 'models:/{model.model_id}'"
    versions = all_versions(client, source)
    if experiment is None or experiment == DEFAULT_EXPERIMENT or not versions:
        return []
    root = client.get_experiment(experiment).artifact_location
    location = f"{root.rstrip('/')}/models/{model.model_id}/artifacts"
    old, new = folder_of(model.artifact_location), folder_of(location)
    if old is None or new is None or is_gone(old):
        return []
    names = ", ".join(f"version {version.version} of {version.name}" for version in versions)
    try:
        _copy(old, new)
    except OSError as error:
        return [f"{names}: its files can't be copied to {new} ({type(error).__name__})"]
    store_location(model.model_id, experiment, location)
    return [f"{names}: copied to the artifacts of its run, from {old} to {new}"]


def _copy(old: Path, new: Path) -> None:
    """Copy atomically; a killed process may have left a part of a copy."""
    if new.exists():
        return
    partial = new.with_name("artifacts.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(old, partial)
    os.replace(partial, new)


def store_location(model_id: str, experiment: str, location: str) -> None:
    """Store the new location of a model in the databases: MLflow has no function for it.

    The versions are changed first: if the process is killed in between, the model is found in
    Default again.
    """
    from sqlalchemy import create_engine, text

    version = "UPDATE model_versions SET storage_location = :location WHERE source = :source"
    model = "UPDATE logged_models SET artifact_location = :location WHERE model_id = :model"
    tables = ("logged_model_params", "logged_model_tags", "logged_model_metrics", "logged_models")
    moves = [f"UPDATE {table} SET experiment_id = :to WHERE model_id = :model" for table in tables]
    parameters = {
        "model": model_id,
        "source": f"models:/{model_id}",
        "location": location,
        "to": int(experiment),
    }
    for uri, statements in ((_registry_uri(), [version]), (tracking_uri(), [model, *moves])):
        engine = create_engine(uri)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), parameters)
        engine.dispose()


def _registry_uri() -> str:
    return os.environ.get("MLFLOW_REGISTRY_URI", tracking_uri())
