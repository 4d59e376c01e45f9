"""The second person's form in Prefect: what it asks, what an answer does, when it does nothing."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from conftest import REPOSITORY
from filelock import FileLock
from prefect import resume_flow_run
from prefect.client.orchestration import get_client
from prefect.exceptions import FlowPauseTimeout, NotPausedError, Pause
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings
from prefect.states import Cancelled, Crashed
from servers import free_port, standing_in, wait_for
from small_models import register_and_judge

from flows.approve import approve
from flows.deployments import PLAN, deployment_of, planned_deployments
from modelling.refusals import UsageError
from tasks.registry.approval_form import DEPLOYMENT, ask_in_prefect
from tasks.registry.approvals import decline, promote_manually, waiting_request
from tasks.registry.champions import champion_of, history
from tasks.registry.promotion_history import TIME_FORMAT, append_entry
from tasks.tracking.store import local_folder

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("store", "prefect_server")]
NAME = "two_people"
BEN = {"decision": "approve", "name": "Ben Meyer", "reason": "read the dossier"}


@pytest.fixture(scope="module")
def deployed(store, prefect_server):
    """The deployment, as ``prefect.yaml`` declares it."""
    entries = {entry["name"]: entry for entry in planned_deployments(PLAN)}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        deployment_of(entries["second-person"], PLAN).apply()


@pytest.fixture(scope="module")
def version(deployed):
    """A version that waits, since this account's training asked for it."""
    return register_and_judge(name=NAME, approval="second_person")[0]


def forms():
    """The flow runs that ask, the newest first."""
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(DEPLOYMENT)
        found = client.read_flow_runs(sort="EXPECTED_START_TIME_DESC")
    return [one for one in found if one.deployment_id == deployment.id]


def run(form):
    """What a worker does with a flow run; None where it suspends itself."""
    with suppress(Pause), get_client(sync_client=True) as client:
        return run_flow(approve, flow_run=client.read_flow_run(form.id))


def asked(form):
    """What Prefect's page shows of a form: its description, and the schema of its fields."""
    parts = ("description", "schema")
    with get_client(sync_client=True) as client:
        keys = client.read_flow_run(form.id).state.state_details.run_input_keyset
        return [json.loads(client.read_flow_run_input(form.id, keys[part])) for part in parts]


def open_request(version):
    return next(one for one in reversed(history_of()) if one.how == "requested")


def history_of():
    from tasks.tracking.store import connect

    return history(connect(), NAME)


def test_the_form_does_what_the_commands_do(version, client):
    (form,) = forms()
    assert run(form) is None
    with get_client(sync_client=True) as prefect:
        state = prefect.read_flow_run(form.id).state
    request = open_request(version)
    until = datetime.strptime(request.until, TIME_FORMAT).replace(tzinfo=UTC)
    assert state.name == "Suspended"
    assert abs(state.state_details.pause_timeout - until) < timedelta(minutes=2)
    description, schema = asked(form)
    for said in (NAME, request.by, request.files, request.dossier, "roc_auc", "dossier"):
        assert said in description
    assert schema["required"] == ["decision", "name", "reason"]
    assert schema["properties"]["decision"]["enum"] == ["approve", "decline"]
    with pytest.raises(RuntimeError, match="Cannot resume this run"):
        resume_flow_run(form.id, {**BEN, "decision": "perhaps"})

    resume_flow_run(form.id, {**BEN, "name": request.by.upper()})
    with pytest.raises(UsageError, match="another person must approve it"):
        run(form)
    assert champion_of(client, NAME) is None
    again, refused = forms()
    assert (refused.state.name, "another person" in refused.state.message) == ("Failed", True)
    assert run(again) is None
    assert "refused" in str(asked(again)[0])
    form = promote_manually(NAME, version, "which one?").form
    assert str(again.id) in form, "the form that is open, not the refused one"

    resume_flow_run(again.id, BEN)
    assert (
        run(again) == f"{NAME} version {version}: approve by Ben Meyer, typed into Prefect's form"
    )
    assert str(champion_of(client, NAME).version) == version
    approval = history_of()[-1]
    assert (approval.how, approval.reason, approval.requested_by) == (
        "approved", "read the dossier", request.by,
    )  # fmt: skip
    assert approval.by == "Ben Meyer, typed into Prefect's form"
    assert (approval.files, approval.dossier) == (request.files, request.dossier)


def test_a_form_that_comes_too_late_changes_nothing(version, client):
    later, _ = register_and_judge(noise=0.5, name=NAME, approval="second_person")
    before = champion_of(client, NAME).version
    promoted = promote_manually(NAME, later, "complaints")
    form = forms()[0]
    assert str(form.id) in promoted.text(NAME, later)
    assert promote_manually(NAME, later, "once more").form == promoted.form, "one form for each"
    run(form)
    decline(NAME, later, "not now")
    resume_flow_run(form.id, BEN)
    with pytest.raises(UsageError, match="has no open request"):
        run(form)
    promote_manually(NAME, later, "again")
    with pytest.raises(UsageError, match="was requested anew"):
        waiting_request(NAME, later, promoted.until)
    decline(NAME, later, "start anew")

    soon = (datetime.now(UTC) + timedelta(seconds=3)).strftime(TIME_FORMAT)
    assert append_entry(client, NAME, later, "better", "requested", "colleague", until=soon)
    assert ask_in_prefect(NAME, later, soon)
    form = forms()[0]
    with suppress(UsageError):  # it lapses before it is asked, on a slow machine
        run(form)
    wait_for(lambda: open_request(later).seconds_left <= 0, "the lapse")
    with suppress(FlowPauseTimeout, NotPausedError):
        resume_flow_run(form.id, BEN)
        with suppress(UsageError):  # Prefect's timeout ends a moment after the lapse
            run(form)
    with get_client(sync_client=True) as prefect:
        wait_for(lambda: prefect.read_flow_run(form.id).state.is_final(), "the end of the form")
        assert prefect.read_flow_run(form.id).state.name == "Failed"
    assert champion_of(client, NAME).version == before
    assert history_of()[-1].how == "requested"


@pytest.fixture(scope="module")
def waiting(version):
    """A version whose request stays open."""
    later, _ = register_and_judge(noise=0.5, name="waiting_form", approval="second_person")
    return "waiting_form", later


def test_a_form_whose_flow_run_died_is_made_anew(waiting):
    name, later = waiting
    first = forms()[0]
    for dead in (Crashed(), Cancelled()):
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(forms()[0].id, dead, force=True)
        promoted = promote_manually(name, later, "once more")
        again = forms()[0]
        assert again.id != first.id
        assert str(again.id) in promoted.form
        assert promote_manually(name, later, "once more").form == promoted.form
    assert run(again) is None
    assert later in asked(again)[0]


def test_the_address_of_a_form_has_no_login(version, prefect_server):
    url = prefect_server.replace("://", "://anna:geheim@")
    with temporary_settings({PREFECT_API_URL: url, PREFECT_UI_URL: url.removesuffix("/api")}):
        form = ask_in_prefect(NAME, version, "2999-01-01 00:00:00.000000")
    host = prefect_server.removesuffix("/api")
    assert form == f"{host}/runs/flow-run/{forms()[0].id}"


def test_without_a_deployment_the_commands_remain(version, monkeypatch, caplog):
    from tasks.registry import approval_form

    monkeypatch.setattr(approval_form, "DEPLOYMENT", "approve/nowhere")
    assert ask_in_prefect(NAME, version, "2999-01-01 00:00:00.000000") == ""
    assert not caplog.records


def test_without_an_answer_the_commands_remain(version, caplog):
    def form_from(url):
        with temporary_settings({PREFECT_API_URL: url}):
            return ask_in_prefect(NAME, version, "2999-01-01 00:00:00.000000")

    requests = []
    assert form_from(f"http://127.0.0.1:{free_port()}/api") == ""
    assert form_from("http://127.0.0.1:port/api") == ""
    with standing_in(200, "<html>Please log in</html>") as url:
        assert form_from(f"{url}/api") == ""
    with standing_in(503, "", lambda: requests.append(1), Retry_After="0") as url:
        assert form_from(f"{url}/api") == ""
    assert len(requests) == 2, "a server that is away is asked once more, and then no longer"
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 4


def test_nobody_waits_for_the_aliases_while_a_server_is_asked(waiting):
    name, later = waiting
    answered = []

    def decide():
        with FileLock(local_folder() / f"{name}.aliases.lock", timeout=0):
            answered.append("a colleague")

    with standing_in(200, "", decide) as url, temporary_settings({PREFECT_API_URL: f"{url}/api"}):
        promoted = promote_manually(name, later, "once more")
    assert (promoted.outcome, promoted.form) == ("requested already", "")
    assert answered
