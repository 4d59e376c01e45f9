"""The declaration that somebody means, and the frame beside it as an address."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from modelling.refusals import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from finflows.drafts import Draft
    from modelling.declaration import UseCase


class Given(NamedTuple):
    """A declaration as it was given, the ``overrides`` of this call, the declaration with them, and
    whether a file holds it."""

    use_case: "UseCase"
    overrides: dict[str, Any]
    as_trained: "UseCase"
    in_file: bool


@contextmanager
def declared_with(
    use_case: "str | UseCase | Draft",
    frame: "pd.DataFrame | None",
    settings: Mapping[str, Any] | None,
) -> Iterator[Given]:
    """The declaration with its settings; a frame is its source for the duration of the block.

    Raises UsageError for an unknown name, a wrong setting, or a source that can't be read.
    """
    from modelling.data.sources.frames import in_memory
    from modelling.declaration.overrides import override
    from modelling.declaration.references import reference_secrets, refuse_unreadable

    declared, drafted_from = _declared(use_case)
    frame = drafted_from if frame is None else frame
    overrides = dict(reference_secrets(settings or {}))
    with ExitStack() as stack:
        if frame is not None:
            overrides["source.uri"] = stack.enter_context(in_memory(frame, declared.name))
            if getattr(declared.source, "query", None):
                overrides["source.query"] = None
        as_trained = override(declared, overrides)
        refuse_unreadable(as_trained.source)
        yield Given(declared, overrides, as_trained, isinstance(use_case, str))


def _declared(use_case: "str | UseCase | Draft") -> "tuple[UseCase, pd.DataFrame | None]":
    from finflows.drafts import Draft
    from modelling.declaration import UseCase
    from modelling.declaration.use_case_files import find_use_case

    if isinstance(use_case, Draft):
        return use_case.use_case, use_case.frame
    if isinstance(use_case, UseCase):
        return use_case, None
    if isinstance(use_case, str):
        return find_use_case(use_case), None
    raise UsageError(
        f"use_case is a {type(use_case).__name__}: give a name, a UseCase or what draft() returned"
    )
