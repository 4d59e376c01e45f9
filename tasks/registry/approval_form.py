"""A second person's answer in Prefect: a flow run for each request waits until its form is sent.

It is a run of ``flows/approve.py``, where the Prefect server has a deployment of it. Prefect's free
server knows no persons: so the form asks for a name, and the history says that it was typed.
"""

import logging
from typing import Literal

from httpx import HTTPError, InvalidURL
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.input import RunInput
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.utilities.urls import url_for
from pydantic import Field

from modelling.declaration.names import MAXIMUM_REASON_LENGTH
from modelling.secrets import without_login
from tasks.registry.promotion_history import ChampionChange
from tasks.tracking.descriptions import dossier_page
from tasks.tracking.store import connect, run_path, ui_address

log = logging.getLogger("finflows")
DEPLOYMENT = "approve/second-person"
# Somebody waits for the answer, and the commands do without it: no minutes of retries.
REQUEST_TIMEOUT_SECONDS = 10
MAX_RETRIES = 1


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

    A request has one open form, however often it is made: one more follows where a flow run ended
    without an answer, and ``after`` each one whose answer was ``refused``, for this reason. The
    caller holds no lock: a server that hangs must not keep others waiting.
    """
    if not PREFECT_API_URL.value():
        return ""
    subject = {"use_case_name": name, "version": version, "until": until}
    patience = {"timeout": REQUEST_TIMEOUT_SECONDS}
    try:
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: MAX_RETRIES}),
            get_client(httpx_settings=patience, sync_client=True) as client,
        ):
            flow_run = _open_flow_run(client, subject, refused, after)
            return without_login(url_for(flow_run) or "") or flow_run.name
    except ObjectNotFound:
        return ""
    except (HTTPError, InvalidURL, PrefectException, OSError, ValueError) as error:
        # ValueError: what answers is no Prefect server, but a proxy's page that asks for a login
        log.warning("%-11s it has no form for this: %s", "prefect", type(error).__name__)
        return ""


def _open_flow_run(
    client: SyncPrefectClient, subject: dict[str, str], refused: str, after: str | None
) -> FlowRun:
    """The flow run that asks. Prefect finds it by its key; where it has ended (it crashed, was
    cancelled, or its answer refused), the key of the next one names it."""
    deployment = client.read_deployment_by_name(DEPLOYMENT).id
    while True:
        flow_run = client.create_flow_run_from_deployment(
            deployment,
            parameters={**subject, "refused": refused},
            name="{use_case_name} version {version}".format(**subject),
            idempotency_key=" ".join([*subject.values(), after or ""]),
        )
        if flow_run.state is None or not flow_run.state.is_final():
            return flow_run
        after = str(flow_run.id)


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
