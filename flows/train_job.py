"""Train one job of a search, on a worker of a Prefect work pool."""

from pathlib import Path

from prefect import flow

from tasks.workers.work_pool import train_job_in


@flow(name="train-job", persist_result=False)
def train_job(folder: str, cores_shared_by: int = 1) -> None:
    """Train the job that a search wrote to ``folder``, and write the result there."""
    train_job_in(Path(folder), cores_shared_by)
