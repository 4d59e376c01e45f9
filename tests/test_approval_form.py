"""The second person's form in Prefect: what it asks, what an answer does, when it does nothing."""

import json
import re
from contextlib import suppress
from dataclasses import replace
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
from tasks.registry.approval_form import DEPLOYMENT, ask_in_prefect, form_of
from tasks.registry.approvals import decline, promote_manually, waiting_request
from tasks.registry.champions import champion_of, history
from tasks.registry.promotion_history import TIME_FORMAT, append_entry
from tasks.tracking.addresses import local_folder

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("store", "prefect_server")]
FAR = "2999-01-01 00:00:00.000000"
BEN = {"decision": "approve", "name": "Ben Meyer", "reason": "read the dossier"}


@pytest.fixture(scope="module", autouse=True)
def deployed(store, prefect_server):
    """The deployment, as ``prefect.yaml`` declares it."""
    entries = {entry["name"]: entry for entry in planned_deployments(PLAN)}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        deployment_of(entries["second-person"], PLAN).apply()


def waiting(name):
    """A version that waits, since this account's training asked for it."""
    return register_and_judge(name=name, approval="second_person")[0]


def forms(name):
    """The flow runs that ask about a model, the newest first."""
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(DEPLOYMENT)
        found = client.read_flow_runs(sort="EXPECTED_START_TIME_DESC")
    ours = [one for one in found if one.deployment_id == deployment.id]
    return [one for one in ours if one.parameters["use_case_name"] == name]


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


def open_request(client, name):
    return next(one for one in reversed(history(client, name)) if one.how == "requested")


def test_the_form_does_what_the_commands_do(client):
    name = "two_people"
    version = waiting(name)
    (form,) = forms(name)
    assert run(form) is None
    with get_client(sync_client=True) as prefect:
        state = prefect.read_flow_run(form.id).state
    request = open_request(client, name)
    until = datetime.strptime(request.until, TIME_FORMAT).replace(tzinfo=UTC)
    assert state.name == "Suspended"
    assert abs(state.state_details.pause_timeout - until) < timedelta(minutes=2)
    description, schema = asked(form)
    for said in (name, request.by, request.files, "roc_auc", "it has no dossier"):
        assert said in description.replace("<wbr>", "")
    with_dossier = form_of(name, replace(request, dossier="0" * 64), "")._description
    assert "[its dossier](" in with_dossier
    typed = replace(request, reason="see [its dossier](https://evil.example) <img src=x>")
    assert not re.search(r"(?<!\\)[\[<](its|img)", form_of(name, typed, "")._description)
    assert "- against it: nothing" in description
    doubted = replace(request, unmet="the learning curve is overfitting")
    assert f"- against it: {doubted.unmet}" in form_of(name, doubted, "")._description
    broken = replace(request, gaps=("an entry is missing",))
    said = r"- against it: the history was already broken\: an entry is missing"
    assert said in form_of(name, broken, "")._description
    assert schema["required"] == ["decision", "name", "reason"]
    assert schema["properties"]["decision"]["enum"] == ["approve", "decline"]
    with pytest.raises(RuntimeError, match="Cannot resume this run"):
        resume_flow_run(form.id, {**BEN, "decision": "perhaps"})

    resume_flow_run(form.id, {**BEN, "name": request.by.upper()})
    with pytest.raises(UsageError, match="another person must approve it"):
        run(form)
    assert champion_of(client, name) is None
    again, refused = forms(name)
    assert (refused.state.name, "another person" in refused.state.message) == ("Failed", True)
    assert run(again) is None
    assert "refused" in str(asked(again)[0])
    form = promote_manually(name, version, "which one?").form
    assert str(again.id) in form, "the form that is open, not the refused one"

    resume_flow_run(again.id, BEN)
    assert (
        run(again) == f"{name} version {version}: approve by Ben Meyer, typed into Prefect's form"
    )
    assert str(champion_of(client, name).version) == version
    approval = history(client, name)[-1]
    assert (approval.how, approval.reason, approval.requested_by) == (
        "approved", "read the dossier", request.by,
    )  # fmt: skip
    assert approval.by == "Ben Meyer, typed into Prefect's form"
    assert (approval.files, approval.dossier) == (request.files, request.dossier)


def test_a_form_that_comes_too_late_changes_nothing(client):
    name = "too_late"
    later = waiting(name)
    promoted = promote_manually(name, later, "once more")
    (form,) = forms(name)
    assert str(form.id) in promoted.text(name, later), "one form for each"
    run(form)
    decline(name, later, "not now")
    resume_flow_run(form.id, BEN)
    with pytest.raises(UsageError, match="has no open request"):
        run(form)
    promote_manually(name, later, "again")
    with pytest.raises(UsageError, match="was requested anew"):
        waiting_request(name, later, promoted.until)
    decline(name, later, "start anew")

    soon = (datetime.now(UTC) + timedelta(seconds=3)).strftime(TIME_FORMAT)
    assert append_entry(client, name, later, "better", "requested", "colleague", until=soon)
    assert ask_in_prefect(name, later, soon)
    form = forms(name)[0]
    with suppress(UsageError):  # it lapses before it is asked, on a slow machine
        run(form)
    wait_for(lambda: open_request(client, name).seconds_left <= 0, "the lapse")
    with suppress(FlowPauseTimeout, NotPausedError):
        resume_flow_run(form.id, BEN)
        with suppress(UsageError):  # Prefect's timeout ends a moment after the lapse
            run(form)
    with get_client(sync_client=True) as prefect:
        wait_for(lambda: prefect.read_flow_run(form.id).state.is_final(), "the end of the form")
        assert prefect.read_flow_run(form.id).state.name == "Failed"
    assert champion_of(client, name) is None
    assert history(client, name)[-1].how == "requested"


def test_a_form_whose_flow_run_died_is_made_anew():
    name = "dead_form"
    later = waiting(name)
    (first,) = forms(name)
    for dead in (Crashed(), Cancelled()):
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(forms(name)[0].id, dead, force=True)
        promoted = promote_manually(name, later, "once more")
        again = forms(name)[0]
        assert again.id != first.id
        assert str(again.id) in promoted.form
        assert promote_manually(name, later, "once more").form == promoted.form
    assert run(again) is None
    assert later in asked(again)[0]


def test_the_address_of_a_form_has_no_login(prefect_server):
    url = prefect_server.replace("://", "://anna:geheim@")
    with temporary_settings({PREFECT_API_URL: url, PREFECT_UI_URL: url.removesuffix("/api")}):
        form = ask_in_prefect("a_model", "1", FAR)
    host = prefect_server.removesuffix("/api")
    assert form == f"{host}/runs/flow-run/{forms('a_model')[0].id}"


def test_without_a_deployment_the_commands_remain(monkeypatch, caplog):
    from tasks.registry import approval_form

    monkeypatch.setattr(approval_form, "DEPLOYMENT", "approve/nowhere")
    assert ask_in_prefect("a_model", "1", FAR) == ""
    assert not caplog.records


def test_without_an_answer_the_commands_remain(caplog):
    def form_from(url):
        with temporary_settings({PREFECT_API_URL: url}):
            return ask_in_prefect("a_model", "1", FAR)

    requests = []
    assert form_from(f"http://127.0.0.1:{free_port()}/api") == ""
    assert form_from("http://127.0.0.1:port/api") == ""
    with standing_in(200, "<html>Please log in</html>") as url:
        assert form_from(f"{url}/api") == ""
    with standing_in(503, "", lambda: requests.append(1), Retry_After="0") as url:
        assert form_from(f"{url}/api") == ""
    assert "is no Prefect server" in caplog.text
    assert len(requests) == 2, "a server that is away is asked once more, and then no longer"
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 4


def test_nobody_waits_for_the_aliases_while_a_server_is_asked():
    name = "aliases"
    later = waiting(name)
    answered = []

    def decide():
        with FileLock(local_folder() / f"{name}.aliases.lock", timeout=0):
            answered.append("a colleague")

    with standing_in(200, "", decide) as url, temporary_settings({PREFECT_API_URL: f"{url}/api"}):
        promoted = promote_manually(name, later, "once more")
    assert (promoted.outcome, promoted.form) == ("requested already", "")
    assert answered
