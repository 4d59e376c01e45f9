"""What all declarations have in common, whatever they declare."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, lt=1)]
Part = Annotated[float, Field(gt=0, lt=1)]  # of the rows: a part without any judges nothing
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what NumPy and Keras take
Problem = Literal["regression", "binary", "multiclass"]
# What a metric, a baseline or a decision may need of a use case, in the words of messages.
Need = Literal[
    "baselines",
    "costs",
    "costs.amount",
    "decision.method alert_budget",
    "derived.method price_history",
    "ordered=True",
    "target_kind log_variance",
]


class Declaration(BaseModel):
    """A frozen declaration that refuses fields it does not know.

    ``kinds_of_named_columns``: which fields name columns, and the kinds that those may be of.
    """

    # JSON as Python reads it knows NaN, which is neither above nor below any bound.
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )
    kinds_of_named_columns: ClassVar[Mapping[str, tuple[str, ...]]] = {}
