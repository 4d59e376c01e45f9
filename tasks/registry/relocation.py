"""Bring models home that lie where somebody stood when the database was made.

Registered models used to be logged into MLflow's experiment Default, whose artifacts lie in the
folder of whoever made the database. When that folder went, champions went with it.
"""

import os
import shutil
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModel

from tasks.registry.model_files import experiment_of_ours, folder_of, is_gone
from tasks.tracking.pages import all_pages
from tasks.tracking.store import connect, tracking_uri

DEFAULT = "0"  # the id of the experiment Default in every store
SERVERS = ("http:", "https:", "databricks")


def relocate_models() -> list[str]:
    """Copy such models beside the artifacts of their run; one line for each.

    What lay there stays, for whoever else reads it. A server keeps its own artifacts: nothing is
    done through one.
    """
    if any(uri.startswith(SERVERS) for uri in (tracking_uri(), _registry_uri())):
        return []
    client = connect()
    # All of them first: each that is moved out of Default would shift the pages that follow.
    models = all_pages(client.search_logged_models, [DEFAULT])
    return [line for model in models for line in _relocate(client, model)]


def _relocate(client: MlflowClient, model: LoggedModel) -> list[str]:
    experiment = experiment_of_ours(client, model.source_run_id)
    source = f"source_path = 'models:/{model.model_id}'"
    versions = all_pages(client.search_model_versions, source)
    if experiment is None or experiment == DEFAULT or not versions:
        return []
    root = client.get_experiment(experiment).artifact_location
    location = f"{root.rstrip('/')}/models/{model.model_id}/artifacts"
    old, new = folder_of(model.artifact_location), folder_of(location)
    if old is None or new is None or is_gone(old):
        return []
    names = ", ".join(f"version {one.version} of {one.name}" for one in versions)
    try:
        _copy(old, new)
    except OSError as error:
        return [f"{names}: its files can't be copied to {new} ({type(error).__name__})"]
    _enter(model.model_id, experiment, location)
    return [f"{names}: copied beside the artifacts of its run, from {old} to {new}"]


def _copy(old: Path, new: Path) -> None:
    """Whole or not at all; a doctor that was killed may have been here before."""
    if new.exists():
        return
    partial = new.with_name("artifacts.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(old, partial)
    os.replace(partial, new)


def _enter(model_id: str, experiment: str, location: str) -> None:
    """Tell the databases where a model lies now: MLflow has no call for it.

    The versions come first: killed in between, the model is found in Default again.
    """
    from sqlalchemy import create_engine, text

    version = "UPDATE model_versions SET storage_location = :location WHERE source = :source"
    place = "UPDATE logged_models SET artifact_location = :location WHERE model_id = :model"
    tables = ("logged_model_params", "logged_model_tags", "logged_model_metrics", "logged_models")
    moved = [f"UPDATE {one} SET experiment_id = :to WHERE model_id = :model" for one in tables]
    given = {
        "model": model_id,
        "source": f"models:/{model_id}",
        "location": location,
        "to": int(experiment),
    }
    for uri, statements in ((_registry_uri(), [version]), (tracking_uri(), [place, *moved])):
        engine = create_engine(uri)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), given)
        engine.dispose()


def _registry_uri() -> str:
    return os.environ.get("MLFLOW_REGISTRY_URI", tracking_uri())
