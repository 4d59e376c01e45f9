"""Publish a comparison of trainings: a page in MLflow, a table in Prefect."""

from prefect import flow

from tasks.comparison.publishing import publish_comparison
from tasks.tracking.leaderboard import read_leaderboard


@flow(name="compare", persist_result=False)
def compare(
    use_cases: list[str] | None = None,
    tags: dict[str, str] | None = None,
    since: str | None = None,
    run_ids: list[str] | None = None,
) -> str:
    """Publish the comparison of the finished trainings that match; returns its MLflow run id.

    ``since`` is how far to look back, such as ``7d`` or ``12h``.
    """
    return publish_comparison(read_leaderboard(use_cases or (), tags, since, run_ids or ()))
