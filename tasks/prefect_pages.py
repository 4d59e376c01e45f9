"""Show reports in Prefect. MLflow stores them, too, so a missing Prefect server fails no run."""

import logging
from base64 import b64encode
from collections.abc import Callable
from json import JSONDecodeError
from typing import Any

from httpx import HTTPError, InvalidURL
from prefect.artifacts import create_markdown_artifact
from prefect.exceptions import PrefectException
from pydantic import ValidationError

from tasks.tracking.record import Picture

log = logging.getLogger("finflows")
# It is no Prefect server that answers, but a proxy's page that asks for a login, say.
FOREIGN = (JSONDecodeError, UnicodeDecodeError, ValidationError)
UNANSWERED = (HTTPError, InvalidURL, PrefectException, OSError, *FOREIGN)


def show_in_prefect(create: Callable[..., Any], *, key: str, **content: Any) -> None:
    """Call one of Prefect's ``create_*_artifact`` functions; warn where that fails."""
    try:
        create(key=key, **content)
    except UNANSWERED as error:
        log.warning("%-11s %s is not shown there: %s", "prefect", key, why_unanswered(error))


def why_unanswered(error: Exception) -> str:
    """What is known of one of ``UNANSWERED``, in words; without the address, which may hold a
    login."""
    kind = type(error).__name__
    if isinstance(error, FOREIGN):
        return f"what answers at PREFECT_API_URL is no Prefect server ({kind})"
    return kind


def show_picture_in_prefect(picture: Picture, *, key: str) -> None:
    """A picture as an artifact that contains it: Prefect's pages may not reach MLflow's. It is one
    of Markdown, since below an image Prefect writes its address, here all of the picture."""
    markdown = f"![{key}](data:image/png;base64,{b64encode(picture.png).decode()})"
    show_in_prefect(
        create_markdown_artifact, key=key, markdown=markdown, description=picture.finding
    )
