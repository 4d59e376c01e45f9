"""Four eyes: who asks for a version can't approve it, and all of it is in the history."""

import subprocess
import sys
from dataclasses import replace

import pytest
from conftest import REPOSITORY
from mlflow.exceptions import MlflowException
from small_models import register_and_judge

from modelling.refusals import UsageError
from tasks.registry import approvals
from tasks.registry.approvals import Promoted, approve, decline, promote_manually
from tasks.registry.champions import (
    RegistryStatus,
    champion_of,
    history,
    registry_status,
    roll_back,
)
from tasks.registry.file_hashes import HASHES_TAG
from tasks.registry.identity import same_person, typed_name
from tasks.registry.promotion_history import ChampionChange, append_entry, read_history
from tasks.tracking.descriptions import DOSSIER_FILE
from tasks.tracking.provenance import APPROVAL_DAYS

pytestmark = pytest.mark.usefixtures("store", "prefect_server")
FOUR_EYES = {"approval": "second_person", "approval_days": 3}


def champion_version(client, name):
    holder = champion_of(client, name)
    return holder and str(holder.version)


def a_colleague_requests(client, name, version, until="2999-01-01 00:00:00.000000"):
    """A request as it is written on a colleague's account."""
    subject = approvals.subject_of(client, client.get_model_version(name, version))
    facts = {**subject, "until": until}
    assert append_entry(client, name, version, "better", "requested", "colleague", **facts)


def test_a_login_tells_people_apart_who_share_an_account():
    assert same_person("anna", "anna")
    assert not same_person("anna", "ben")
    assert not same_person("svc, as anna on mlflow.bank", "svc, as ben on mlflow.bank")
    assert same_person("svc, as anna on mlflow.bank", "other, as anna on mlflow.bank")
    assert same_person("anna, as a on mlflow.bank", "anna, as b on another.bank")
    assert same_person("anna", "anna, as b on mlflow.bank")


def test_no_other_spelling_of_login_or_server_makes_two_people_of_one():
    """One directory takes any capitals; a tunnel gives the same server another name."""
    assert same_person("svc, as anna on mlflow.bank", "svc, as Anna on mlflow.bank")
    assert same_person("laptop, as anna on mlflow.bank", "other, as anna on localhost")
    assert same_person("anna", "svc, as anna on mlflow.bank")
    assert not same_person("laptop, as anna on mlflow.bank", "other, as ben on localhost")
    assert not same_person("anna", "svc, as ben on mlflow.bank")


def test_a_typed_name_is_that_of_whoever_has_it_and_says_that_it_was_typed():
    assert typed_name(" Ben  Meyer ") == "Ben Meyer, typed into Prefect's form"
    for requested_by in ("anna", "svc, as anna on mlflow.bank", "anna, as a on mlflow.bank"):
        assert same_person(requested_by, typed_name("Anna"))
        assert not same_person(requested_by, typed_name("Ben Meyer"))
    for name in ("", "  ", "42", "svc, as ben on mlflow.bank", "Ben\x1b[1m", "n" * 81):
        with pytest.raises(UsageError, match="type your name"):
            typed_name(name)


def test_whoever_promotes_reads_whether_it_took_effect_or_waits():
    assert Promoted("champion").text("loans", "2") == "version 2 is champion"
    assert Promoted("champion already").text("loans", "2") == "version 2 is champion already"
    waits = Promoted("requested", "2026-12-01 08:30:00.000000").text("loans", "2")
    assert waits.startswith("version 2 waits for a second person until 2026-12-01 08:30 UTC: ")
    assert 'finflows approve loans --version 2 --reason "..." (or decline)' in waits


def test_a_request_does_not_read_as_a_change_of_champion():
    at, until = "2026-11-28 09:00:00.000000", "2026-12-01 08:30:00.000000"
    asked = ChampionChange("2", at, "1", "better", "requested", "anna", until=until)
    told = RegistryStatus("loans", "1", "2", [asked, replace(asked, how="declined")], "", [])
    assert told.text().count("version 2; version 1 stays champion (") == 2
    assert "instead of" not in told.text()
    approved = RegistryStatus("loans", "2", "2", [replace(asked, how="approved")], "", [])
    assert "version 2 instead of version 1 (approved by anna" in approved.text()


def test_a_request_that_nobody_answered_in_time_is_said_to_have_lapsed():
    at, until = "2020-01-01 09:00:00.000000", "2020-01-04 08:30:00.000000"
    asked = ChampionChange("2", at, "1", "better", "requested", "anna", until=until)
    told = RegistryStatus("loans", "1", "2", [asked], "", [])
    assert "requested by anna; lapsed at 2020-01-04 08:30 UTC;" in told.text()
    answered = replace(asked, how="approved", until="", requested_by="anna")
    told = RegistryStatus("loans", "2", "2", [asked, answered], "", [])
    assert "requested by anna; until 2020-01-04 08:30 UTC;" in told.text()
    other = replace(asked, version="3", how="manual", until="")
    open_still = replace(asked, until="2999-01-01 00:00:00.000000")
    told = RegistryStatus("loans", "3", "2", [open_still, other], "", [])
    assert "requested by anna; lapsed as version 3 became champion;" in told.text()


def test_the_better_version_waits_until_another_person_approves(client):
    name = "watched"
    version, decision = register_and_judge(name=name, **FOUR_EYES)
    assert (decision.promoted, champion_version(client, name)) == (False, None)
    assert f'finflows approve {name} --version {version} --reason "..."' in decision.reason
    assert client.get_model_version(name, version).tags["promotion"] == "kept the champion"
    with pytest.raises(UsageError, match="another person must approve it"):
        approve(name, version, "I like it")
    assert promote_manually(name, version, "please").outcome == "requested already"
    decline(name, version, "not yet")
    with pytest.raises(UsageError, match="no open request"):
        approve(name, version, "late")
    a_colleague_requests(client, name, version)
    append_entry(client, name, version, "killed before it took effect", "approved", "another")
    approve(name, version, "read the dossier")
    assert champion_version(client, name) == version
    *_, request, _, approval = history(client, name)
    assert [change.how for change in history(client, name)] == [
        "requested", "declined", "requested", "approved", "approved",
    ]  # fmt: skip
    assert (approval.requested_by, approval.files) == ("colleague", request.files)
    assert registry_status(name).gaps == []
    assert "approved by " in registry_status(name).text()
    assert "requested by colleague" in registry_status(name).text()

    later, _ = register_and_judge(noise=0.5, name=name, approval="automatic")
    assert promote_manually(name, later, "without").outcome == "requested"  # earlier ones ask
    assert champion_version(client, name) == version
    assert "version 2" in registry_status(name).text()
    assert "interrupted" not in registry_status(name).text()
    with pytest.raises(UsageError, match="first champion"):
        roll_back(name, "complaints")


def test_one_person_cannot_do_without_a_second_one_where_there_is_no_champion(client):
    name = "unwatched"
    register_and_judge(name=name, **FOUR_EYES)
    version, decision = register_and_judge(name=name, approval="automatic")
    assert (decision.promoted, champion_version(client, name)) == (False, None)
    decline(name, version, "start anew")
    a_colleague_requests(client, name, version)
    approve(name, version, "from now on without")
    later, decision = register_and_judge(noise=0.5, name=name, approval="automatic")
    assert promote_manually(name, later, "as approved").outcome == "champion"


def days_until(client, name):
    """How long the newest entry, a request, may wait, in days."""
    request = history(client, name)[-1]
    assert request.how == "requested"
    return round(request.seconds_left / 86_400)


@pytest.mark.parametrize("tag", [None, "300", "9" * 12])
def test_no_tag_takes_the_second_person_away(requested, tag):
    """Whoever may edit the tags of a version can't edit the parameters of its run."""
    client, name, version = requested
    client.delete_model_version_tag(name, version, APPROVAL_DAYS)
    if tag is not None:
        client.set_model_version_tag(name, version, APPROVAL_DAYS, tag)
    assert promote_manually(name, version, "alone").outcome == "requested"
    assert days_until(client, name) == 3
    decline(name, version, "start anew")
    client.set_model_version_tag(name, version, APPROVAL_DAYS, "3")
    run = client.get_model_version(name, version).run_id
    with pytest.raises(MlflowException, match="Changing param values is not allowed"):
        client.log_param(run, APPROVAL_DAYS, "300")


def test_neither_a_deleted_run_nor_a_copy_takes_the_second_person_away(requested):
    client, name, version = requested
    run = client.get_model_version(name, version).run_id
    client.delete_model_version_tag(name, version, APPROVAL_DAYS)
    client.delete_run(run)
    assert promote_manually(name, version, "alone").outcome == "requested"
    decline(name, version, "start anew")
    client.restore_run(run)
    copy = client.copy_model_version(f"models:/{name}/{version}", "copied")
    assert promote_manually("copied", str(copy.version), "alone").outcome == "requested"
    bare = client.create_model_version("copied", copy.source)  # neither tags nor a run
    assert promote_manually("copied", str(bare.version), "alone").outcome == "requested"
    client.set_model_version_tag(name, version, APPROVAL_DAYS, "3")


def test_a_version_whose_run_was_purged_or_of_an_earlier_release_has_its_tag(requested):
    client, name, version = requested
    of_model = client.get_model_version(name, version)
    other = "earlier"
    client.create_registered_model(other)
    asked = {None: None, "9999": 14, "0": 14, "5": 5}  # what nobody could declare asks as usual
    for tag, days in asked.items():
        kept = {HASHES_TAG: of_model.tags[HASHES_TAG], **({APPROVAL_DAYS: tag} if tag else {})}
        made = client.create_model_version(other, of_model.source, "0" * 32, tags=kept)
        outcome = promote_manually(other, str(made.version), "fine").outcome
        assert outcome == ("requested" if days else "champion")
        assert days is None or days_until(client, other) == days


@pytest.mark.parametrize("answer", [approve, decline])
def test_a_version_that_does_not_exist_is_refused_by_name(requested, answer):
    _, name, version = requested
    with pytest.raises(UsageError, match=r"nothing is registered as 'nosuch' \(but \w+"):
        answer("nosuch", "1", "typo")
    with pytest.raises(UsageError, match=f"{name} has no version 99; versions: {version}"):
        answer(name, "99", "typo")


@pytest.fixture(scope="module")
def requested(store):
    """A version of which a colleague's request is open."""
    from tasks.tracking.store import connect

    client, name = connect(), "waiting"
    version, _ = register_and_judge(name=name, **FOUR_EYES)
    decline(name, version, "start anew")
    return client, name, version


def test_a_request_lapses_and_the_champion_stays(requested):
    client, name, version = requested
    a_colleague_requests(client, name, version, until="2020-01-01 00:00:00.000000")
    with pytest.raises(UsageError, match="lapsed at 2020-01-01 00:00 UTC: finflows promote"):
        approve(name, version, "late")
    assert champion_version(client, name) is None
    assert promote_manually(name, version, "again").outcome == "requested"
    decline(name, version, "start anew")


def test_what_changed_since_the_request_is_not_approved(requested):
    client, name, version = requested
    a_colleague_requests(client, name, version)
    tag = client.get_model_version(name, version).tags[HASHES_TAG]
    run = client.get_model_version(name, version).run_id
    client.log_text(run, "written later", DOSSIER_FILE)
    with pytest.raises(UsageError, match="the dossier of waiting version 1 changed"):
        approve(name, version, "fine")
    client.set_model_version_tag(name, version, HASHES_TAG, tag.replace("a", "b", 1))
    with pytest.raises(UsageError, match="the files of waiting version 1 changed"):
        approve(name, version, "fine")
    client.set_model_version_tag(name, version, HASHES_TAG, tag)
    decline(name, version, "start anew")


def test_a_champion_set_behind_a_request_is_a_gap(requested):
    client, name, version = requested
    a_colleague_requests(client, name, version)
    client.set_registered_model_alias(name, "champion", version)
    assert any("no entry says so" in gap for gap in read_history(client, name).gaps)
    with pytest.raises(UsageError, match="the history of waiting is broken"):
        approve(name, version, "fine")
    client.delete_registered_model_alias(name, "champion")
    decline(name, version, "start anew")


def test_a_version_that_was_deleted_stops_no_approval_for_good(requested, caplog):
    client, name, version = requested
    other, _ = register_and_judge(name=name, **FOUR_EYES)
    a_colleague_requests(client, name, version)
    client.delete_model_version(name, other)
    with pytest.raises(UsageError, match="the history of waiting is broken, so no request"):
        approve(name, version, "fine")
    a_colleague_requests(client, name, version)  # again, which records it
    approve(name, version, "its files went with its customers")
    assert "the history of waiting was already broken when this was asked: betw" in caplog.text
    assert champion_version(client, name) == version
    assert read_history(client, name).gaps == []


@pytest.mark.services
def test_the_commands_say_who_is_missing(requested):
    client, name, version = requested
    assert client.get_model_version(name, version).tags[APPROVAL_DAYS] == "3"

    def finflows(*arguments):
        command = [sys.executable, "-m", "flows.command_line", *arguments]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)

    asked = finflows("promote", name, "--version", version, "--reason", "campaign")
    assert "waits for a second person until" in asked.stdout
    refused = finflows("approve", name, "--version", version, "--reason", "fine")
    assert (refused.returncode, "another person must approve" in refused.stderr) == (2, True)
    assert "Traceback" not in refused.stderr
    declined = finflows("decline", name, "--version", version, "--reason", "not now")
    assert "was declined" in declined.stdout
