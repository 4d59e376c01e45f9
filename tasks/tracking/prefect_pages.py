"""Show reports in Prefect. MLflow stores them, too, so a missing Prefect server fails no run."""

import logging
from collections.abc import Callable
from typing import Any

from httpx import HTTPError
from prefect.exceptions import PrefectException

log = logging.getLogger("finflows")


def show_in_prefect(create: Callable[..., Any], *, key: str, **content: Any) -> None:
    """Call one of Prefect's ``create_*_artifact`` functions; warn where that fails."""
    try:
        create(key=key, **content)
    except (HTTPError, PrefectException, OSError) as error:
        log.warning("%-11s %s is not shown there: %s", "prefect", key, type(error).__name__)
