"""Create or resume runs, and end them as FINISHED, FAILED or KILLED with the reason."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import Signals
from tempfile import TemporaryDirectory
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import load_text
from mlflow.entities import Param, Run
from mlflow.exceptions import MlflowException
from prefect.runtime import deployment, flow_run

from modelling.checkout import command
from modelling.declaration import UseCase, names
from modelling.declaration.overrides import override
from modelling.declaration.references import reference_secrets, refuse_missing_secrets
from modelling.declaration.use_case_files import find_use_case, use_case_names
from modelling.refusals import DataRefused, MachineError, UsageError
from tasks.tracking.descriptions import dated_run_name, describe_experiment, run_name
from tasks.tracking.pages import all_pages
from tasks.tracking.provenance import flat_parameters, provenance
from tasks.tracking.reaping import (
    DECLARED_IN,
    FLOW,
    FLOW_PARAMETERS,
    IN_PYTHON,
    close_dead_runs,
    close_run,
    how_to_resume,
    is_registered,
    outermost_run,
)
from tasks.tracking.record import LEARNING_CURVE_PNG, TrackedRun
from tasks.tracking.store import (
    checkpoint_folder,
    connect,
    connect_with_retries,
    experiment_id,
)
from tasks.workers.processes import has_died

DECLARATION = "declaration.json"
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


def recorded_flow(run_id: str) -> str:
    """The name of the flow of a run. Raises UsageError where there is no such run."""
    return _get_run(connect(), run_id).data.tags.get(FLOW, "train")


def parameters_of(run_id: str, finished: bool = False) -> dict[str, Any]:
    """The flow parameters with which to resume a run, or to repeat a ``finished`` one. Raises
    UsageError where that is not possible."""
    run = _get_run(connect(), run_id)
    if finished and run.info.status != "FINISHED":
        raise UsageError(f"run {run_id} is {run.info.status}: only a finished run can be repeated")
    if finished and run.data.tags.get(FLOW, "train") != "train":
        trained = run.data.tags.get("trained_run", "none")
        raise UsageError(f"run {run_id} is a search: repeat what it trained, run {trained}")
    if not finished and run.info.status == "FINISHED":
        raise UsageError(f"run {run_id} is finished: there is nothing to resume")
    if FLOW_PARAMETERS not in run.data.tags:
        parent = run.data.tags.get("mlflow.parentRunId")
        raise UsageError(
            f"run {run_id} is a part of run {parent}: resume that one"
            if parent
            else f"run {run_id} is not of a flow of this project"
        )
    parameters: dict[str, Any] = json.loads(run.data.tags[FLOW_PARAMETERS])
    wanted = "repeated" if finished else "resumed"
    refuse_missing_secrets(run_id, parameters, wanted)
    _refuse_another_declaration(run, parameters, wanted)
    return parameters


def _refuse_another_declaration(run: Run, parameters: Mapping[str, Any], wanted: str) -> None:
    """Raises UsageError where the run's declaration was given in Python and no file says the same:
    one of the same name would be trained in its place. Where the table is, it need not say: another
    one is noticed."""
    if run.data.tags.get(DECLARED_IN) != IN_PYTHON:
        return
    name, found = parameters["use_case_name"], "no file holds it"
    if name in use_case_names():
        then = _stored_declaration(run, wanted)
        in_file = override(find_use_case(name), parameters.get("overrides") or {})
        now = json.loads(in_file.model_dump_json())
        differing = [field for field in now if now[field] != then.get(field)]
        if not {*differing} - {"source"}:
            return
        found = f"use_cases/{name}.py differs from it in {', '.join(differing)}"
    raise UsageError(
        f"run {run.info.run_id} can't be {wanted}: its declaration was given in Python, and "
        f"{found}: save it as use_cases/{name}.py, or train it again from Python"
    )


def _stored_declaration(run: Run, wanted: str) -> dict[str, Any]:
    """The declaration of a run as it was stored. Raises UsageError where the run was killed before
    that, or while."""
    if DECLARATION in {file.path for file in connect().list_artifacts(run.info.run_id)}:
        with suppress(ValueError):
            stored: dict[str, Any] = json.loads(load_text(f"{run.info.artifact_uri}/{DECLARATION}"))
            return stored
    raise UsageError(
        f"run {run.info.run_id} can't be {wanted}: it was killed before its declaration was "
        "stored: train anew"
    )


def _run_to_resume(client: MlflowClient, experiment: str, resume: str | None) -> Run | None:
    if resume is not None:
        return _get_run(client, resume)
    if (flow_run.run_count or 0) > 1:  # Prefect retries the flow run
        wanted = f"tags.prefect_flow_run = '{flow_run.id}' and attributes.status != 'FINISHED'"
        return next(iter(client.search_runs([experiment], wanted, max_results=1)), None)
    return None


def _get_run(client: MlflowClient, run_id: str) -> Run:
    try:
        return client.get_run(names.check_run_id(run_id))
    except MlflowException:
        raise UsageError(f"there is no run {run_id} in this store") from None


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


def close_interrupted(reason: str) -> None:
    """Close the runs of this process that the interruption left open, as KILLED."""
    for tracked in reversed(list(_open_runs.values())):
        run = tracked.client.get_run(tracked.run_id)
        if run.info.status == "RUNNING":
            close_run(tracked.client, run, reason)


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
        lines = [
            f"- {broken.column}: {broken.rule} ({broken.rows} rows)" for broken in error.broken
        ]
        tracked.log_text("\n".join([reason, "", *lines, ""]), "validation_report.md")
    tracked.client.set_terminated(tracked.run_id, "FINISHED" if registered else "FAILED")


def pictures_of(run_id: str) -> dict[str, bytes]:
    """The PNG files of a run by name without ending, the learning curve first."""
    client = connect()
    _get_run(client, run_id)  # in a notebook, the store may be another one by now
    found = [file.path for file in client.list_artifacts(run_id, "judgement")]
    paths = [LEARNING_CURVE_PNG, *(path for path in found if path.endswith(".png"))]
    with TemporaryDirectory(prefix="finflows-pictures-") as folder:
        return {
            Path(path).stem: Path(client.download_artifacts(run_id, path, folder)).read_bytes()
            for path in paths
        }
