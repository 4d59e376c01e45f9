"""All results of a search in MLflow, not only its first page."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.store.entities import PagedList
from mlflow.utils import get_results_from_paginated_fn

Found = TypeVar("Found")
RESULTS_PER_PAGE = 1000  # more is refused by some searches of a server


def all_pages(search: Callable[..., PagedList[Found]], *arguments: object) -> list[Found]:
    """Everything that a client's ``search`` with these arguments finds."""
    return _pages(search, arguments, None)


def first_results(
    limit: int, search: Callable[..., PagedList[Found]], *arguments: object
) -> tuple[list[Found], bool]:
    """The first ``limit`` of what a client's ``search`` finds, and whether there is more."""
    found = _pages(search, arguments, limit + 1)
    return found[:limit], len(found) > limit


def _pages(
    search: Callable[..., PagedList[Found]], arguments: tuple[object, ...], limit: int | None
) -> list[Found]:
    def page(results: int, token: str | None) -> PagedList[Found]:
        return search(*arguments, max_results=results, page_token=token)

    return get_results_from_paginated_fn(page, RESULTS_PER_PAGE, limit)  # type: ignore[no-untyped-call]


def all_versions(client: MlflowClient, wanted: str) -> list[ModelVersion]:
    """The registered versions that match the filter ``wanted``, the oldest first.

    By number, since MLflow's own order begins with the one that was changed last: where somebody
    tags a version meanwhile, another would be on neither of two pages.
    """
    by_number = partial(client.search_model_versions, order_by=["version_number ASC"])
    return all_pages(by_number, wanted)
