"""The parameters of a flow as Prefect stores them, for everybody who may open its pages."""

from typing import Any, ParamSpec, TypeVar

from prefect import Flow

from modelling.declaration.references import reference_secrets

P = ParamSpec("P")
R = TypeVar("R")


def without_secrets(flow: Flow[P, R]) -> Flow[P, R]:
    """``flow``, for which Prefect stores references instead of secrets.

    The flow itself gets its parameters unchanged.
    """
    serialized = flow.serialize_parameters

    def serialize(parameters: dict[str, Any]) -> dict[str, Any]:
        stored: dict[str, Any] = reference_secrets(serialized(parameters))
        return stored

    flow.serialize_parameters = serialize  # type: ignore[method-assign]
    return flow
