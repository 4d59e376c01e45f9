"""The search space: dotted names of settings, each with choices or a range.

Only ``network.*`` and ``training.*`` are searched: the table is split and preprocessed once, so
that all trials use the same rows and can be compared.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from modelling.declaration.names import check_dask_address, check_work_pool
from modelling.refusals import UsageError, nearest
from modelling.schema import Declaration

Sampler = Literal["tpe", "grid", "random"]
SAMPLERS = ("tpe", "grid", "random")
NOT_SEARCHED = ("training.seed", "training.devices", "training.checkpoint_every_epochs")


class Choice(Declaration):
    """One of these values."""

    values: Annotated[tuple[Any, ...], Field(min_length=1)]

    @field_validator("values")
    @classmethod
    def _frozen(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Lists as tuples, so that a declaration read from JSON equals the original."""
        return tuple(tuple(value) if isinstance(value, list) else value for value in values)

    def grid_values(self) -> tuple[Any, ...]:
        """The values of a grid."""
        return self.values

    def contains(self, value: Any) -> bool:
        return value in self.values


class Uniform(Declaration):
    """Any number from ``low`` to ``high``; ``log`` draws its logarithm uniformly, ``whole`` draws
    whole numbers."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @model_validator(mode="after")
    def _low_below_high(self) -> "Uniform":
        if not self.low < self.high:
            raise ValueError(f"low {self.low:g} must be lower than high {self.high:g}")
        if self.log and (round(self.low) if self.whole else self.low) <= 0:
            raise ValueError(f"a logarithmic range starts above {'0.5' if self.whole else '0'}")
        return self

    def grid_values(self) -> tuple[Any, ...]:
        """The values of a grid: both ends and the middle (of the logarithms where ``log``)."""
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        number = round if self.whole else float
        return tuple(dict.fromkeys(number(value) for value in (self.low, middle, self.high)))

    def contains(self, value: Any) -> bool:
        return value is not None and self.low <= value <= self.high


def _kind(declared: Any) -> str:
    values = isinstance(declared, Choice) or (isinstance(declared, dict) and "values" in declared)
    return "choice" if values else "uniform"


Dimension = Annotated[
    Annotated[Choice, Tag("choice")] | Annotated[Uniform, Tag("uniform")], Discriminator(_kind)
]
Space = dict[str, Dimension]

# Sensible for tables of a thousand to some million rows (Gorishniy et al. 2021, "Revisiting deep
# learning models for tabular data", search much the same).
DEFAULT_SPACE: Space = {
    "training.learning_rate": Uniform(low=3e-4, high=3e-2, log=True),
    "training.batch_size": Choice(values=(64, 128, 256, 512)),
    "training.weight_decay": Uniform(low=1e-6, high=1e-2, log=True),
    "network.hidden_units": Choice(values=((), (32,), (64, 32), (128, 64), (256, 128))),
    "network.dropout": Uniform(low=0.0, high=0.4),
}


def check_search_space(space: Space, declared: dict[str, BaseModel]) -> None:
    """Raise ValueError unless all names are settings of ``declared`` (``network``, ``training``)
    that take the values. Names the nearest valid name."""
    if not space:
        raise ValueError("search: name at least one setting to search")
    valid = [f"{part}.{name}" for part in declared for name in type(declared[part]).model_fields]
    for dotted, dimension in space.items():
        if dotted not in valid or dotted in NOT_SEARCHED:
            searched = [name for name in valid if name not in NOT_SEARCHED]
            raise ValueError(f"search: '{dotted}' can't be searched{nearest(dotted, searched)}")
        part, _, name = dotted.partition(".")
        for value in dimension.grid_values():
            try:
                type(declared[part]).model_validate({**dict(declared[part]), name: value})
            except ValidationError as error:
                message = error.errors()[0]["msg"]
                raise ValueError(f"search: {dotted}: {message}, not {value!r}") from None


def refuse_search(
    trials: int, workers: int, sampler: str, dask: str | None, pool: str | None
) -> None:
    """Raise UsageError where a search can't run with these settings."""
    if trials < 1:
        raise UsageError(f"--trials {trials}: a search needs at least one trial")
    if workers < 1:
        raise UsageError(f"--workers {workers}: a search needs at least one worker")
    if sampler not in SAMPLERS:
        raise UsageError(f"--sampler {sampler}: unknown{nearest(sampler, SAMPLERS)}")
    if dask is not None:
        check_dask_address(dask)
    if pool is not None:
        check_work_pool(pool)
    if dask and pool:
        raise UsageError(f"--dask {dask} and --pool {pool}: set one of them, not both")
