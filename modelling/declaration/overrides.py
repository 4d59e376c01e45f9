"""Change a declaration for one run by dotted name: ``training.epochs=5``."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from modelling.declaration.declared_data import SimulatedTransactions, Source
from modelling.declaration.use_case import UseCase
from modelling.refusals import UsageError, nearest


def parse_overrides(assignments: Iterable[str]) -> dict[str, Any]:
    """``["a.b=5", "c=[1,2]"]`` -> ``{"a.b": 5, "c": [1, 2]}``. Values are JSON, else text."""
    overrides = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {assignment}: write it as NAME=VALUE, as in training.epochs=5")
        try:
            overrides[name.strip()] = json.loads(text)
        except json.JSONDecodeError:
            overrides[name.strip()] = {"True": True, "False": False, "None": None}.get(text, text)
        except (ValueError, RecursionError):  # an integer of thousands of digits; lists in lists
            raise UsageError(f"--set {name}: the value is too long or too deep") from None
    return overrides


def override(use_case: UseCase, overrides: Mapping[str, Any]) -> UseCase:
    """``use_case`` with each dotted name set. Raises UsageError for a wrong name or value, and for
    ``name`` itself, by which it would come before another's champion."""
    changes: dict[str, Any] = {}
    for dotted, value in overrides.items():
        _refuse_unknown_name(use_case, dotted)
        *parents, last = dotted.split(".")
        level = changes
        for parent in parents:
            level = level.setdefault(parent, {})
        level[last] = value
    try:
        return type(use_case).model_validate(_merged(use_case, changes))
    except ValidationError as error:
        raise UsageError(describe(error, use_case)) from None


# What a run may do otherwise and still rise by itself: it is judged by all the rest.
HOW_TO_TRAIN = {"title", "source", "preprocessing", "network", "training", "search"}


def judgement_overrides(declared: UseCase, use_case: UseCase) -> list[str]:
    """The settings of ``use_case`` that are not as ``declared``, though they say what is predicted
    or how it is judged: the gate, the split, the baselines, the costs and so on."""
    names = [name for name in type(declared).model_fields if name not in HOW_TO_TRAIN]
    return [name for name in names if getattr(declared, name) != getattr(use_case, name)]


def parse_fields(assignments: Iterable[str], flag: str) -> dict[str, str]:
    """``["decimal=,"]`` -> ``{"decimal": ","}``; the values stay text."""
    pairs = [assignment.partition("=") for assignment in assignments]
    for name, equals, _ in pairs:
        if not equals or not name:
            raise UsageError(f"{flag} {name}: write it as NAME=VALUE, as in decimal=,")
    return {name: value for name, _, value in pairs}


def declare_source(uri: str, fields: Mapping[str, Any]) -> Source:
    """A source of this address, with further fields by name. Raises UsageError for a wrong one."""
    for name in fields:
        if name not in Source.model_fields:
            raise UsageError(f"unknown setting 'source.{name}'{nearest(name, Source.model_fields)}")
    try:
        return Source(uri=uri, **fields)
    except ValidationError as error:
        raise UsageError(f"source.{describe(error)}") from None


def _refuse_unknown_name(declared: BaseModel, dotted: str, prefix: str = "") -> None:
    first, _, rest = dotted.partition(".")
    fields = type(declared).model_fields
    if not prefix and first == "name":
        raise UsageError(
            "name can't be set for a run, since models are registered under it: declare another "
            "use case in a file of its own"
        )
    if first not in fields:
        if prefix == "source." and first in Source.model_fields:
            return  # a file or query takes the place of a simulation
        if "method" in fields:
            return  # another method has other settings: the schema itself judges them
        valid = [prefix + name for name in fields]
        raise UsageError(f"unknown setting '{prefix}{first}'{nearest(prefix + first, valid)}")
    inner = getattr(declared, first)
    if rest and isinstance(inner, BaseModel):
        _refuse_unknown_name(inner, rest, f"{prefix}{first}.")
    elif rest and not (first == "source" and rest in Source.model_fields):
        raise UsageError(f"'{prefix}{first}' has no setting '{rest}': set {prefix}{first} itself")


def _merged(declared: BaseModel, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The declaration as a dictionary, one level of models at a time, with the changes in it."""
    fields = {name: getattr(declared, name) for name in type(declared).model_fields}
    for name, change in changes.items():
        inner = fields.get(name)
        if isinstance(change, dict) and isinstance(inner, BaseModel):
            method = getattr(inner, "method", None)
            if change.get("method", method) != method or _replaces(inner, change):
                fields[name] = change  # another method, or source, starts from its own defaults
            else:
                fields[name] = _merged(inner, change)
        else:
            fields[name] = change
    return fields


def _replaces(source: BaseModel, change: Mapping[str, Any]) -> bool:
    """Whether a simulation gives way to a file or query."""
    is_simulated = isinstance(source, SimulatedTransactions)
    return is_simulated and not change.keys() <= type(source).model_fields.keys()


def describe(error: ValidationError, declared: BaseModel | type[BaseModel] | None = None) -> str:
    """The first problem of a pydantic error in one line, with its dotted name."""
    first = error.errors()[0]
    steps = [str(part) for part in first["loc"]]
    # pydantic names the member of a union where people name only its field
    path = [
        part
        for before, part in zip(["", *steps], steps, strict=False)
        if before not in ("split", "decision", "derived")
        and part not in ("file", "simulated", "function", "choice", "uniform")
    ]
    dotted = ".".join(path)
    if first["type"] == "extra_forbidden":
        inner: Any = declared
        for part in path[:-1]:
            inner = getattr(inner, part, None)
        model = inner if isinstance(inner, type) else type(inner)
        fields = model.model_fields if issubclass(model, BaseModel) else ()
        valid = [".".join([*path[:-1], name]) for name in fields]
        return f"unknown setting '{dotted}'{nearest(dotted, valid) if valid else ''}"
    message = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    shown = f", not {given!r}" if isinstance(given, str | int | float | bool) else ""
    return f"{dotted}: {message}{shown}" if dotted else message
