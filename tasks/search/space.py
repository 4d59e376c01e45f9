"""The declared search space in Optuna's words; choices are JSON text, for its database."""

import json
import math
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from modelling.declaration import UseCase
from modelling.declaration.search_space import Choice, Dimension, Sampler


def distributions(use_case: UseCase) -> dict[str, BaseDistribution]:
    """The declared space as Optuna's distributions."""
    return {name: _distribution(dimension) for name, dimension in use_case.search.items()}


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution([json.dumps(value) for value in dimension.values])
    low, high, log = dimension.low, dimension.high, dimension.log
    if dimension.whole:
        return IntDistribution(round(low), round(high), log=log)
    return FloatDistribution(low, high, log=log)


def grid(use_case: UseCase) -> dict[str, list[Any]]:
    """Every choice, and both ends and the middle of every range."""

    def values(dimension: Dimension) -> list[Any]:
        is_choice = isinstance(dimension, Choice)
        return [json.dumps(value) if is_choice else value for value in dimension.grid_values()]

    return {name: values(dimension) for name, dimension in use_case.search.items()}


def size_of(use_case: UseCase, sampler: Sampler) -> float:
    """How many different settings a sampler can propose; infinite where a range has numbers that
    are not whole."""
    if sampler == "grid":
        return math.prod(map(len, grid(use_case).values()))
    return math.prod(map(_size, distributions(use_case).values()))


def _size(distribution: BaseDistribution) -> float:
    if isinstance(distribution, CategoricalDistribution):
        return len(set(distribution.choices))
    if isinstance(distribution, IntDistribution):
        return distribution.high - distribution.low + 1
    return math.inf


def declared_settings(use_case: UseCase) -> dict[str, Any]:
    """The declared settings that the space contains, as Optuna's parameters."""
    settings: dict[str, Any] = {}
    for name, dimension in use_case.search.items():
        part, _, setting = name.partition(".")
        value = getattr(getattr(use_case, part), setting)
        if dimension.contains(value):
            settings[name] = _chosen(dimension, value) if isinstance(dimension, Choice) else value
    return settings


def _chosen(dimension: Choice, value: Any) -> str:
    """A value as its dimension writes it: 0.0 may be declared, and 0 be one of the choices."""
    return json.dumps(dimension.values[dimension.values.index(value)])
