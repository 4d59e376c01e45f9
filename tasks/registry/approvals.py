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
from functools import cache
from typing import Literal, NamedTuple

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from modelling.checkout import command
from modelling.declaration import UseCase
from modelling.refusals import UsageError
from tasks.registry.approval_form import ask_in_prefect
from tasks.registry.champions import (
    NOT_FOUND_CODES,
    alias_lock,
    champion_of,
    facts_of_entry,
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
    versions,
)
from tasks.tracking.provenance import APPROVAL_DAYS
from tasks.tracking.store import connect

log = logging.getLogger("finflows")
DAYS_IF_UNREADABLE = 14
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


def approval_tags(use_case: UseCase) -> dict[str, str]:
    """The tag of a version that shows within how many days a second person must approve. What
    counts is the parameter of its run, which nobody can change in MLflow."""
    asked = use_case.approval == "second_person"
    return {APPROVAL_DAYS: str(use_case.approval_days)} if asked else {}


def make_champion(client: MlflowClient, name: str, version: str, reason: str, how: str) -> Promoted:
    """Make ``version`` champion, or request it where a second person must approve; the caller holds
    ``alias_lock``, and asks for the form (``with_form``) when it has released it. Raises UsageError
    as ``set_champion`` does."""
    champion = champion_of(client, name)
    if champion is not None and str(champion.version) == version:
        refuse_unloadable(name, version)
        return Promoted("champion already")
    days = _days_to_approve(client, name, version)
    if days is None:
        set_champion(client, name, version, reason, how)
        return Promoted("champion")
    refuse_unloadable(name, version)
    warn_of_gaps(client, name)
    known = read_history(client, name)
    waiting = _request_of(known.entries, version, champion)
    if (
        waiting is not None and waiting.seconds_left > 0 and not known.gaps
    ):  # or nobody could approve
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
    refuse_absent_version(name, version, versions(client, name))
    return client


def _days_to_approve(client: MlflowClient, name: str, version: str) -> int | None:
    """Within how many days a second person must approve; None where nobody has to.

    Asked are the declarations of this version and of all since the last one without the wish for a
    second person that a second person approved: so doing without takes a second person, too,
    whatever is champion meanwhile.
    """
    days_of = cache(lambda number: _declared_days(client, known[number]))
    known = {str(one.version): one for one in versions(client, name)}
    released = max(
        (
            int(change.version)
            for change in read_history(client, name).entries
            if change.how == "approved"
            and change.version in known
            and days_of(change.version) is None
        ),
        default=0,
    )
    asked = [number for number in known if number == version or int(number) > released]
    return min((days for number in asked if (days := days_of(number)) is not None), default=None)


def _declared_days(client: MlflowClient, version: ModelVersion) -> int | None:
    """Within how many days the declaration of ``version`` wants a second person; None where it
    wants none.

    The parameters of its run say it, which can only be added to. The tag counts, too, where it asks
    for more: earlier releases have only that, and so has a version whose run was purged.
    """
    said = [version.tags.get(APPROVAL_DAYS), _parameters(client, version).get(APPROVAL_DAYS)]
    days = [DAYS_IF_UNREADABLE if not text.isdecimal() else int(text) for text in said if text]
    return min(days, default=None)


def _parameters(client: MlflowClient, version: ModelVersion) -> dict[str, str]:
    """Those of the version's run, also of a deleted one; none where it has no run, or a purged
    one."""
    try:
        run = client.get_run(version.run_id) if version.run_id else None
    except MlflowException as error:
        if error.error_code not in NOT_FOUND_CODES:
            raise  # a store that does not answer may well have a run that asks
        return {}
    return dict(run.data.params) if run else {}


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
