"""The parameters of flows as Prefect's forms show them, and the names of flow runs."""

from datetime import UTC, datetime
from typing import Annotated, Any

from prefect.runtime import flow_run
from pydantic import Field

from modelling.declaration.use_case_files import use_case_names

# Those that are declared when a deployment is made are the choices of its form.
UseCaseName = Annotated[
    str, Field(description="A declared use case.", json_schema_extra={"enum": [*use_case_names()]})
]
Overrides = Annotated[
    dict[str, Any] | None,
    Field(
        description="Settings of the declaration that are changed for this run, by dotted name: "
        '{"training.epochs": 5}.'
    ),
]
Resume = Annotated[
    str | None, Field(description="The id of an interrupted MLflow run with which to go on.")
]


def dated_name() -> str:
    """The use case, or the flow where it has none, and when the run was due."""
    subject = flow_run.parameters.get("use_case_name") or flow_run.flow_name
    due = flow_run.scheduled_start_time or datetime.now(UTC)
    return f"{subject} {due.astimezone():%Y-%m-%d %H:%M}"
