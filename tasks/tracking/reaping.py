"""Close runs that are still RUNNING in MLflow although their process was killed."""

import shutil
from datetime import UTC, datetime

from mlflow import MlflowClient
from mlflow.entities import Run

from tasks.tracking.addresses import scratch_folder
from tasks.tracking.pages import all_pages
from tasks.tracking.resuming import how_to_resume, outermost_run
from tasks.tracking.store import connect
from tasks.workers.processes import has_died

# The tag has host, number and start of the process; only runs of this project have it.
PROJECT_RUNS = "tags.process LIKE '% % %'"


def running_runs(client: MlflowClient, experiments: list[str]) -> list[Run]:
    """The runs of this project in these experiments that are RUNNING in MLflow."""
    if not experiments:
        return []
    wanted = f"attributes.status = 'RUNNING' and {PROJECT_RUNS}"
    return all_pages(client.search_runs, experiments, wanted)


def newest_start(client: MlflowClient) -> datetime | None:
    """When this project's newest run began, in UTC; None where there is none."""
    experiments = [found.experiment_id for found in all_pages(client.search_experiments)]
    by = ["attributes.start_time DESC"]
    newest = client.search_runs(experiments, PROJECT_RUNS, max_results=1, order_by=by)
    return datetime.fromtimestamp(newest[0].info.start_time / 1000, UTC) if newest else None


def close_dead_runs(client: MlflowClient, experiments: list[str]) -> list[Run]:
    """Set runs of this machine whose process was killed to KILLED; returns them."""
    dead = []
    for run in running_runs(client, experiments):
        owner = run.data.tags.get("process", "")
        if owner and has_died(owner):
            close_run(client, run, f"process {owner.split()[1]} was killed")
            dead.append(run)
    return dead


def close_all_dead() -> tuple[list[Run], dict[str, Run]]:
    """Close the dead runs of this machine, in all experiments.

    Returns them, and the runs that may still run on another machine, by the id of their flow run.
    """
    client = connect()
    experiments = [found.experiment_id for found in all_pages(client.search_experiments)]
    dead = close_dead_runs(client, experiments)
    others = {
        run.data.tags.get("prefect_flow_run", "none"): run
        for run in running_runs(client, experiments)
        if has_died(run.data.tags.get("process", " 0")) is None
    }
    others.pop("none", None)
    return dead, others


def is_registered(client: MlflowClient, run_id: str) -> bool:
    """Whether a run has registered its model: that is its last step, so the run is complete."""
    return bool(client.search_model_versions(f"run_id = '{run_id}'", max_results=1))


def close_run(client: MlflowClient, run: Run, reason: str) -> None:
    """End a run and its nested runs as KILLED, with the reason and the command that resumes it. A
    run that has registered its model is complete: it ends as FINISHED."""
    run_id = run.info.run_id
    below = f"attributes.status = 'RUNNING' and tags.`mlflow.parentRunId` = '{run_id}'"
    for nested in all_pages(client.search_runs, [run.info.experiment_id], below):
        close_run(client, nested, reason)
    registered = is_registered(client, run_id)
    outermost = outermost_run(client, run)
    resume = how_to_resume(outermost, f"finflows resume {outermost.info.run_id}")
    reason += f"; {'its model was registered before' if registered else resume}"
    client.set_tag(run_id, "failure", reason)
    client.set_tag(run_id, "mlflow.note.content", f"Failed: {reason}")
    client.set_terminated(run_id, "FINISHED" if registered else "KILLED")
    shutil.rmtree(scratch_folder(run_id), ignore_errors=True)
