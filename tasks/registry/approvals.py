"""Who may make a version champion: a comparison or a person, or, where the declaration asks for it,
two people (four eyes): one who asks, and another who approves.

A request and its answer are entries in the history of champions, so that none can be removed
unnoticed. Going back to an earlier champion takes one person: it was approved in its time, and
complaints can't wait.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from modelling.checkout import command
from modelling.refusals import UsageError
from tasks.registry.approval_form import ask_in_prefect
from tasks.registry.champions import (
    alias_lock,
    champion_of,
    facts_of_entry,
    is_recorded_champion,
    refuse_unloadable,
    set_champion,
    warn_of_gaps,
)
from tasks.registry.file_hashes import subject_of
from tasks.registry.identity import current_user, same_person
from tasks.registry.promotion_history import (
    TIME_FORMAT,
    ChampionChange,
    append_entry,
    in_effect,
    read_history,
    refuse_absent_version,
    registered_versions,
)
from tasks.registry.second_person import days_to_approve
from tasks.tracking.store import connect

log = logging.getLogger("finflows")
Outcome = Literal["champion", "champion already", "requested", "requested already"]


class Promoted(NamedTuple):
    """What became of a wish to make a version champion; ``until`` is when a request lapses,
    ``form`` the address of its form in Prefect, where there is one."""

    outcome: Outcome
    until: str = ""
    form: str = ""

    def with_form(self, name: str, version: str) -> "Promoted":
        """With the form of the request, where it is one; the caller has released ``alias_lock``."""
        form = ask_in_prefect(name, version, self.until) if self.until else ""
        return self._replace(form=form)

    def text(self, name: str, version: str) -> str:
        """What happened, and for a request what to do."""
        if not self.outcome.startswith("requested"):
            return f"version {version} is {self.outcome}"
        return (
            f"version {version} waits for a second person until {self.until[:16]} UTC: finflows "
            f'approve {name} --version {version} --reason "..." (or decline)'
            + (f", or the form in Prefect: {self.form}" if self.form else "")
        )


def make_champion(client: MlflowClient, name: str, version: str, reason: str, how: str) -> Promoted:
    """Make ``version`` champion, or request it where a second person must approve; the caller holds
    ``alias_lock``, and asks for the form (``with_form``) when it has released it. Raises UsageError
    as ``set_champion`` does."""
    champion = champion_of(client, name)
    if is_recorded_champion(client, name, version):
        refuse_unloadable(name, version)
        return Promoted("champion already")
    days = days_to_approve(client, name, version)
    if days is None:
        set_champion(client, name, version, reason, how)
        return Promoted("champion")
    refuse_unloadable(name, version)
    warn_of_gaps(client, name)
    known = read_history(client, name)
    # Nobody can approve a request from before a gap.
    waiting = None if known.gaps else _request_of(known.entries, version, champion)
    if waiting is not None and waiting.seconds_left > 0:
        return Promoted("requested already", waiting.until)
    until = (datetime.now(UTC) + timedelta(days=days)).strftime(TIME_FORMAT)
    facts = facts_of_entry(client, name, version) | {"until": until}
    by = current_user()
    if not append_entry(client, name, version, reason, "requested", by, **facts):
        raise UsageError(f"{name}: another machine promoted at the same time: promote again")
    return Promoted("requested", until)


def promote_manually(name: str, version: str, reason: str) -> Promoted:
    """A person's wish to make a version champion. Raises UsageError where it does not exist."""
    client = _client_of(name, version)
    with alias_lock(name):
        promoted = make_champion(client, name, version, reason, "manual")
    return promoted.with_form(name, version)


def waiting_request(name: str, version: str, until: str) -> ChampionChange:
    """The request for ``version`` that lapses at ``until``. Raises UsageError where it was
    answered, has lapsed, or is followed by another."""
    request = _open_request(_client_of(name, version), name, version)
    if request.until != until:
        raise UsageError(f"{name} version {version} was requested anew since: answer that request")
    return request


def approve(name: str, version: str, reason: str, by: str = "") -> None:
    """Make the requested ``version`` champion, as a second person: ``by`` (``typed_name``), or the
    user of this program.

    Raises UsageError where it does not exist, nobody requested it, the request lapsed or is about
    another champion, the same person asked, its files or its dossier have changed since, or the
    history is broken.
    """
    with _answered(name, version) as (client, request):
        by = by or current_user()
        if same_person(request.by, by):
            raise UsageError(
                f"{name} version {version} was requested by {request.by}: another person must "
                f"approve it, not {by}"
            )
        subject = subject_of(client, client.get_model_version(name, version))
        for part, sha256 in subject.items():
            if sha256 != getattr(request, part):
                raise UsageError(
                    f"the {part} of {name} version {version} changed since it was requested: find "
                    f"out who did that, then {command('promote', name, '--version', version)}"
                )
        facts = {"requested_by": request.by, **subject}
        set_champion(client, name, version, reason, "approved", by, **facts)


def decline(name: str, version: str, reason: str, by: str = "") -> None:
    """End the request for ``version``; the champion stays. Who asked may take it back. Raises
    UsageError where it does not exist, or has no open request."""
    with _answered(name, version) as (client, request):
        by = by or current_user()
        if not append_entry(client, name, version, reason, "declined", by, requested_by=request.by):
            raise UsageError(f"{name}: another machine promoted at the same time: decline again")


@contextmanager
def _answered(name: str, version: str) -> Iterator[tuple[MlflowClient, ChampionChange]]:
    """The open request for ``version``, while nobody else decides about it."""
    client = _client_of(name, version)
    with alias_lock(name):
        request = _open_request(client, name, version)
        for gap in request.gaps:
            log.warning("the history of %s was already broken when this was asked: %s", name, gap)
        yield client, request


def _client_of(name: str, version: str) -> MlflowClient:
    """A client of the store that has this version. Raises UsageError where it does not exist."""
    client = connect()
    refuse_absent_version(name, version, registered_versions(client, name))
    return client


def _open_request(client: MlflowClient, name: str, version: str) -> ChampionChange:
    known = read_history(client, name)
    again = command("promote", name, "--version", version, '--reason "..."')
    if known.gaps:
        raise UsageError(
            f"the history of {name} is broken, so no request is certain ({'; '.join(known.gaps)}): "
            f"find out who did that, then {again}"
        )
    request = _request_of(known.entries, version, champion_of(client, name))
    if request is None:
        raise UsageError(f"{name} version {version} has no open request: {again}")
    if request.seconds_left <= 0:
        raise UsageError(
            f"the request for {name} version {version} lapsed at {request.until[:16]} UTC: {again}"
        )
    return request


def _request_of(
    entries: list[ChampionChange], version: str, champion: ModelVersion | None
) -> ChampionChange | None:
    """The request for ``version`` that nobody answered. A later change of champion ends it: its
    reason compares with the champion of its time. One that was interrupted changed nothing."""
    holder = None if champion is None else str(champion.version)
    for entry in reversed(in_effect(entries, holder)):
        if entry.changes_champion:
            return None
        if entry.version == version:
            return entry if entry.how == "requested" else None
    return None
