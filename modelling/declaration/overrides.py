"""Change a declaration for one run by dotted name: ``training.epochs=5``."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from modelling.declaration.declared_data import SimulatedTransactions, Source
from modelling.declaration.use_case import UseCase
from modelling.refusals import UsageError, nearest
from modelling.schema import Declaration, declarations

log = logging.getLogger("finflows")
OF_A_METHOD = ("split", "decision", "derived")  # their settings follow from their method


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
        except (
            ValueError,
            RecursionError,
        ):  # an integer of thousands of digits; deeply nested lists
            raise UsageError(f"--set {name}: the value is too long or too deep") from None
    return overrides


def override(use_case: UseCase, overrides: Mapping[str, Any]) -> UseCase:
    """``use_case`` with each dotted name set. Former names of settings are read, with a warning in
    the log. Raises UsageError for a wrong name or value, and for ``name`` itself: the model would
    be registered as that of another use case."""
    changes: dict[str, Any] = {}
    for dotted, value in overrides.items():
        _refuse_unknown_name(use_case, dotted, use_case)
        *parents, last = dotted.split(".")
        level = changes
        for parent in parents:
            level = level.setdefault(parent, {})
        level[last] = value
    try:
        return type(use_case).model_validate(_merged(use_case, changes))
    except ValidationError as error:
        raise UsageError(describe_error(error, use_case)) from None
    except ValueError as error:  # a setting under both its names
        raise UsageError(f"--set: {error}") from None


# Settings that a run may change and still be promoted automatically; all others decide what is
# predicted, and how it is judged.
NOT_JUDGED_BY = {"title", "card", "source", "preprocessing", "network", "training", "search"}


def judgement_overrides(declared: UseCase, use_case: UseCase) -> list[str]:
    """The settings of ``use_case`` that differ from the declaration and decide what is predicted or
    how it is judged: the gate, the split, the baselines, the costs and so on."""
    names = [name for name in type(declared).model_fields if name not in NOT_JUDGED_BY]
    return [name for name in names if getattr(declared, name) != getattr(use_case, name)]


def parse_fields(assignments: Iterable[str], flag: str) -> dict[str, str]:
    """``["decimal=,"]`` -> ``{"decimal": ","}``; values stay text."""
    pairs = [assignment.partition("=") for assignment in assignments]
    for name, equals, _ in pairs:
        if not equals or not name:
            raise UsageError(f"{flag} {name}: write it as NAME=VALUE, as in decimal=,")
    return {name: value for name, _, value in pairs}


def declare_source(uri: str, fields: Mapping[str, Any]) -> Source:
    """A source with this address and further fields by name. Raises UsageError for a wrong one."""
    for name in fields:
        if name not in Source.model_fields:
            raise UsageError(f"unknown setting 'source.{name}'{nearest(name, Source.model_fields)}")
    try:
        return Source(uri=uri, **fields)
    except ValidationError as error:
        raise UsageError(f"source.{describe_error(error)}") from None


def _settings(declared: Declaration, prefix: str = "") -> Iterator[str]:
    """The dotted names of all settings of a declaration and of those within it."""
    for name in type(declared).model_fields:
        yield prefix + name
        if isinstance(inner := getattr(declared, name), Declaration):
            yield from _settings(inner, f"{prefix}{name}.")


def _refuse_unknown_name(
    declared: Declaration, dotted: str, use_case: UseCase, prefix: str = ""
) -> None:
    first, _, rest = dotted.partition(".")
    first = declared.renamed_fields.get(first, first)
    fields = type(declared).model_fields
    if not prefix and first == "name":
        raise UsageError(
            "name can't be set for a run, since models are registered under it: declare another "
            "use case in a file of its own"
        )
    if first not in fields:
        if prefix == "source." and first in Source.model_fields:
            return  # a file or query replaces a simulation
        if "method" in fields:
            return  # another method has other settings, which the schema checks
        valid = [prefix + name for name in fields]
        others = nearest(prefix + first, valid, _settings(use_case))
        raise UsageError(f"unknown setting '{prefix}{first}'{others}")
    inner = getattr(declared, first)
    if rest and isinstance(inner, Declaration):
        _refuse_unknown_name(inner, rest, use_case, f"{prefix}{first}.")
    elif rest and not (first == "source" and rest in Source.model_fields):
        raise UsageError(f"'{prefix}{first}' has no setting '{rest}': set {prefix}{first} itself")


def _merged(declared: Declaration, changes: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """What is set in the declaration as a dictionary, with the changes; inner declarations that do
    not change stay as they are. Defaults are left out: some follow from what is changed."""
    set_in_it = {*declared.model_fields_set, "method"} & type(declared).model_fields.keys()
    fields = {name: getattr(declared, name) for name in set_in_it}
    for former, present in declared.renamed_fields.items():
        if former in changes:
            _warn_of_former_name(prefix + former, prefix + present)
    for name, change in declared.with_present_names(changes).items():
        inner = getattr(declared, name, None)
        if isinstance(change, dict) and isinstance(inner, Declaration):
            method = getattr(inner, "method", None)
            if change.get("method", method) != method or _replaces_simulation(inner, change):
                fields[name] = change  # another method or source starts from its own defaults
            else:
                fields[name] = _merged(inner, change, f"{prefix}{name}.")
        else:
            fields[name] = change
    return fields


@cache
def _warn_of_former_name(former: str, present: str) -> None:
    """Once per process: a command may apply the same overrides more than once."""
    log.warning("%-11s %s is called %s now", "renamed", former, present)


def _replaces_simulation(source: BaseModel, change: Mapping[str, Any]) -> bool:
    """Whether the change replaces a simulation by a file or query."""
    is_simulated = isinstance(source, SimulatedTransactions)
    return is_simulated and not change.keys() <= type(source).model_fields.keys()


def _of_method(method: str) -> type[Declaration] | None:
    """What declares the settings of a method, such as those of the split ``grouped``."""
    for declared in declarations().values():
        named = declared.model_fields.get("method")
        if named is not None and named.default == method:
            return declared
    return None


def describe_error(
    error: ValidationError, declared: BaseModel | type[BaseModel] | None = None
) -> str:
    """The first problem of a pydantic error in one line, with its dotted name. A name that is
    misspelt comes first: what seems to be lacking then is what was meant."""
    errors = error.errors()
    misspelt = (one for one in errors if one["type"] == "extra_forbidden")
    first_error = next(misspelt, errors[0])
    steps = [str(part) for part in first_error["loc"]]
    # pydantic adds the member of a union to the path, which users do not write
    path = [
        part
        for before, part in zip(["", *steps], steps, strict=False)
        if before not in OF_A_METHOD
        and part not in ("file", "simulated", "function", "choice", "uniform")
    ]
    dotted = ".".join(path)
    if first_error["type"] == "extra_forbidden":
        inner: Any = declared
        for before, part in zip(["", *steps], steps[:-1], strict=False):
            inner = _of_method(part) if before in OF_A_METHOD else getattr(inner, part, None)
        model = inner if isinstance(inner, type) else type(inner)
        fields = model.model_fields if issubclass(model, BaseModel) else ()
        valid = [".".join([*path[:-1], name]) for name in fields]
        return f"unknown setting '{dotted}'{nearest(dotted, valid) if valid else ''}"
    message = first_error["msg"].removeprefix("Value error, ")
    value = first_error.get("input")
    shown = f", not {value!r}" if isinstance(value, str | int | float | bool) else ""
    return f"{dotted}: {message}{shown}" if dotted else message
