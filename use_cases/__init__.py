"""The declared use cases: each module here has one ``USE_CASE``. Adding a file is enough.

A team that keeps its declarations elsewhere puts the folder that holds its own ``use_cases/`` on
``PYTHONPATH``: both are found.
"""

from importlib import import_module
from pkgutil import extend_path, iter_modules

from pydantic import ValidationError

from modelling.declaration import UseCase
from modelling.overrides import describe
from modelling.refusals import UsageError, nearest

__path__ = extend_path(__path__, __name__)


def use_case_names() -> list[str]:
    """The names of all declared use cases, sorted."""
    return sorted(module.name for module in iter_modules(__path__))


def find_use_case(name: str) -> UseCase:
    """The declaration called ``name``. Raises UsageError where there is none, or a broken one."""
    if name not in use_case_names():
        raise UsageError(f"unknown use case '{name}'{nearest(name, use_case_names())}")
    file = f"use_cases/{name}.py"
    try:
        use_case = import_module(f"use_cases.{name}").USE_CASE
    except ValidationError as error:
        raise UsageError(f"{file}: {describe(error)}") from None
    except AttributeError as error:
        raise UsageError(f"{file}: {error}; it must define USE_CASE = UseCase(...)") from None
    if use_case.name != name:
        raise UsageError(f"{file}: its name is '{use_case.name}'; make it '{name}'")
    return use_case
