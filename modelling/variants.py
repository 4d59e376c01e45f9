"""Variants are found by their files: a new metric, baseline or decision is one new module."""

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any


def variants_in(room: str, attribute: str, first: Sequence[str] = ()) -> tuple[Any, ...]:
    """All that the modules of a room list in ``attribute``, a tuple; other modules have none.

    Parameters
    ----------
    room : str
        The dotted name of a package, such as ``modelling.judgement.metrics``.
    attribute : str
        The name of the tuples, such as ``METRICS``.
    first : sequence of str
        The modules that come first, in this order; all others follow by name.

    Raises
    ------
    ModuleNotFoundError
        Where one of ``first`` is not there.
    """
    found = [module.name for module in iter_modules(import_module(room).__path__)]
    modules = dict.fromkeys([*first, *sorted(found)])
    listed = (getattr(import_module(f"{room}.{name}"), attribute, ()) for name in modules)
    return tuple(variant for variants in listed for variant in variants)
