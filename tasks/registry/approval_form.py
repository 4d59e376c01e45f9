"""A second person's answer in Prefect: a flow run for each request waits until its form is sent.

It is a run of ``flows/approve.py``, where the Prefect server has a deployment of it. Prefect's free
server knows no persons: so the form asks for a name, and the history says that it was typed.
"""

import logging
from typing import Literal

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.input import RunInput
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)
from prefect.utilities.urls import url_for
from pydantic import Field

from modelling.declaration.names import MAXIMUM_REASON_LENGTH
from modelling.secrets import without_login
from tasks.prefect_pages import UNANSWERED, why_unanswered
from tasks.registry.promotion_history import ChampionChange
from tasks.tracking.addresses import run_path, ui_address
from tasks.tracking.descriptions import dossier_page, escape_markdown
from tasks.tracking.store import connect
from tasks.workers.temporary_server import configured_server

log = logging.getLogger("finflows")
DEPLOYMENT = "approve/second-person"
FLOW_RUN_PAGE = "/runs/flow-run/"
# Somebody waits for the answer, and the commands do without it: no minutes of retries.
REQUEST_TIMEOUT_SECONDS = 10
MAX_RETRIES = 1


class Answer(RunInput):
    """The form of a second person."""

    decision: Literal["approve", "decline"] = Field(
        # In Prefect's window a click on the rest of the box opens no list.
        description="Approve: the version becomes champion, which is used. "
        "Decline: the champion stays. (The arrow on the right opens the list.)"
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
    if not configured_server():
        return ""
    subject = {"use_case_name": name, "version": version, "until": until}
    patience = {"timeout": REQUEST_TIMEOUT_SECONDS}
    try:
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: MAX_RETRIES}),
            get_client(httpx_settings=patience, sync_client=True) as client,
        ):
            flow_run = _open_flow_run(client, subject, refused, after)
            return _page_of(flow_run) or flow_run.name
    except ObjectNotFound:
        return ""
    except UNANSWERED as error:
        log.warning("%-11s it has no form for this: %s", "prefect", why_unanswered(error))
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


def _page_of(flow_run: FlowRun) -> str:
    """The page with the form. Where the server asks for a login, the page of the login, which leads
    there: to somebody who is not logged in, Prefect's page of a flow run says "404" instead."""
    page = without_login(url_for(flow_run) or "")
    prefect, _, number = page.partition(FLOW_RUN_PAGE)
    if not number or not PREFECT_API_AUTH_STRING.value():
        return page
    return f"{prefect}/login?redirect={FLOW_RUN_PAGE}{number}"


def form_of(name: str, request: ChampionChange, refused: str) -> type[Answer]:
    """The form, which says what is to be approved: the version, its files, its dossier, how it was
    judged, who asked and why; and why the answer before was ``refused``."""
    client, version = connect(), request.version
    registered = client.get_model_version(name, version)
    instead = f"instead of version {request.previous}" if request.previous else "as the first one"
    broken = [f"the history was already broken: {gap}" for gap in request.gaps]
    before = f"\n\nThe answer before was refused: {escape_markdown(refused)}." if refused else ""
    description = f"""**{name} version {version}** is to become champion, {instead}.{before}

- asked by {request.by}: {escape_markdown(request.reason)}
- gate {registered.tags.get("gate")}: {registered.tags.get("gate_reason")}
- against it: {escape_markdown("; ".join(filter(None, [request.unmet, *broken])) or "nothing")}
- {_dossier(client, registered, request.dossier)}
- its files: SHA-256 {_breakable(request.files)}
- the request lapses at {request.until[:16]} UTC
"""
    return Answer.with_initial_data(description=description)


def _dossier(client: MlflowClient, registered: ModelVersion, sha256: str) -> str:
    if not sha256:
        return "it has no dossier"
    try:
        run = client.get_run(registered.run_id or "").info
    except MlflowException:  # it was removed for good
        return f"its dossier: SHA-256 {_breakable(sha256)}"
    page = dossier_page(run_path(run.experiment_id, run.run_id))
    return f"[its dossier]({ui_address()}{page}): SHA-256 {_breakable(sha256)}"


def _breakable(sha256: str) -> str:
    """A hash that may continue on the next line, where Prefect would cut it off; what is copied is
    as it was."""
    return f"{sha256[:32]}<wbr>{sha256[32:]}"
