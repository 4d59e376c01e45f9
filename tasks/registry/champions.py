"""The aliases ``champion`` and ``challenger``: who holds them, since when and why.

The alias is the truth about now; each crowning leaves an entry in the history.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from modelling.refusals import UsageError
from tasks.registry.model_files import experiment_of_ours, load_version, read_or_refused
from tasks.registry.promotion_history import ChampionChange, append_entry, read_history, versions
from tasks.tracking.identity import person
from tasks.tracking.pages import all_pages
from tasks.tracking.store import connect, local_folder

log = logging.getLogger("finflows")
# What MLflow says where the model, or the alias, does not exist.
NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def champion_of(client: MlflowClient, name: str) -> ModelVersion | None:
    """The version that holds the alias, None where none does."""
    return _holder(client, name, "champion")


def _holder(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code not in NOT_THERE:
            raise  # a store that does not answer now is no registry without a champion
        return None


@contextmanager
def alias_lock(name: str) -> Iterator[None]:
    """One process of this machine at a time moves the aliases of ``name``; a killed one lets go.

    Machines that share a server are not kept apart: what they do is checked again afterwards.
    """
    folder = local_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{name}.aliases.lock", timeout=600):
        yield


def set_challenger(client: MlflowClient, name: str, version: str) -> None:
    """The newest version is the challenger, in whatever order two flows come here."""
    with alias_lock(name):
        holder = _holder(client, name, "challenger")
        if holder is None or int(holder.version) < int(version):
            client.set_registered_model_alias(name, "challenger", version)


def set_champion(client: MlflowClient, name: str, version: str, reason: str, how: str) -> bool:
    """Make ``version`` champion; the caller holds ``alias_lock``. False where it already is one:
    then nothing is written.

    Raises UsageError where it does not load, or another machine crowned another one meanwhile.
    The entry is written before the alias: killed between the two, the champion is who it was.
    """
    refuse_unloadable(name, version)
    holder = champion_of(client, name)
    if holder is not None and str(holder.version) == version:
        return False
    warn_of_gaps(client, name)
    wrote = append_entry(client, name, version, reason[:2000], how, person())
    if wrote:
        client.set_registered_model_alias(name, "champion", version)
    now = champion_of(client, name)
    if not wrote or now is None or str(now.version) != version:
        raise UsageError(f"{name}: another machine promoted at the same moment; promote again")
    return True


def warn_of_gaps(client: MlflowClient, name: str) -> None:
    """Whoever adds to a history is told each time what is wrong with it; the entry keeps it."""
    for gap in read_history(client, name).gaps:
        log.warning("the history of %s is broken: %s", name, gap)


def refuse_unloadable(name: str, version: str) -> None:
    """Raises UsageError unless the version loads and answers its own example."""
    model = load_version(name, version)
    with read_or_refused(name, version):
        model.predict(model.input_example)


def history(client: MlflowClient, name: str) -> list[ChampionChange]:
    """All crownings, the oldest first."""
    return read_history(client, name).entries


def promote_by_hand(name: str, version: str, reason: str) -> bool:
    """Crown a version because a person says so; False where it is champion already. Raises
    UsageError where it does not exist."""
    client = connect()
    known = [str(one.version) for one in versions(client, name)]
    if version not in known:
        listed = f"versions: {', '.join(known)}" if known else "nothing is registered yet"
        raise UsageError(f"{name} has no version {version}; {listed}")
    with alias_lock(name):
        return set_champion(client, name, version, reason, "by hand")


def roll_back(name: str, reason: str) -> tuple[str, str]:
    """Crown the champion before the present one: (the old, the new) version.

    Raises UsageError where there was none, or the history can't tell.
    """
    client = connect()
    with alias_lock(name):
        holder = champion_of(client, name)
        if holder is None:
            raise UsageError(f"{name} has no champion to roll back")
        known = read_history(client, name)
        if known.gaps:
            raise UsageError(
                f"the history of {name} is broken, so it can't tell who was champion before "
                f"({'; '.join(known.gaps)}): name the version yourself with finflows promote"
            )
        current = str(holder.version)
        before = None  # a rollback is no rise: what counts is how the present one first rose
        for one in known.entries:
            if one.version == current and one.how != "rollback" and one.previous != current:
                before = one.previous
        if before is None:
            raise UsageError(f"{name} version {current} is the first champion: nothing before it")
        set_champion(client, name, before, reason, "rollback")
        return current, before


@dataclass(frozen=True)
class RegistryStatus:
    """Who is champion and challenger of a use case, and how that came."""

    use_case: str
    champion: str | None
    challenger: str | None
    history: list[ChampionChange]
    newest_entry: str  # its SHA-256: who keeps it elsewhere knows the history again
    gaps: list[str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        """A few lines to read; the newest crowning last."""
        lines = [f"{self.use_case}: champion {self.champion or 'none yet'}"]
        lines[0] += f", challenger {self.challenger or 'none yet'}"
        for one in self.history:
            instead = f" instead of version {one.previous}" if one.previous else ""
            who = f"{one.how}, {one.by}"
            who += "" if one.before is not None else "; from before entries were linked"
            lines += [
                f"  {one.at[:19]} UTC  version {one.version}{instead} ({who})",
                f"      {one.reason}",
                *(f"      the history was broken already: {gap}" for gap in one.gaps),
            ]
        if self.history and self.history[-1].previous == self.champion:
            lines.append("  the last of these was interrupted before it took effect")
        lines += [f"  THE HISTORY IS BROKEN: {gap}" for gap in self.gaps]
        return "\n".join(lines)


def registry_status(name: str) -> RegistryStatus:
    """Raises UsageError where nothing is registered under ``name``."""
    client = connect()
    if not versions(client, name):
        raise UsageError(f"nothing is registered as '{name}': finflows train {name}")
    holders = [_holder(client, name, alias) for alias in ("champion", "challenger")]
    champion, challenger = (str(one.version) if one else None for one in holders)
    return RegistryStatus(name, champion, challenger, *read_history(client, name))


def broken_histories(client: MlflowClient) -> list[str]:
    """One line for each gap in the histories of the models that this project registered."""
    names = [model.name for model in all_pages(client.search_registered_models)]
    ours = [
        name
        for name in names
        if any(experiment_of_ours(client, one.run_id) for one in versions(client, name)[-1:])
    ]
    return [f"{name}: {gap}" for name in ours for gap in read_history(client, name).gaps]
