"""The aliases ``champion`` and ``challenger``: who holds them, since when and why.

The alias is the truth about now; each crowning leaves a tag on its version, which is the history.
"""

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from modelling.refusals import UsageError
from tasks.tracking.model_files import load_version, read_or_refused
from tasks.tracking.store import connect, local_folder

CROWNED = "champion_at."  # and then the time: one tag for each time that a version was crowned


@dataclass(frozen=True)
class Crowning:
    """A version became champion: when (UTC), instead of which one, why, by whom and how."""

    version: str
    at: str
    previous: str | None
    reason: str
    how: str  # compared, by hand, or rollback
    by: str


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


def crown(client: MlflowClient, name: str, version: str, reason: str, how: str) -> bool:
    """Make ``version`` champion; the caller holds ``alias_lock``. False where it already is one:
    then nothing is written.

    Raises UsageError where it does not load, or another machine crowned another one meanwhile.
    The tag is written before the alias: killed between the two, the champion is who it was.
    """
    refuse_unloadable(name, version)
    holder = champion_of(client, name)
    previous = str(holder.version) if holder else None
    if previous == version:
        return False
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    crowning = Crowning(version, at, previous, reason[:2000], how, _person())
    client.set_model_version_tag(name, version, CROWNED + at, json.dumps(asdict(crowning)))
    client.set_registered_model_alias(name, "champion", version)
    now = champion_of(client, name)
    if now is None or str(now.version) != version:
        raise UsageError(f"{name}: another machine promoted at the same moment; promote again")
    return True


def _person() -> str:
    """Whose decision it is; a container's user may have a number and no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def refuse_unloadable(name: str, version: str) -> None:
    """Raises UsageError unless the version loads and answers its own example."""
    model = load_version(name, version)
    with read_or_refused(name, version):
        model.predict(model.input_example)


def history(client: MlflowClient, name: str) -> list[Crowning]:
    """All crownings, the oldest first."""
    tags = [tag for one in versions(client, name) for tag in one.tags.items()]
    crownings = [Crowning(**json.loads(value)) for key, value in tags if key.startswith(CROWNED)]
    return sorted(crownings, key=lambda one: one.at)


def versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    """All registered versions of ``name``, the oldest first."""
    found = client.search_model_versions(f"name = '{name}'", max_results=1000)
    return sorted(found, key=lambda one: int(one.version))


def promote_by_hand(name: str, version: str, reason: str) -> bool:
    """Crown a version because a person says so; False where it is champion already. Raises
    UsageError where it does not exist."""
    client = connect()
    known = [str(one.version) for one in versions(client, name)]
    if version not in known:
        listed = f"versions: {', '.join(known)}" if known else "nothing is registered yet"
        raise UsageError(f"{name} has no version {version}; {listed}")
    with alias_lock(name):
        return crown(client, name, version, reason, "by hand")


def roll_back(name: str, reason: str) -> tuple[str, str]:
    """Crown the champion before the present one: (the old, the new) version.

    Raises UsageError where there was none.
    """
    client = connect()
    with alias_lock(name):
        holder = champion_of(client, name)
        if holder is None:
            raise UsageError(f"{name} has no champion to roll back")
        current = str(holder.version)
        before = None  # a rollback is no rise: what counts is how the present one first rose
        for one in history(client, name):
            if one.version == current and one.how != "rollback" and one.previous != current:
                before = one.previous
        if before is None:
            raise UsageError(f"{name} version {current} is the first champion: nothing before it")
        crown(client, name, before, reason, "rollback")
        return current, before


@dataclass(frozen=True)
class Standing:
    """Who is champion and challenger of a use case, and how that came."""

    use_case: str
    champion: str | None
    challenger: str | None
    history: list[Crowning]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        """A few lines to read; the newest crowning last."""
        lines = [f"{self.use_case}: champion {self.champion or 'none yet'}"]
        lines[0] += f", challenger {self.challenger or 'none yet'}"
        for one in self.history:
            instead = f" instead of version {one.previous}" if one.previous else ""
            lines += [
                f"  {one.at[:19]} UTC  version {one.version}{instead} ({one.how}, {one.by})",
                f"      {one.reason}",
            ]
        if self.history and self.history[-1].version != self.champion:
            lines.append("  the last of these was interrupted before it took effect")
        return "\n".join(lines)


def standing(name: str) -> Standing:
    """Raises UsageError where nothing is registered under ``name``."""
    client = connect()
    if not versions(client, name):
        raise UsageError(f"nothing is registered as '{name}': finflows train {name}")
    holders = [_holder(client, name, alias) for alias in ("champion", "challenger")]
    champion, challenger = (str(one.version) if one else None for one in holders)
    return Standing(name, champion, challenger, history(client, name))
