"""The columns that a declaration names outside of ``columns``: they must be declared, and of a kind
that fits. Others are refused before any data are read."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from modelling.schema import Declaration


class NamedColumn(NamedTuple):
    """``setting`` (a dotted name as in ``--set``) names ``column``, which must be of one of
    ``kinds``."""

    setting: str
    column: str
    kinds: tuple[str, ...]


def named_columns(declared: Mapping[str, Declaration | None]) -> list[NamedColumn]:
    """All columns that the parts of a use case name; ``declared`` has the parts by setting."""
    found = []
    for prefix, part in declared.items():
        for field, kinds in part.kinds_of_named_columns.items() if part is not None else ():
            named = getattr(part, field)
            columns = named if isinstance(named, tuple) else () if named is None else (named,)
            found += [NamedColumn(f"{prefix}.{field}", column, kinds) for column in columns]
    return found


def check_named_columns(named: Iterable[NamedColumn], kinds: Mapping[str, str]) -> None:
    """Raise ValueError where a column is not in ``kinds``, or not of an allowed kind."""
    for setting, column, allowed_kinds in named:
        if column not in kinds:
            raise ValueError(f"{setting} '{column}' is not among the columns: declare it")
        if kinds[column] not in allowed_kinds:
            calls = " or ".join(f'{kind}("{column}")' for kind in allowed_kinds)
            raise ValueError(
                f"{setting} '{column}' is not of kind {' or '.join(allowed_kinds)}, but a "
                f"{kinds[column]}: declare {calls}, or name another column"
            )
