"""Create or resume runs, and end them as FINISHED, FAILED or KILLED with the reason."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from signal import Signals
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Param, Run
from mlflow.entities.model_registry import ModelVersion
from prefect.runtime import deployment, flow_run

from modelling.checkout import command
from modelling.declaration import UseCase
from modelling.declaration.references import reference_secrets
from modelling.refusals import DataRefused, MachineError, UsageError
from tasks.tracking.addresses import checkpoint_folder
from tasks.tracking.descriptions import dated_run_name, describe_experiment, run_name
from tasks.tracking.pages import all_pages, all_versions
from tasks.tracking.provenance import flat_parameters, provenance
from tasks.tracking.reaping import close_dead_runs, close_run, is_registered
from tasks.tracking.record import TrackedRun
from tasks.tracking.resuming import (
    DECLARATION,
    DECLARED_IN,
    FLOW,
    FLOW_PARAMETERS,
    IN_PYTHON,
    get_run,
    how_to_resume,
    outermost_run,
)
from tasks.tracking.store import connect, connect_with_retries, experiment_id
from tasks.workers.processes import has_died

_open_runs: dict[str, TrackedRun] = {}  # outermost first; interrupted runs stay in it


@contextmanager
def tracked_run(
    use_case: UseCase,
    parameters: Mapping[str, Any],
    resume: str | None = None,
    in_file: bool = True,
) -> Iterator[TrackedRun]:
    """The run of a training: a new one, the killed run ``resume``, or that of a retried flow run.
    ``in_file`` says whether the declaration can be found by its name.

    It ends as FINISHED, FAILED (an error) or KILLED (interrupted), with the reason as a tag.
    """
    client = connect_with_retries() if deployment.id else connect()
    experiment = experiment_id(client, use_case.name, describe_experiment(use_case))
    close_dead_runs(client, [experiment])
    tags = {**provenance(use_case), **_flow_run_tags()}
    tags |= {} if in_file else {DECLARED_IN: IN_PYTHON}
    tags[FLOW] = flow_run.flow_name or "train"
    tags["mlflow.source.name"] = f"flows/{tags[FLOW]}.py"
    run = _run_to_resume(client, experiment, resume)
    if run is None:
        tags[FLOW_PARAMETERS] = json.dumps(reference_secrets(parameters))
        subject = use_case.name if tags[FLOW] == "train" else f"{use_case.name} {tags[FLOW]}"
        name = dated_run_name(subject, parameters.get("overrides") or {})
        run = client.create_run(experiment, tags=tags, run_name=name)
        _log_declaration(client, run.info.run_id, use_case)
        resumed = False
    else:
        _reopen(client, run, tags)
        resumed = True
    info = run.info
    tracked = TrackedRun(client, info.run_id, experiment, info.artifact_uri, resumed)
    with _closing(tracked):
        yield tracked


def _flow_run_tags() -> dict[str, str]:
    """Tags with the flow run, and with its deployment if there is one."""
    by = f"{flow_run.flow_name}/{deployment.name}" if deployment.id else "none"
    return {"prefect_flow_run": flow_run.id or "none", "prefect_deployment": by}


@contextmanager
def nested_run(
    parent: TrackedRun,
    kind: str,
    name: str,
    use_case: UseCase,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[TrackedRun]:
    """A nested run, resumed with its parent: an ``attempt`` of a training with remedies, a
    ``baseline``, or a ``trial`` of a search. ``kind`` is a tag with ``name`` as its value; a retry
    with the same pair continues the same run. ``settings`` are what it changes, for its name."""
    client, experiment = parent.client, parent.experiment_id
    tags = {**provenance(use_case), kind: name, "mlflow.parentRunId": parent.run_id}
    wanted = f"tags.`mlflow.parentRunId` = '{parent.run_id}' and tags.{kind} = '{name}'"
    found = client.search_runs([experiment], wanted, max_results=1)
    if found:
        run = found[0]
        _reopen(client, run, tags)
    else:
        run = client.create_run(
            experiment, tags=tags, run_name=run_name(f"{kind} {name}", settings or {})
        )
    if kind != "baseline" and not run.data.params:  # also if it was killed before they were logged
        _log_declaration(client, run.info.run_id, use_case)
    info = run.info
    tracked = TrackedRun(client, info.run_id, experiment, info.artifact_uri, bool(found))
    with _closing(tracked, keep_checkpoints=True):
        yield tracked


@contextmanager
def _closing(tracked: TrackedRun, keep_checkpoints: bool = False) -> Iterator[None]:
    _open_runs[tracked.run_id] = tracked
    try:
        yield
        tracked.flush()
    except BaseException as error:
        _close(tracked, error)
        if isinstance(error, Exception):
            _open_runs.pop(tracked.run_id, None)
        raise
    _open_runs.pop(tracked.run_id, None)
    tracked.client.set_terminated(tracked.run_id, "FINISHED")
    if not keep_checkpoints:
        children = f"tags.`mlflow.parentRunId` = '{tracked.run_id}'"
        for run in all_pages(tracked.client.search_runs, [tracked.experiment_id], children):
            shutil.rmtree(checkpoint_folder(run.info.run_id), ignore_errors=True)
        shutil.rmtree(tracked.checkpoint_folder, ignore_errors=True)


def _log_declaration(client: MlflowClient, run_id: str, use_case: UseCase) -> None:
    parameters = flat_parameters(use_case)
    client.log_batch(run_id, params=[Param(name, value) for name, value in parameters.items()])
    client.log_text(run_id, use_case.model_dump_json(indent=2), DECLARATION)


def _run_to_resume(client: MlflowClient, experiment: str, resume: str | None) -> Run | None:
    if resume is not None:
        return get_run(client, resume)
    if (flow_run.run_count or 0) > 1:  # Prefect retries the flow run
        wanted = f"tags.prefect_flow_run = '{flow_run.id}' and attributes.status != 'FINISHED'"
        return next(iter(client.search_runs([experiment], wanted, max_results=1)), None)
    return None


def _reopen(client: MlflowClient, run: Run, tags: Mapping[str, str]) -> None:
    owner = run.data.tags.get("process", "")
    if run.info.status == "RUNNING" and has_died(owner) is False:
        raise UsageError(f"run {run.info.run_id} is still running, in process {owner.split()[1]}")
    for name, value in tags.items():
        client.set_tag(run.info.run_id, name, value)
    client.update_run(run.info.run_id, status="RUNNING")
    for name in ("failure", "mlflow.note.content"):
        if name in run.data.tags:
            client.delete_tag(run.info.run_id, name)


def interrupted_run() -> str | None:
    """The outermost run of this process that is open or was interrupted: the one to resume."""
    return next(iter(_open_runs), None)


def close_interrupted(reason: str) -> str | None:
    """Close the runs of this process that the interruption left open, as KILLED. What to do where
    the outermost one has registered its model, after which there is nothing to resume; else None.
    """
    for tracked in reversed(list(_open_runs.values())):
        run = tracked.client.get_run(tracked.run_id)
        if run.info.status == "RUNNING":
            close_run(tracked.client, run, reason)
    outermost = next(iter(_open_runs.values()))
    versions = all_versions(outermost.client, f"run_id = '{outermost.run_id}'")
    return next(map(_said_of_registered, versions), None)


def _said_of_registered(version: ModelVersion) -> str:
    name, number = version.name, str(version.version)
    if "promotion" in version.tags:
        return f"version {number} of {name} is registered: {command('champion', name)}"
    promote = command("promote", name, "--version", number)
    return f"version {number} of {name} is registered, but not compared: {promote} --reason ..."


def _close(tracked: TrackedRun, error: BaseException) -> None:
    tracked.flush()
    if not isinstance(error, Exception):
        number = getattr(error, "signal", None)  # set by what Prefect or the command line raises
        by = f" by {Signals(number).name}" if number else ""
        close_run(tracked.client, tracked.client.get_run(tracked.run_id), f"interrupted{by}")
        return
    reason = str(error).partition("\n")[0] or type(error).__name__
    if not isinstance(error, DataRefused | UsageError | MachineError):
        # The message of an unexpected error may quote cells; its type does not.
        reason = type(error).__name__
    registered = is_registered(tracked.client, tracked.run_id)
    description = f"Failed: {reason}"
    if not registered and not isinstance(error, DataRefused | UsageError):
        run = outermost_run(tracked.client, tracked.client.get_run(tracked.run_id))
        continues = "continues from the last checkpoint"
        note = how_to_resume(run, f"{command('resume', run.info.run_id)} {continues}")
        if note not in getattr(error, "__notes__", ()):  # of the run within this one
            error.add_note(note)
        said = how_to_resume(run, f"`finflows resume {run.info.run_id}` {continues}")
        description += f"\n\n{said}"
    tracked.log_tags({"failure": reason, "mlflow.note.content": description})
    if isinstance(error, DataRefused) and error.broken:
        lines = [f"- {broken}" for broken in error.broken]
        tracked.log_text("\n".join([reason, "", *lines, ""]), "validation_report.md")
    tracked.client.set_terminated(tracked.run_id, "FINISHED" if registered else "FAILED")
