"""Runs that say RUNNING but that nobody runs any more, because their process was killed."""

import shutil

from mlflow import MlflowClient
from mlflow.entities import Run

from tasks.tracking.pages import all_pages
from tasks.tracking.store import connect, scratch_folder
from tasks.workers.processes import died

OURS = "tags.process LIKE '% % %'"  # host, number and start: other teams' runs have none


def running_runs(client: MlflowClient, experiments: list[str]) -> list[Run]:
    """All runs of these experiments that say RUNNING, other teams' left out."""
    if not experiments:
        return []
    wanted = f"attributes.status = 'RUNNING' and {OURS}"
    return all_pages(client.search_runs, experiments, wanted)


def close_dead_runs(client: MlflowClient, experiments: list[str]) -> list[Run]:
    """Runs of this machine whose process was killed become KILLED; those that were."""
    dead = []
    for run in running_runs(client, experiments):
        owner = run.data.tags.get("process", "")
        if owner and died(owner):
            close_run(client, run, f"process {owner.split()[1]} was killed")
            dead.append(run)
    return dead


def close_all_dead() -> tuple[list[Run], dict[str, Run]]:
    """Close the dead runs of this machine, in all experiments.

    Returns them, and of those that still say RUNNING and may be on
    another machine, the run by its flow run.
    """
    client = connect()
    experiments = [found.experiment_id for found in all_pages(client.search_experiments)]
    dead = close_dead_runs(client, experiments)
    rest = {
        run.data.tags.get("prefect_flow_run", "none"): run
        for run in running_runs(client, experiments)
        if died(run.data.tags.get("process", " 0")) is None
    }
    rest.pop("none", None)
    return dead, rest


def is_registered(client: MlflowClient, run_id: str) -> bool:
    """Whether a run has a version: that is its last step, so it is whole whatever came after."""
    return bool(client.search_model_versions(f"run_id = '{run_id}'", max_results=1))


def close_run(client: MlflowClient, run: Run, reason: str) -> None:
    """End a run KILLED, with the reason and how to go on with it, and what runs below it. One that
    has registered its model is whole: it ends FINISHED."""
    run_id = run.info.run_id
    below = f"attributes.status = 'RUNNING' and tags.`mlflow.parentRunId` = '{run_id}'"
    for nested in all_pages(client.search_runs, [run.info.experiment_id], below):
        close_run(client, nested, reason)
    registered = is_registered(client, run_id)
    whole = run.data.tags.get("mlflow.parentRunId", run_id)
    reason += "; its model was registered before" if registered else f"; finflows resume {whole}"
    client.set_tag(run_id, "failure", reason)
    client.set_tag(run_id, "mlflow.note.content", f"Failed: {reason}")
    client.set_terminated(run_id, "FINISHED" if registered else "KILLED")
    shutil.rmtree(scratch_folder(run_id), ignore_errors=True)
