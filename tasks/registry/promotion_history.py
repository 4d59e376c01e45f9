"""The history of champions: entries with the hash of the previous entry, which are only added.

An entry is a tag of its version; the hash of the newest entry is a tag of the registered model. So
an entry that is changed or removed, even the last one, is noticed as a gap, until a later entry has
recorded it: from then on it is part of the history. Those who may write all
of these tags could forge the whole history: the hash of the newest entry, kept elsewhere, would
show it.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion, RegisteredModel

from modelling.checkout import command
from modelling.declaration.names import MAXIMUM_REASON_LENGTH
from modelling.refusals import UsageError
from modelling.shown_text import shortened
from tasks.registry.file_hashes import files_sha256
from tasks.tracking.pages import all_pages, all_versions

# Followed by the time: one tag for each time that a version became champion.
CHAMPION_SINCE = "champion_at."
NEWEST_TAG = "champion_history"  # of the registered model: SHA-256 of the newest entry
MOST_LISTED = 20  # versions or models in a message
LEAVE_CHAMPION = ("requested", "declined")  # how an entry came to be that changes no champion
TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


@dataclass(frozen=True)
class ChampionChange:
    """A version became champion: when (UTC), instead of which one, why, by whom and how.

    ``how`` is ``compared``, ``manual`` (in older entries ``by hand``), ``rollback`` or
    ``approved``; or ``requested`` or ``declined``, which leave the champion as it is. ``before`` is
    the SHA-256 of the previous entry, empty for the first; None in older entries, which had no
    hashes. ``gaps`` are those that the history had before. A request and whatever changes the
    champion name exactly what they are about: ``files`` is the SHA-256 of the list of the version's
    files and their hashes, ``dossier`` that of its dossier (empty where it has none, and in older
    entries). ``unmet`` is what spoke against the version, in words: a failed gate, doubts, other
    columns than the champion's. ``until`` is when a request lapses (UTC), ``requested_by`` who
    asked for what is approved.
    """

    version: str
    at: str
    previous: str | None
    reason: str
    how: str
    by: str
    before: str | None = None
    gaps: tuple[str, ...] = ()
    files: str = ""
    dossier: str = ""
    unmet: str = ""
    until: str = ""
    requested_by: str = ""

    @property
    def changes_champion(self) -> bool:
        return self.how not in LEAVE_CHAMPION

    @property
    def whose(self) -> str:
        """Who decided, in words: ``approved by anna``. Without a person, it was a training that
        somebody started."""
        if self.how == "compared":
            return f"promoted in a training by {self.by}"
        done = "promoted" if self.how in ("manual", "by hand") else self.how
        return f"{done} by {self.by}"

    @property
    def seconds_left(self) -> int:
        """Until a request lapses; 0 or less where it has."""
        until = datetime.strptime(self.until, TIME_FORMAT).replace(tzinfo=UTC)
        return math.ceil((until - datetime.now(UTC)).total_seconds())


class _Entry(NamedTuple):
    """A change of champion with the hash of its stored text."""

    change: ChampionChange
    sha256: str


class History(NamedTuple):
    """All changes of champion, the oldest first; the hash of the newest; and one line for each gap:
    an entry that is missing or was changed, which no later entry has recorded, or a version that is
    not what an entry names."""

    entries: list[ChampionChange]
    newest: str
    gaps: list[str]


def read_history(client: MlflowClient, name: str) -> History:
    """The history of a registered model."""
    return history_from_tags(client.get_registered_model(name), versions(client, name))


def in_effect(entries: list[ChampionChange], champion: str | None) -> list[ChampionChange]:
    """The entries without those at the end that were interrupted before they changed the
    champion."""
    while entries and entries[-1].changes_champion and entries[-1].previous == champion:
        entries = entries[:-1]
    return entries


def versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    """All registered versions of ``name``, the oldest first."""
    return all_versions(client, f"name = '{name}'")


def registered_versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    """``versions``, of which there are some. Raises UsageError where there is none, with the models
    that there are: somebody may have renamed it in MLflow."""
    if found := versions(client, name):
        return found
    others = [model.name for model in all_pages(client.search_registered_models)]
    more = ", ..." if len(others) > MOST_LISTED else ""
    listed = f" (but {', '.join(others[:MOST_LISTED])}{more})" if others else ""
    raise UsageError(f"nothing is registered as '{name}'{listed}: {command('train', name)}")


def refuse_absent_version(name: str, version: str, known: Sequence[ModelVersion]) -> None:
    """Raise UsageError where ``version`` is none of the ``known`` ones, the oldest first."""
    numbers = [str(one.version) for one in known]
    if version in numbers:
        return
    listed = f"versions: {', '.join(numbers)}"
    if len(numbers) > MOST_LISTED:
        listed = f"it has {len(numbers):,} versions, from {numbers[0]} to {numbers[-1]}"
    raise UsageError(f"{name} has no version {version}; {listed}")


def history_from_tags(model: RegisteredModel, versions: Sequence[ModelVersion]) -> History:
    """The history from the tags of a registered model and its versions."""
    entries, unreadable = list[_Entry](), list[str]()
    for version in versions:
        for key, text in version.tags.items():
            if key.startswith(CHAMPION_SINCE):
                if entry := _parse_entry(key, text, str(version.version)):
                    entries.append(entry)
                else:
                    unreadable.append(f"the entry {key} of version {version.version} was changed")
    entries.sort(key=lambda entry: entry.change.at)
    champion = model.aliases.get("champion")
    gaps = [
        *(gap for gap in unreadable if not _is_recorded(gap, entries)),
        *_changed_versions(entries, versions),
        *_gaps_between(entries),
        *_gaps_at_the_end(entries, model.tags.get(NEWEST_TAG, ""), champion and str(champion)),
    ]
    newest = entries[-1].sha256 if entries else ""
    return History([entry.change for entry in entries], newest, gaps)


def _parse_entry(key: str, text: str, version: str) -> _Entry | None:
    """The entry; None where the text is no entry, or one of another version or time."""
    try:
        facts = json.loads(text)
        change = ChampionChange(**{**facts, "gaps": tuple(facts.get("gaps", ()))})
        datetime.strptime(change.at, TIME_FORMAT)
        if (change.version, CHAMPION_SINCE + change.at) != (version, key):
            return None
    except (ValueError, TypeError, AttributeError):
        return None
    return _Entry(change, hashlib.sha256(text.encode()).hexdigest())


def _changed_versions(entries: Sequence[_Entry], versions: Sequence[ModelVersion]) -> Iterator[str]:
    """Versions whose hashes of files, by which they are checked before use, were replaced since
    they last became champion: with them, other files would pass for those that did."""
    last = {entry.change.version: entry for entry in entries if entry.change.changes_champion}
    for version in versions:
        entry = last.get(str(version.version))
        if entry and entry.change.files and entry.change.files != files_sha256(version):
            yield (
                f"the hashes of the files of version {version.version} were changed since it "
                f"became champion at {_time(entry)}"
            )


def _gaps_between(entries: Sequence[_Entry]) -> Iterator[str]:
    """Gaps between entries which no entry behind them has recorded: those beside a gap can't, since
    it may be they that were changed."""
    for place in range(len(entries)):
        gap = _gap_before(entries[place], entries[place - 1] if place else None)
        if gap and not _is_recorded(gap, entries[place + 1 :]):
            yield gap


def _gap_before(entry: _Entry, earlier: _Entry | None) -> str:
    """Older entries without a hash must come before all others."""
    before = entry.change.before
    if earlier is None:
        return f"the entries before {_time(entry)} are missing" if before else ""
    if before is None and earlier.change.before is not None:
        return f"the entry of {_time(entry)} has no hash of the previous one"
    if before in (None, earlier.sha256):
        return ""
    return f"between {_time(earlier)} and {_time(entry)} an entry is missing or was changed"


def _is_recorded(gap: str, entries: Sequence[_Entry]) -> bool:
    return any(gap in entry.change.gaps for entry in entries)


def _gaps_at_the_end(entries: Sequence[_Entry], newest: str, champion: str | None) -> Iterator[str]:
    """Gaps after the newest entry. Its hash must be the stored one, and its version the champion,
    unless the change was interrupted before it took effect: then the champion is the previous
    one."""
    holder = f"version {champion}" if champion else "none"
    unexplained_champion = f"the champion is {holder}, but no entry says so"
    if not entries:
        if newest:
            yield "all entries are missing"
        elif champion:
            yield unexplained_champion
        return
    last, sha256 = entries[-1]
    interrupted = champion == last.previous  # so it is, too, after what changes no champion
    first_linked = len(entries) > 1 and entries[-2].change.before is None
    known = (sha256, "" if first_linked else last.before) if interrupted else (sha256,)
    if (newest or last.before is not None) and newest not in known:
        yield f"after {_time(entries[-1])} an entry is missing, or that one was changed"
    elif not interrupted and not (last.changes_champion and champion == last.version):
        yield unexplained_champion


def _time(entry: _Entry) -> str:
    return f"{entry.change.at[:19]} UTC"


def append_entry(
    client: MlflowClient, name: str, version: str, reason: str, how: str, by: str, **facts: str
) -> bool:
    """Add the entry that ``version`` becomes champion, or may become it, with further ``facts``
    by field. Returns False, and adds nothing, where another machine added one at the same time.

    Where the newest entry is missing, the gap remains: this entry has the hash of the missing one.
    """
    model, known = client.get_registered_model(name), read_history(client, name)
    reason = shortened(reason, MAXIMUM_REASON_LENGTH)
    at = _time_after(known.entries)
    before = model.tags.get(NEWEST_TAG, known.newest) if known.gaps else known.newest
    champion = model.aliases.get("champion")
    previous = None if champion is None else str(champion)
    if previous == version and how not in LEAVE_CHAMPION:  # it is champion, and no entry says so
        others = [one for one in known.entries if one.changes_champion and one.version != version]
        previous = others[-1].version if others else None
    change = ChampionChange(
        version, at, previous, reason, how, by, before, tuple(known.gaps), **facts
    )
    text = json.dumps(asdict(change))
    client.set_model_version_tag(name, version, CHAMPION_SINCE + at, text)
    now = read_history(client, name).entries
    same = [sum(change.before == before for change in entries) for entries in (known.entries, now)]
    if same[1] > same[0] + 1:
        client.delete_model_version_tag(name, version, CHAMPION_SINCE + at)
        return False
    client.set_registered_model_tag(name, NEWEST_TAG, hashlib.sha256(text.encode()).hexdigest())
    return True


def _time_after(entries: Sequence[ChampionChange]) -> str:
    """The present time, or just after the newest entry where this machine's clock is behind."""
    now = datetime.now(UTC)
    if entries:
        newest = datetime.strptime(entries[-1].at, TIME_FORMAT).replace(tzinfo=UTC)
        now = max(now, newest + timedelta(microseconds=1))
    return now.strftime(TIME_FORMAT)
