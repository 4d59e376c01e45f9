"""The aliases ``champion`` and ``challenger``: which version has them, since when and why.

The alias says which version is champion now; each change of champion adds an entry to the history.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from modelling.checkout import command
from modelling.declaration.names import MAXIMUM_REASON_LENGTH
from modelling.refusals import UsageError
from modelling.shown_text import shortened
from tasks.registry.file_hashes import subject_of
from tasks.registry.identity import current_user
from tasks.registry.model_files import (
    is_of_project,
    load_version,
    refuse_unreadable_files,
)
from tasks.registry.promotion_history import (
    ChampionChange,
    append_entry,
    in_effect,
    read_history,
    registered_versions,
    versions,
)
from tasks.tracking.pages import all_pages
from tasks.tracking.store import connect, store_lock

log = logging.getLogger("finflows")
# MLflow's error codes where the model or the alias does not exist.
NOT_FOUND_CODES = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def champion_of(client: MlflowClient, name: str) -> ModelVersion | None:
    """The version with the alias ``champion``, or None."""
    return _version_with_alias(client, name, "champion")


def _version_with_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code not in NOT_FOUND_CODES:
            raise  # a store that does not answer may well have a champion
        return None


def is_recorded_champion(client: MlflowClient, name: str, version: str) -> bool:
    """Whether ``version`` is champion and the history, without a gap, says so. One whose alias was
    set by hand is not: promoting it adds the entry that records who stands for it."""
    holder, known = champion_of(client, name), read_history(client, name)
    if holder is None or str(holder.version) != version or known.gaps:
        return False
    changes = [one for one in in_effect(known.entries, version) if one.changes_champion]
    return bool(changes) and changes[-1].version == version


@contextmanager
def alias_lock(name: str) -> Iterator[None]:
    """Only one process of this machine at a time changes the aliases of ``name``.

    The lock is released when its process is killed. It does not hold for other machines with the
    same server: their changes are detected afterwards.
    """
    with store_lock(f"{name}.aliases.lock", 600):
        yield


def set_challenger(client: MlflowClient, name: str, version: str) -> None:
    """Make ``version`` challenger, unless a newer version already is."""
    with alias_lock(name):
        holder = _version_with_alias(client, name, "challenger")
        if holder is None or int(holder.version) < int(version):
            client.set_registered_model_alias(name, "challenger", version)


def set_champion(
    client: MlflowClient, name: str, version: str, reason: str, how: str, by: str = "", **facts: str
) -> bool:
    """Make ``version`` champion; the caller holds ``alias_lock``. Returns False, and writes
    nothing, where it already is champion. ``by`` is who decided, where that is not the user of this
    program. Its entry in the history names its files and its dossier, and has further ``facts``.

    Whether it may is ``tasks.registry.approvals``' question, which all others ask.

    Raises UsageError where it does not load, or another machine promoted a version at the same
    time. The entry is written before the alias: if the process is killed in between, the champion
    has not changed.
    """
    refuse_unloadable(name, version)
    if is_recorded_champion(client, name, version):
        return False
    warn_of_gaps(client, name)
    facts = facts_of_entry(client, name, version) | facts
    if not facts["dossier"]:
        log.warning("%s version %s has no dossier, or its run is gone", name, version)
    wrote = append_entry(client, name, version, reason, how, by or current_user(), **facts)
    if wrote:
        client.set_registered_model_alias(name, "champion", version)
    now = champion_of(client, name)
    if not wrote or now is None or str(now.version) != version:
        raise UsageError(f"{name}: another machine promoted at the same time: promote again")
    return True


def facts_of_entry(client: MlflowClient, name: str, version: str) -> dict[str, str]:
    """What an entry in the history says of its version: its files, its dossier, and what speaks
    against it, of which is also warned: a person may promote it all the same."""
    found = client.get_model_version(name, version)
    unmet = "; ".join([*_unmet(found.tags), *_unlike(found, champion_of(client, name))])
    if unmet:
        log.warning("%s version %s: %s", name, version, unmet)
    return {**subject_of(client, found), "unmet": shortened(unmet, MAXIMUM_REASON_LENGTH)}


def _unmet(tags: Mapping[str, str]) -> Iterator[str]:
    """The failed gate and the doubts of a version, in words."""
    if tags.get("gate") == "failed":
        yield f"the gate failed: {tags.get('gate_reason', '')}"
    if (doubts := tags.get("doubts", "none")) != "none":
        yield doubts


def _unlike(version: ModelVersion, champion: ModelVersion | None) -> Iterator[str]:
    """Whether whoever calls the champion gets answers to another question from ``version``."""
    if champion is None or "schema" not in champion.tags:  # of an earlier release
        return
    if version.tags.get("schema") != champion.tags["schema"]:
        number = champion.version
        yield f"its columns, target or classes are not those of champion version {number}"


def warn_of_gaps(client: MlflowClient, name: str) -> None:
    """Warn of each gap in the history; a new entry records the gaps, too."""
    for gap in read_history(client, name).gaps:
        log.warning("the history of %s is broken: %s", name, gap)


def refuse_unloadable(name: str, version: str) -> None:
    """Raises UsageError unless the version loads and scores its own example."""
    model = load_version(name, version)
    with refuse_unreadable_files(name, version):
        if (example := model.input_example) is None:
            raise UsageError(
                f"version {version} of {name} has no input example to try it with: train again "
                f"({command('train', name)}), which logs one, or promote another version"
            )
        model.predict(example)


def history(client: MlflowClient, name: str) -> list[ChampionChange]:
    """All changes of champion, the oldest first."""
    return read_history(client, name).entries


def roll_back(name: str, reason: str) -> tuple[str, str]:
    """Make the previous champion champion again; returns the old and the new version.

    Raises UsageError where there was none, or the history is broken.
    """
    client = connect()
    with alias_lock(name):
        holder = champion_of(client, name)
        if holder is None:
            raise UsageError(f"{name} has no champion to roll back")
        known = read_history(client, name)
        if known.gaps:
            raise UsageError(
                f"the history of {name} is broken, so the previous champion is not certain "
                f"({'; '.join(known.gaps)}): choose a version with {command('promote')}"
            )
        current = str(holder.version)
        before = None  # what the present champion replaced when it was promoted, not rolled back to
        for change in known.entries:
            promoted = change.version == current and change.changes_champion
            if promoted and change.how != "rollback" and change.previous != current:
                before = change.previous
        if before is None:
            raise UsageError(f"{name} version {current} is the first champion: there is no other")
        set_champion(client, name, before, reason, "rollback")
        return current, before


@dataclass(frozen=True)
class RegistryStatus:
    """The champion and challenger of a use case, and the history of its champions.

    ``newest_entry`` is the SHA-256 of the newest entry: kept elsewhere, it proves the history.
    """

    use_case: str
    champion: str | None
    challenger: str | None
    history: list[ChampionChange]
    newest_entry: str
    gaps: list[str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        """A few lines to read, with the newest champion last."""
        lines = [f"{self.use_case}: champion {self.champion or 'none yet'}"]
        lines[0] += f", challenger {self.challenger or 'none yet'}"
        for place, change in enumerate(self.history, 1):
            who = change.whose
            who += f"; requested by {change.requested_by}" if change.requested_by else ""
            who += _until(change, self.history[place:]) if change.until else ""
            who += "" if change.before is not None else "; an older entry, without a hash"
            lines += [
                f"  {change.at[:19]} UTC  version {change.version}{_instead(change)} ({who})",
                f"      {change.reason}",
                *([f"      although {change.unmet}"] if change.unmet else []),
                *(f"      the history was already broken: {gap}" for gap in change.gaps),
            ]
        if in_effect(self.history, self.champion) != self.history:
            lines.append("  the last change was interrupted before it took effect")
        lines += [f"  THE HISTORY IS BROKEN: {gap}" for gap in self.gaps]
        if self.gaps:
            stands = ("--version", self.champion or "N", "--reason", '"..."')
            again = command("promote", self.use_case, *stands)
            lines.append(f"  find out who did that; then this records it: {again}")
        return "\n".join(lines)


def _until(request: ChampionChange, later: Sequence[ChampionChange]) -> str:
    """Until when a request can be, or could have been, answered; or that it lapsed without."""
    for change in later:
        if change.version == request.version:  # answered, or asked again
            break
        if change.changes_champion:
            return f"; lapsed as version {change.version} became champion"
    else:
        if request.seconds_left <= 0:
            return f"; lapsed at {request.until[:16]} UTC"
    return f"; until {request.until[:16]} UTC"


def _instead(change: ChampionChange) -> str:
    """Which champion a version replaced, or that a request or its refusal leaves it as it is."""
    before = f"version {change.previous}" if change.previous else ""
    if change.changes_champion:
        return f" instead of {before}" if before else ""
    return f"; {before} stays champion" if before else "; there is no champion"


def registry_status(name: str) -> RegistryStatus:
    """The status of the registered model ``name``. Raises UsageError where there is none."""
    client = connect()
    registered_versions(client, name)
    holders = [_version_with_alias(client, name, alias) for alias in ("champion", "challenger")]
    champion, challenger = (str(holder.version) if holder else None for holder in holders)
    return RegistryStatus(name, champion, challenger, *read_history(client, name))


def broken_histories(client: MlflowClient) -> list[str]:
    """One line for each gap in the histories of the models that this project registered."""
    lines = []
    for model in all_pages(client.search_registered_models):
        newest = versions(client, model.name)[-1:]
        if any(is_of_project(client, version) for version in newest):
            lines += [f"{model.name}: {gap}" for gap in read_history(client, model.name).gaps]
    return lines
