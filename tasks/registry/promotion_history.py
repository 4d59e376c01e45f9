"""Who became champion, when and why: entries that only grow, each with the hash of the one before.

An entry is a tag of its version, the hash of the newest one a tag of the registered model. So an
entry that is changed or removed, be it the last, leaves a gap. Whoever may write all of these tags
could forge them all: the hash of the newest entry, kept elsewhere, would tell.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion, RegisteredModel

from tasks.tracking.pages import all_pages

CHAMPION_SINCE = (
    "champion_at."  # and then the time: one tag for each time that a version was crowned
)
NEWEST = "champion_history"  # of the registered model: SHA-256 of the newest entry
TIME = "%Y-%m-%d %H:%M:%S.%f"


@dataclass(frozen=True)
class ChampionChange:
    """A version became champion: when (UTC), instead of which one, why, by whom and how.

    ``before`` is the SHA-256 of the entry before, empty for the first; None in entries of old,
    which had none. ``gaps`` are those that the history already had.
    """

    version: str
    at: str
    previous: str | None
    reason: str
    how: str  # compared, by hand, or rollback
    by: str
    before: str | None = None
    gaps: tuple[str, ...] = ()


class _Entry(NamedTuple):
    """A crowning as it is stored."""

    change: ChampionChange
    sha256: str


class History(NamedTuple):
    """All crownings, the oldest first, the hash of the newest, and what is missing among them or
    was changed, one line each."""

    entries: list[ChampionChange]
    newest: str
    gaps: list[str]


def read_history(client: MlflowClient, name: str) -> History:
    """The history of a registered model."""
    return history_in(client.get_registered_model(name), versions(client, name))


def versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    """All registered versions of ``name``, the oldest first."""
    found = all_pages(client.search_model_versions, f"name = '{name}'")
    return sorted(found, key=lambda registered: int(registered.version))


def history_in(model: RegisteredModel, versions: Sequence[ModelVersion]) -> History:
    """What the tags of a registered model and of its versions tell."""
    entries, unreadable = list[_Entry](), list[str]()
    for version in versions:
        for key, text in version.tags.items():
            if key.startswith(CHAMPION_SINCE):
                if entry := _entry_in(key, text, str(version.version)):
                    entries.append(entry)
                else:
                    unreadable.append(f"the entry {key} of version {version.version} was changed")
    entries.sort(key=lambda one: one.change.at)
    champion = model.aliases.get("champion")
    gaps = [
        *unreadable,
        *_between(entries),
        *_at_the_end(entries, model.tags.get(NEWEST, ""), champion and str(champion)),
    ]
    newest = entries[-1].sha256 if entries else ""
    return History([one.change for one in entries], newest, gaps)


def _entry_in(key: str, text: str, version: str) -> _Entry | None:
    """None where it is none, or that of another version or time."""
    try:
        facts = json.loads(text)
        change = ChampionChange(**{**facts, "gaps": tuple(facts.get("gaps", ()))})
        datetime.strptime(change.at, TIME)
        if (change.version, CHAMPION_SINCE + change.at) != (version, key):
            return None
    except (ValueError, TypeError, AttributeError):
        return None
    return _Entry(change, hashlib.sha256(text.encode()).hexdigest())


def _between(entries: Sequence[_Entry]) -> Iterator[str]:
    """Entries of old are linked to nothing, but come before all others."""
    if entries and entries[0].change.before:
        yield f"what was before {_time(entries[0])} is gone"
    for earlier, later in pairwise(entries):
        if later.change.before is None and earlier.change.before is not None:
            yield f"the entry of {_time(later)} is linked to none"
        elif later.change.before not in (None, earlier.sha256):
            yield f"between {_time(earlier)} and {_time(later)} an entry is gone or was changed"


def _at_the_end(entries: Sequence[_Entry], newest: str, champion: str | None) -> Iterator[str]:
    """The newest entry is the one that is known as such, and made the champion; or it was
    interrupted before it took effect, then the champion is still whom it would have replaced."""
    holder = f"version {champion}" if champion else "none"
    unexplained = f"the champion is {holder}, though no entry says so"
    if not entries:
        if newest:
            yield "all entries are gone"
        elif champion:
            yield unexplained
        return
    last, sha256 = entries[-1]
    interrupted = champion == last.previous
    first_linked = len(entries) > 1 and entries[-2].change.before is None
    known = (sha256, "" if first_linked else last.before) if interrupted else (sha256,)
    if (newest or last.before is not None) and newest not in known:
        yield f"after {_time(entries[-1])} an entry is gone, or that one was changed"
    elif champion != last.version and not interrupted:
        yield unexplained


def _time(entry: _Entry) -> str:
    return f"{entry.change.at[:19]} UTC"


def append_entry(
    client: MlflowClient, name: str, version: str, reason: str, how: str, by: str
) -> bool:
    """Write that ``version`` becomes champion; False where another machine wrote at the same
    moment, then this one has written nothing.

    Where the newest entry is gone, the gap stays: this one is linked to what is gone.
    """
    model, known = client.get_registered_model(name), read_history(client, name)
    at = _time_after(known.entries)
    before = model.tags.get(NEWEST, known.newest) if known.gaps else known.newest
    champion = model.aliases.get("champion")
    previous = None if champion is None else str(champion)
    change = ChampionChange(version, at, previous, reason, how, by, before, tuple(known.gaps))
    text = json.dumps(asdict(change))
    client.set_model_version_tag(name, version, CHAMPION_SINCE + at, text)
    now = read_history(client, name).entries
    same = [[one.before for one in entries].count(before) for entries in (known.entries, now)]
    if same[1] > same[0] + 1:
        client.delete_model_version_tag(name, version, CHAMPION_SINCE + at)
        return False
    client.set_registered_model_tag(name, NEWEST, hashlib.sha256(text.encode()).hexdigest())
    return True


def _time_after(entries: Sequence[ChampionChange]) -> str:
    """Now; or just after the newest entry, where this clock is behind the one that wrote it."""
    now = datetime.now(UTC)
    if entries:
        newest = datetime.strptime(entries[-1].at, TIME).replace(tzinfo=UTC)
        now = max(now, newest + timedelta(microseconds=1))
    return now.strftime(TIME)
