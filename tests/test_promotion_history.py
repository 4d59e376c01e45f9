"""The history of champions only grows: what is removed from it or changed in it shows."""

import json

import pytest
from typer.testing import CliRunner

from flows.command_line.commands import app
from modelling.refusals import UsageError
from tasks.registry.champions import registry_status, roll_back, warn_of_gaps
from tasks.registry.file_hashes import HASHES_TAG, files_sha256
from tasks.registry.promotion_history import CHAMPION_SINCE, NEWEST_TAG, append_entry, read_history
from tasks.upkeep.health import check_history

SERVICES = pytest.mark.services  # the many of one kind
pytestmark = pytest.mark.usefixtures("store")


class Told:
    """Versions 1, 2 and 3 of a model, each of which became champion after the other."""

    def __init__(self, client, name):
        self.client, self.name = client, name
        client.create_registered_model(name)
        for version in ("1", "2", "3"):
            hashes = {HASHES_TAG: json.dumps({"MLmodel": version})}
            client.create_model_version(name, "file:///nowhere", tags=hashes)
            self.set_champion(version)

    def set_champion(self, version, reason="compared and better"):
        files = files_sha256(self.client.get_model_version(self.name, version))
        assert append_entry(
            self.client, self.name, version, reason, "compared", "root", files=files
        )
        self.client.set_registered_model_alias(self.name, "champion", version)

    def entry(self, version):
        """Key and text of the only entry of a version."""
        tags = self.client.get_model_version(self.name, version).tags
        ((key, text),) = [one for one in tags.items() if one[0].startswith(CHAMPION_SINCE)]
        return key, text

    def write(self, version, key, **changed):
        facts = json.loads(self.entry(version)[1]) | changed
        self.client.set_model_version_tag(self.name, version, key, json.dumps(facts))

    def remove(self, version):
        self.client.delete_model_version_tag(self.name, version, self.entry(version)[0])

    @property
    def gaps(self):
        return read_history(self.client, self.name).gaps


@pytest.fixture
def told(client, request):
    name = "told " + "".join(filter(str.isalnum, request.node.name))
    yield Told(client, name)
    client.delete_registered_model(name)


def remove_the_first(told):
    told.remove("1")


def remove_one_between(told):
    told.remove("2")


def remove_the_last(told):
    told.remove("3")


def remove_the_last_and_go_back(told):
    told.remove("3")
    told.client.set_registered_model_alias(told.name, "champion", "2")


def remove_all(told):
    for version in ("1", "2", "3"):
        told.remove(version)


def remove_a_version(told):
    told.client.delete_model_version(told.name, "2")


def change_a_reason(told):
    told.write("2", told.entry("2")[0], reason="approved by model risk")


def change_the_last(told):
    told.write("3", told.entry("3")[0], by="somebody else")


def change_the_time(told):
    told.write("2", told.entry("2")[0], at="2020-01-01 00:00:00.000000")


def write_nonsense(told):
    told.client.set_model_version_tag(told.name, "2", told.entry("2")[0], "[]")


def invent_a_time(told):
    told.write("2", f"{CHAMPION_SINCE}yesterday", at="yesterday")


def invent_one(told):
    told.write("2", f"{CHAMPION_SINCE}2020-01-01 00:00:00.000000", at="2020-01-01 00:00:00.000000")


def forget_the_link(told):
    told.write("3", told.entry("3")[0], before=None)


def remove_what_is_known_of_the_newest(told):
    told.client.delete_registered_model_tag(told.name, NEWEST_TAG)


def move_the_alias(told):
    told.client.set_registered_model_alias(told.name, "champion", "1")


def remove_the_alias(told):
    told.client.delete_registered_model_alias(told.name, "champion")


def replace_the_hashes_of_files(told):
    told.client.set_model_version_tag(told.name, "2", HASHES_TAG, json.dumps({"MLmodel": "other"}))


def remove_the_hashes_of_files(told):
    told.client.delete_model_version_tag(told.name, "3", HASHES_TAG)


ATTACKS = {
    remove_the_first: "are missing",
    remove_one_between: "an entry is missing or was changed",
    remove_the_last: "an entry is missing, or that one was changed",
    remove_the_last_and_go_back: "an entry is missing, or that one was changed",
    remove_all: "all entries are missing",
    remove_a_version: "an entry is missing or was changed",
    change_a_reason: "an entry is missing or was changed",
    change_the_last: "an entry is missing, or that one was changed",
    change_the_time: "of version 2 was changed",
    write_nonsense: "of version 2 was changed",
    invent_a_time: "the entry champion_at.yesterday of version 2 was changed",
    invent_one: "an entry is missing or was changed",
    forget_the_link: "has no hash of the previous one",
    remove_what_is_known_of_the_newest: "an entry is missing, or that one was changed",
    move_the_alias: "the champion is version 1, but no entry says so",
    remove_the_alias: "the champion is none, but no entry says so",
    replace_the_hashes_of_files: "the hashes of the files of version 2 were changed since",
    remove_the_hashes_of_files: "the hashes of the files of version 3 were changed since",
}


def test_a_whole_history_has_no_gaps(told):
    assert told.gaps == []
    entries = read_history(told.client, told.name).entries
    assert entries[0].previous is None
    assert not any(entry.gaps for entry in entries), "and never had one"
    assert "BROKEN" not in registry_status(told.name).text()
    told.set_champion("1", "back again")
    assert [one.version for one in read_history(told.client, told.name).entries] == [*"1231"]
    assert told.gaps == []


IN_SHORT = {
    *(remove_one_between, remove_the_last, change_a_reason, move_the_alias),
    *(replace_the_hashes_of_files, remove_the_hashes_of_files),
}


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(attack, id=attack.__name__, marks=[] if attack in IN_SHORT else SERVICES)
        for attack in ATTACKS
    ],
)
def test_whoever_tampers_with_the_history_is_found_out(told, attack, caplog):
    attack(told)
    shown = registry_status(told.name)
    assert any(ATTACKS[attack] in gap for gap in shown.gaps), shown.gaps
    assert f"THE HISTORY IS BROKEN: {shown.gaps[0]}" in shown.text()
    assert shown.as_dict()["gaps"] == shown.gaps
    if attack is not remove_the_alias:
        with pytest.raises(UsageError, match="is broken, so the previous champion is not certain"):
            roll_back(told.name, "complaints")
    warn_of_gaps(told.client, told.name)
    assert f"the history of {told.name} is broken: {shown.gaps[0]}" in caplog.text
    told.set_champion("3" if attack is move_the_alias else "1")
    newest = read_history(told.client, told.name).entries[-1]
    assert list(newest.gaps) == shown.gaps, "who promotes all the same leaves it on record"
    assert f"the history was already broken: {shown.gaps[0]}" in registry_status(told.name).text()
    told.set_champion("3" if newest.version == "1" else "1")
    assert told.gaps == [] or ATTACKS[attack].startswith("the hashes of the files"), "it is known"


def test_the_command_that_shows_a_broken_history_fails(client):
    """A schedule, or a script of auditors, reads the exit code and not the text."""
    told = Told(client, "told_by_a_command")
    remove_the_alias(told)  # or it would fail for the champion, which has no files here
    for how in ([], ["--json"]):
        shown = CliRunner().invoke(app, ["champion", told.name, *how])
        assert shown.exit_code == 1
        assert "but no entry says so" in shown.stdout
    client.delete_registered_model(told.name)


def test_an_entry_that_is_gone_is_missed_after_the_next_one_too(told):
    told.remove("3")
    told.set_champion("1")
    assert any("an entry is missing" in gap for gap in told.gaps)


def test_who_changes_an_entry_cannot_make_it_say_that_the_change_is_known(told):
    key, _ = told.entry("2")
    change_a_reason(told)
    told.write("2", key, gaps=told.gaps)
    assert any("an entry is missing or was changed" in gap for gap in told.gaps)


def test_interrupted_before_it_took_effect_is_no_gap(told):
    append_entry(told.client, told.name, "1", "killed then", "manual", "root")
    assert told.gaps == []
    assert "interrupted before it took effect" in registry_status(told.name).text()
    told.set_champion("2")
    assert told.gaps == []


def test_killed_between_an_entry_and_what_is_known_of_the_newest_is_no_gap(told):
    for champion, version in (("3", "1"), ("3", "2")):
        newest = read_history(told.client, told.name).newest
        append_entry(told.client, told.name, version, "killed then", "manual", "root")
        told.client.set_registered_model_tag(told.name, NEWEST_TAG, newest)
        assert told.gaps == []
        assert registry_status(told.name).champion == champion
    told.set_champion("1")
    assert told.gaps == []


def test_a_champion_without_any_entry_is_found_out(client):
    """As when somebody sets the alias on MLflow's page of a model that never had a champion."""
    name = "told of nobody"
    client.create_registered_model(name)
    client.create_model_version(name, "file:///nowhere", tags={HASHES_TAG: "{}"})
    assert read_history(client, name).gaps == []
    client.set_registered_model_alias(name, "champion", "1")
    (gap,) = read_history(client, name).gaps
    assert gap == "the champion is version 1, but no entry says so"
    client.delete_registered_model(name)


def test_no_request_makes_replaced_hashes_right(told):
    replace_the_hashes_of_files(told)
    files = files_sha256(told.client.get_model_version(told.name, "2"))
    append_entry(told.client, told.name, "2", "again", "requested", "root", files=files)
    assert any("the hashes of the files of version 2 were changed" in gap for gap in told.gaps)


def test_a_clock_that_is_behind_breaks_nothing(told):
    _, text = told.entry("3")
    later = "2999-01-01 00:00:00.000000"
    told.remove("3")
    told.client.set_registered_model_alias(told.name, "champion", "2")
    facts = json.loads(text) | {"at": later}
    told.client.set_model_version_tag(told.name, "3", CHAMPION_SINCE + later, json.dumps(facts))
    told.client.set_registered_model_tag(
        told.name, NEWEST_TAG, read_history(told.client, told.name).newest
    )
    told.client.set_registered_model_alias(told.name, "champion", "3")
    told.set_champion("1")
    assert told.gaps == []
    assert read_history(told.client, told.name).entries[-1].at == later[:-1] + "1"


def test_entries_from_before_they_were_linked_are_told_apart(told):
    for version in ("1", "2", "3"):
        told.write(version, told.entry(version)[0], before=None)
    told.client.delete_registered_model_tag(told.name, NEWEST_TAG)
    assert told.gaps == []
    append_entry(told.client, told.name, "1", "killed then", "manual", "root")
    told.client.delete_registered_model_tag(told.name, NEWEST_TAG)
    assert told.gaps == [], "nothing was known of a newest one before"
    told.set_champion("1")
    assert told.gaps == []
    assert registry_status(told.name).text().count("an older entry, without a hash") == 3
    told.write("3", told.entry("3")[0], reason="another")
    assert any("an entry is missing or was changed" in gap for gap in told.gaps)


def test_two_machines_that_write_at_the_same_moment_are_told(told, monkeypatch):
    """The other one writes between this one's look at the history and its own entry."""
    write, other = type(told.client).set_model_version_tag, []

    def after_another(client, name, version, key, text):
        if not other:
            other.append(key)
            append_entry(client, name, "1", "the other machine", "manual", "root")
        write(client, name, version, key, text)

    monkeypatch.setattr(type(told.client), "set_model_version_tag", after_another)
    assert not append_entry(told.client, told.name, "2", "this one", "manual", "root")
    assert told.gaps == []
    assert read_history(told.client, told.name).entries[-1].reason == "the other machine"


def test_doctor_looks_at_the_models_of_this_project(told):
    told.remove("2")
    assert told.name in check_history().finding, "its run is gone, and the hashes are ours"
    remove_the_hashes_of_files(told)
    assert told.name not in check_history().finding, "another team's"
