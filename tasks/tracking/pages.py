"""All results of a search in MLflow, not only its first page."""

from collections.abc import Callable
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.store.entities import PagedList
from mlflow.utils import get_results_from_paginated_fn

Found = TypeVar("Found")
RESULTS_PER_PAGE = 1000  # more is refused by some searches of a server


def all_pages(search: Callable[..., PagedList[Found]], *arguments: object) -> list[Found]:
    """Everything that a client's ``search`` with these arguments finds."""

    def page(results: int, token: str | None) -> PagedList[Found]:
        return search(*arguments, max_results=results, page_token=token)

    return get_results_from_paginated_fn(page, RESULTS_PER_PAGE)  # type: ignore[no-untyped-call]


def runs_of_all_experiments(client: MlflowClient, wanted: str) -> list[Run]:
    """The runs that match the filter ``wanted``, but for those of deleted experiments.

    ``mlflow.search_runs(search_all_experiments=True)`` would ask the store of the whole process,
    and silently leave out what comes after 100,000 runs.
    """
    experiments = [found.experiment_id for found in all_pages(client.search_experiments)]
    return all_pages(client.search_runs, experiments, wanted)
