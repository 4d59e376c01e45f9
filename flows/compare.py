"""Publish a comparison of trainings: a page in MLflow, a table in Prefect."""

from typing import Annotated

from prefect import flow

from flows.parameters import UseCaseName, dated_name, described
from tasks.comparison.publishing import publish_comparison
from tasks.tracking.leaderboard.reading import SHOWN, read_leaderboard


@flow(name="compare", flow_run_name=dated_name, persist_result=False)
def compare(
    use_cases: Annotated[
        list[UseCaseName] | None, described("What is compared; by default everything.")
    ] = None,
    tags: Annotated[dict[str, str] | None, described("Only runs with these MLflow tags.")] = None,
    since: Annotated[str | None, described("How far to look back: 7d or 12h.")] = None,
    run_ids: Annotated[list[str] | None, described("Only these MLflow runs.")] = None,
    limit: Annotated[int, described("How many of each use case, the best first.", ge=1)] = SHOWN,
) -> str:
    """Publish the comparison of the finished trainings that match; returns its MLflow run id.

    ``since`` is how far to look back, such as ``7d`` or ``12h``.
    """
    return publish_comparison(read_leaderboard(use_cases or (), tags, since, run_ids or (), limit))
