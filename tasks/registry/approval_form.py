"""A second person's answer in Prefect: a flow run for each request waits until its form is sent.

It is a run of ``flows/approve.py``, where the Prefect server has a deployment of it. Prefect's free
server knows no persons: so the form asks for a name, and the history says that it was typed.
"""

import logging
from typing import Literal

from httpx import HTTPError
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.input import RunInput
from prefect.settings import PREFECT_API_URL
from prefect.utilities.urls import url_for
from pydantic import Field

from modelling.declaration.names import MAXIMUM_REASON_LENGTH
from tasks.registry.promotion_history import ChampionChange
from tasks.tracking.descriptions import dossier_page
from tasks.tracking.store import connect, run_path, ui_address

log = logging.getLogger("finflows")
DEPLOYMENT = "approve/second-person"


class Answer(RunInput):
    """The form of a second person."""

    decision: Literal["approve", "decline"] = Field(
        description="Approve: the version becomes champion. Decline: the champion stays."
    )
    name: str = Field(
        min_length=1,
        max_length=80,
        description="Your name. Who asked for the version can't approve it.",
    )
    reason: str = Field(
        min_length=1,
        max_length=MAXIMUM_REASON_LENGTH,
        description="What you looked at, and why. It is stored in the history.",
    )


def ask_in_prefect(
    name: str, version: str, until: str, refused: str = "", after: str | None = None
) -> str:
    """Have a flow run ask a second person; its address. Empty where no Prefect server is
    configured, where it has no such deployment, or where it does not answer: the commands do.

    A request has one form, however often it is made; and one more ``after`` each flow run whose
    answer was ``refused``, for this reason.
    """
    if not PREFECT_API_URL.value():
        return ""
    subject = {"use_case_name": name, "version": version, "until": until}
    try:
        with get_client(sync_client=True) as client:
            flow_run = client.create_flow_run_from_deployment(
                client.read_deployment_by_name(DEPLOYMENT).id,
                parameters={**subject, "refused": refused},
                name=f"{name} version {version}",
                idempotency_key=" ".join([*subject.values(), after or ""]),
            )
    except ObjectNotFound:
        return ""
    except (HTTPError, PrefectException, OSError) as error:
        log.warning("%-11s it has no form for this: %s", "prefect", type(error).__name__)
        return ""
    return url_for(flow_run) or flow_run.name


def form_of(name: str, request: ChampionChange, refused: str) -> type[Answer]:
    """The form, which says what is to be approved: the version, its files, its dossier, how it was
    judged, who asked and why; and why the answer before was ``refused``."""
    client, version = connect(), request.version
    registered = client.get_model_version(name, version)
    instead = f"instead of version {request.previous}" if request.previous else "as the first one"
    before = f"\n\nThe answer before was refused: {refused}." if refused else ""
    description = f"""**{name} version {version}** is to become champion, {instead}.{before}

- asked by {request.by}: {request.reason}
- gate {registered.tags.get("gate")}: {registered.tags.get("gate_reason")}
- {_dossier(client, registered)}: SHA-256 {request.dossier or "none"}
- its files: SHA-256 {request.files}
- the request lapses at {request.until[:16]} UTC
"""
    return Answer.with_initial_data(description=description)


def _dossier(client: MlflowClient, registered: ModelVersion) -> str:
    try:
        run = client.get_run(registered.run_id or "").info
    except MlflowException:  # it was removed for good
        return "its dossier"
    page = dossier_page(run_path(run.experiment_id, run.run_id))
    return f"[its dossier]({ui_address()}{page})"
