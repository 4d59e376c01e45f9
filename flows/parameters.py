"""The parameters of flows as Prefect's forms show them, and the names of flow runs."""

from datetime import UTC, datetime
from typing import Annotated, Any

from prefect.runtime import flow_run
from pydantic import Field

from modelling.declaration.use_case_files import use_case_names


def described(text: str, ge: int | None = None, **schema: Any) -> Any:
    """A field of a form, at least ``ge``. Prefect takes no description from pydantic's argument,
    but from the schema it does."""
    return Field(ge=ge, json_schema_extra={"description": text, **schema})


# Those that are declared when a deployment is made are the choices of its form.
UseCaseName = Annotated[str, described("A declared use case.", enum=[*use_case_names()])]
Overrides = Annotated[
    dict[str, Any] | None,
    described(
        "Settings of the declaration that are changed for this run, by dotted name: "
        '{"training.epochs": 5}.'
    ),
]
Resume = Annotated[
    str | None, described("The id of an interrupted MLflow run with which to go on.")
]
ModelVersion = Annotated[str | None, described("A version of the model; by default the champion.")]
SourceFields = Annotated[
    dict[str, Any] | None,
    described('Further fields of Source, such as {"delimiter": ";"}.'),
]


def dated_name() -> str:
    """The use case, or the flow where it has none, and when the run was due."""
    subject = flow_run.parameters.get("use_case_name") or flow_run.flow_name
    due = flow_run.scheduled_start_time or datetime.now(UTC)
    return f"{subject} {due.astimezone():%Y-%m-%d %H:%M}"
