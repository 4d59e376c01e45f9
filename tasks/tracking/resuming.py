"""What a run keeps to be resumed or repeated: its flow, the parameters, the declaration."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import load_text
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from modelling.data.sources import frames
from modelling.declaration import names
from modelling.declaration.overrides import override
from modelling.declaration.references import refuse_missing_secrets
from modelling.declaration.use_case_files import find_use_case, use_case_names
from modelling.refusals import UsageError
from tasks.tracking.store import connect

# Tags of a run: its flow, the flow's parameters, and whether no file holds its declaration.
FLOW, FLOW_PARAMETERS = "flow", "flow_parameters"
DECLARED_IN, IN_PYTHON = "declared_in", "Python"
TRAINED_RUN = "trained_run"  # a tag of searches: the run of the settings that they found
DECLARATION = "declaration.json"


def get_run(client: MlflowClient, run_id: str) -> Run:
    """Raises UsageError where there is no such run."""
    try:
        return client.get_run(names.check_run_id(run_id))
    except MlflowException:
        raise UsageError(f"there is no run {run_id} in this store") from None


def recorded_flow(run_id: str) -> str:
    """The name of the flow of a run. Raises UsageError where there is no such run."""
    return get_run(connect(), run_id).data.tags.get(FLOW, "train")


def parameters_of(run_id: str, finished: bool = False) -> dict[str, Any]:
    """The flow parameters with which to resume a run, or to repeat a ``finished`` one. Raises
    UsageError where that is not possible."""
    run = get_run(connect(), run_id)
    if finished and run.info.status != "FINISHED":
        raise UsageError(f"run {run_id} is {run.info.status}: only a finished run can be repeated")
    if finished and run.data.tags.get(FLOW, "train") != "train":
        trained = run.data.tags.get(TRAINED_RUN, "none")
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


def outermost_run(client: MlflowClient, run: Run) -> Run:
    """The run that can be resumed: of a nested run the one around it."""
    parent = run.data.tags.get("mlflow.parentRunId")
    return client.get_run(parent) if parent else run


def how_to_resume(run: Run, resume: str) -> str:
    """``resume``, the command that goes on with a run, with what has to be done before: a process
    of its own finds neither a declaration nor a frame that was given in Python."""
    parameters = json.loads(run.data.tags.get(FLOW_PARAMETERS) or "{}")
    if str((parameters.get("overrides") or {}).get("source.uri", "")).startswith(frames.SCHEME):
        return "its table was a frame: train it again from Python"
    if run.data.tags.get(DECLARED_IN) == IN_PYTHON:
        name = parameters["use_case_name"]
        return f"save its declaration as use_cases/{name}.py, then {resume}"
    return resume
