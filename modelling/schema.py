"""What all declarations have in common, whatever they declare."""

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, lt=1)]
Part = Annotated[float, Field(gt=0, lt=1)]  # of the rows: a part must not be empty
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what NumPy and Keras accept
Problem = Literal["regression", "binary", "multiclass"]
# What a metric, a baseline or a decision may need of a use case, in the words of messages.
Need = Literal[
    "baselines",
    "costs",
    "costs.amount",
    "decision.method alert_budget",
    "derived.method price_history",
    "lags",
    "ordered=True",
    "target_kind log_variance",
]


class Declaration(BaseModel):
    """A frozen declaration that refuses unknown fields.

    ``kinds_of_named_columns`` maps a field that names columns to the kinds that they may have.
    ``renamed_fields`` maps the former name of a field to its present one: both are read.
    """

    # Python reads NaN in JSON, and NaN passes every bound.
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )
    kinds_of_named_columns: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    renamed_fields: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _read_former_names(cls, declared: Any) -> Any:
        if not isinstance(declared, Mapping):
            return declared
        for former in [name for name in cls.renamed_fields if name in declared]:
            # Not a DeprecationWarning: whoever wrote the declaration should see it.
            warnings.warn(
                f"{cls.__name__}: {former} is called {cls.renamed_fields[former]} now",
                FutureWarning,
                stacklevel=3,
            )
        return cls.with_present_names(declared)

    @classmethod
    def with_present_names(cls, declared: Mapping[str, Any]) -> dict[str, Any]:
        """``declared`` with the present names of its fields. Raises ValueError for a field that is
        declared under both names."""
        for former, present in cls.renamed_fields.items():
            if former in declared and present in declared:
                raise ValueError(f"{former} is called {present} now: set one of them, not both")
        return {cls.renamed_fields.get(name, name): value for name, value in declared.items()}


def declarations(of: type[Declaration] = Declaration) -> dict[str, type[Declaration]]:
    """All kinds of declarations by the name of their class, as pydantic's errors call them."""
    found = {of.__name__: of}
    for inner in of.__subclasses__():
        found |= declarations(inner)
    return found
