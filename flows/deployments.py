"""Run the schedule in ``prefect.yaml`` on one machine: the server, the schedules and the runs."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import yaml
from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from modelling.checkout import CODE
from modelling.declaration.use_case_files import find_use_case, use_case_names
from modelling.refusals import UsageError
from modelling.secrets import hide_secrets
from tasks.workers.heartbeats import watch_heartbeats
from tasks.workers.ports import refuse_taken_port
from tasks.workers.server_authentication import (
    AUTH_STRING,
    stored_auth_string,
    use_auth_string,
)
from tasks.workers.temporary_server import TemporaryServer

PLAN = CODE / "prefect.yaml"
TYPE_NAMES = {str: "text", list: "list", dict: "list of NAME: VALUE"}
REQUIRED_FIELDS = ("name", "entrypoint", "schedules", "concurrency_limit")  # of each deployment


def serve_schedule(workers: int, port: int, file: Path = PLAN) -> None:
    """Run scheduled flows when they are due, ``workers`` at a time, until interrupted.

    Uses the configured Prefect server, or one of its own on 127.0.0.1.
    """
    plan = planned_deployments(file)
    os.chdir(CODE)  # entrypoints are relative paths
    deployments = [deployment_of(entry, file) for entry in plan]
    with prefect_server(port) as url, temporary_settings({PREFECT_API_URL: url}):
        watch_heartbeats()
        # Paused schedules would stay paused; without this process nothing runs anyway.
        serve(*deployments, limit=workers, pause_on_shutdown=False)


def planned_deployments(file: Path) -> list[dict[str, Any]]:
    """The deployments of a ``prefect.yaml``, and additional ones for use cases that it does not
    list: copies of the first entry of each flow that trains or searches.

    Raises UsageError for a file of another form, and for an entry whose use case is not declared,
    or that contains a secret.
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
            find_use_case(name)  # raises, with the nearest name
        if listed:
            old, template = next(iter(listed.items()))
            new = [name for name in use_case_names() if name not in listed]
            entries += [_for_use_case(template, old, name) for name in new]
    return entries


def _refuse_secret(entry: dict[str, Any]) -> None:
    stored = json.dumps(entry.get("parameters"), default=str)
    if hide_secrets(stored) != stored:
        raise UsageError(
            f"prefect.yaml: {entry['name']}: its parameters contain a secret, which Prefect would "
            "store: use a variable of the worker instead, such as $LOANS_PASSWORD"
        )


def _entries(file: Path) -> list[dict[str, Any]]:
    if not file.exists():  # an installed wheel has none
        raise UsageError(f"there is no schedule {file}: start in a checkout, or say --file FILE")
    try:
        plan = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"{file} can't be read as YAML: {reason}") from None
    entries = plan.get("deployments") if isinstance(plan, dict) else None
    if not isinstance(entries, list) or not entries:
        raise UsageError(
            f"{file} has no deployments: it needs a list 'deployments', as in prefect.yaml"
        )
    for number, entry in enumerate(entries, start=1):
        _refuse_form(entry if isinstance(entry, dict) else {}, f"deployment {number}", file)
    return entries


def _refuse_form(fields: dict[str, Any], which: str, file: Path) -> None:
    """A key whose value was forgotten is refused: a training without its schedule would never run,
    and nobody would be told. One that runs only when asked says so."""
    when_asked = fields.get("schedules") == []
    may_be_empty = {"schedules", "concurrency_limit"} if when_asked else set()
    missing = [
        name
        for name in REQUIRED_FIELDS
        if name not in fields or not (fields[name] or name in may_be_empty)
    ]
    if missing:
        hint = " (one that runs only when asked says schedules: [])" * ("schedules" in missing)
        raise UsageError(f"{file}: {which} has no {', '.join(missing)}{hint}")
    kinds = {"name": str, "entrypoint": str, "parameters": dict, "schedules": list, "tags": list}
    if fields["concurrency_limit"] is not None:
        kinds["concurrency_limit"] = dict
    for name, kind in kinds.items():
        if not isinstance(fields.get(name, kind()), kind):
            raise UsageError(f"{file}: {name} of {which} is no {TYPE_NAMES[kind]}")
    for schedule in fields["schedules"]:
        if not isinstance(schedule, dict) or not {"cron", "timezone"} <= schedule.keys():
            raise UsageError(f"{file}: a schedule of {which} has no cron or no timezone")
        if (zone := str(schedule["timezone"])) not in available_timezones():
            raise UsageError(
                f"{file}: no time zone is called {zone!r} ({which}): write one as in Europe/Berlin"
            )


def _for_use_case(template: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {
        **template,
        "name": template["name"].replace(old, new),
        "parameters": {**template["parameters"], "use_case_name": new},
        "tags": [tag.replace(old, new) for tag in template.get("tags", [])],
    }


def deployment_of(entry: dict[str, Any], file: Path) -> RunnerDeployment:
    """A planned deployment for Prefect. Raises UsageError where it does not take it."""
    limit = entry["concurrency_limit"]
    try:
        return RunnerDeployment.from_entrypoint(
            entry["entrypoint"],
            name=entry["name"],
            description=entry.get("description"),
            parameters=entry.get("parameters"),
            tags=entry.get("tags"),
            schedules=[Cron(s["cron"], timezone=s["timezone"]) for s in entry["schedules"]],
            concurrency_limit=limit and ConcurrencyLimitConfig(**limit),
        )
    except Exception as error:  # Prefect or a flow's file may raise anything
        reason = str(error).partition("\n")[0]
        raise UsageError(f"{file}: {entry['name']}: {type(error).__name__}: {reason}") from None


@contextmanager
def prefect_server(port: int) -> Iterator[str]:
    """The address of the configured server, or of one that runs during the block.

    Raises UsageError where the port is taken: the program that uses it may be another one.
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
        use_auth_string(server.auth_string)
        print(f"Prefect's pages: http://127.0.0.1:{port}; they ask once for the {AUTH_STRING} in")
        print(f"{file}. For `prefect` in another terminal: set -a; . {file}", flush=True)
        yield url
    finally:
        server.stop()
