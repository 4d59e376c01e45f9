"""Serve what ``prefect.yaml`` plans, on one box: the server, the schedules and the runs."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from modelling.declaration.use_case_files import find_use_case, use_case_names
from modelling.refusals import UsageError
from modelling.secrets import hide_secrets
from tasks.workers.heartbeats import watch_heartbeats
from tasks.workers.ports import refuse_taken_port
from tasks.workers.server_authentication import AUTH_STRING, stored_auth_string
from tasks.workers.temporary_server import TemporaryServer

ROOT = Path(__file__).resolve().parents[1]
PLAN = ROOT / "prefect.yaml"
KINDS = {str: "text", dict: "list of NAME: VALUE"}
WANTED = ("name", "entrypoint", "schedules", "concurrency_limit")  # of each deployment


def serve_all(workers: int, port: int, file: Path = PLAN) -> None:
    """Run all that is planned when it is due, ``workers`` at a time, until interrupted.

    Uses the Prefect server that is configured, or one of its own on 127.0.0.1.
    """
    plan = planned(file)
    os.chdir(ROOT)  # entrypoints are paths from here
    deployments = [_deployment(entry, file) for entry in plan]
    with prefect_server(port) as url, temporary_settings({PREFECT_API_URL: url}):
        watch_heartbeats()
        # Paused schedules would stay paused after a kill; without this process nothing runs anyway.
        serve(*deployments, limit=workers, pause_on_shutdown=False)


def planned(file: Path) -> list[dict[str, Any]]:
    """The deployments of a ``prefect.yaml``, and the same again for use cases not listed there.

    A use case without an entry gets a copy of the first entry of each flow that trains or searches.
    Raises UsageError for a file that is no such plan, and for an entry whose use case is not
    declared, or that holds a secret.
    """
    entries = _entries(file)
    for entry in entries:
        _refuse_secret(entry)
    for entrypoint in dict.fromkeys(entry["entrypoint"] for entry in entries):
        listed = {
            entry["parameters"]["use_case_name"]: entry
            for entry in entries
            if entry["entrypoint"] == entrypoint and "use_case_name" in entry.get("parameters", {})
        }
        for name in set(listed) - set(use_case_names()):
            find_use_case(name)  # says which name was meant
        if listed:
            old, model = next(iter(listed.items()))
            new = [name for name in use_case_names() if name not in listed]
            entries += [_for_use_case(model, old, name) for name in new]
    return entries


def _refuse_secret(entry: dict[str, Any]) -> None:
    written = json.dumps(entry.get("parameters"), default=str)
    if hide_secrets(written) != written:
        raise UsageError(
            f"prefect.yaml: {entry['name']}: its parameters hold a secret, which Prefect would "
            "store: name a variable of the worker instead, such as $LOANS_PASSWORD"
        )


def _entries(file: Path) -> list[dict[str, Any]]:
    try:
        plan = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"{file} can't be read as a plan: {reason}") from None
    entries = plan.get("deployments") if isinstance(plan, dict) else None
    if not isinstance(entries, list) or not entries:
        raise UsageError(
            f"{file} plans nothing: it needs a list 'deployments', as prefect.yaml has"
        )
    for number, entry in enumerate(entries, start=1):
        given = entry if isinstance(entry, dict) else {}
        if missing := [name for name in WANTED if not given.get(name)]:
            raise UsageError(f"{file}: deployment {number} has no {', '.join(missing)}")
        for name, kind in (("name", str), ("entrypoint", str), ("parameters", dict)):
            if not isinstance(given.get(name, kind()), kind):
                raise UsageError(f"{file}: {name} of deployment {number} is no {KINDS[kind]}")
    return entries


def _for_use_case(model: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {
        **model,
        "name": model["name"].replace(old, new),
        "parameters": {**model["parameters"], "use_case_name": new},
        "tags": [tag.replace(old, new) for tag in model.get("tags", [])],
    }


def _deployment(entry: dict[str, Any], file: Path) -> RunnerDeployment:
    try:
        return RunnerDeployment.from_entrypoint(
            entry["entrypoint"],
            name=entry["name"],
            description=entry.get("description"),
            parameters=entry.get("parameters"),
            tags=entry.get("tags"),
            schedules=[Cron(one["cron"], timezone=one["timezone"]) for one in entry["schedules"]],
            concurrency_limit=ConcurrencyLimitConfig(**entry["concurrency_limit"]),
        )
    except Exception as error:  # whatever Prefect says of an entry, or a flow's file runs into
        reason = str(error).partition("\n")[0]
        raise UsageError(f"{file}: {entry['name']}: {type(error).__name__}: {reason}") from None


@contextmanager
def prefect_server(port: int) -> Iterator[str]:
    """The address of the server that is configured, or of one that lives as long as we do.

    Raises UsageError where the port is taken: who sits there is not known to be ours.
    """
    if configured := PREFECT_API_URL.value():
        yield configured
        return
    url = f"http://127.0.0.1:{port}/api"
    try:
        refuse_taken_port(port)
    except UsageError as error:
        raise UsageError(f"{error}, or export PREFECT_API_URL={url} if it is your server") from None
    file = Path(PREFECT_HOME.value()) / f"schedule-{port}.env"
    server = TemporaryServer(port, stored_auth_string(file, url), with_ui=True)
    try:
        server.wait()
        print(f"Prefect's pages: http://127.0.0.1:{port}; they ask once for the {AUTH_STRING} in")
        print(f"{file}. For `prefect` in another terminal: set -a; . {file}", flush=True)
        yield url
    finally:
        server.stop()
