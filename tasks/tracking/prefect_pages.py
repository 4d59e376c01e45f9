"""What Prefect shows of a run. MLflow keeps it all: a Prefect server that is gone fails no run."""

import logging
from collections.abc import Callable
from typing import Any

from httpx import HTTPError
from prefect.exceptions import PrefectException

log = logging.getLogger("finflows")


def show_in_prefect(create: Callable[..., Any], *, key: str, **content: Any) -> None:
    """Have one of Prefect's ``create_*_artifact`` make the page ``key``, where it can."""
    try:
        create(key=key, **content)
    except (HTTPError, PrefectException, OSError) as error:
        log.warning("%-11s %s is not shown there: %s", "prefect", key, type(error).__name__)
