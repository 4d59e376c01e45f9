"""The columns that a declaration names outside of ``columns``: they must be there, and be of a kind
that can be used so. Wrong ones are refused before anything is read."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from modelling.schema import Declaration


class Named(NamedTuple):
    """``setting`` (as ``--set`` spells it) names ``column``, which may be of one of ``kinds``."""

    setting: str
    column: str
    kinds: tuple[str, ...]


def named_columns(declared: Mapping[str, Declaration | None]) -> list[Named]:
    """All columns that these parts of a use case name, given by the names of their settings."""
    found = []
    for prefix, part in declared.items():
        for field, kinds in part.kinds_of_named_columns.items() if part is not None else ():
            named = getattr(part, field)
            columns = named if isinstance(named, tuple) else () if named is None else (named,)
            found += [Named(f"{prefix}.{field}", column, kinds) for column in columns]
    return found


def check_named(named: Iterable[Named], kinds: Mapping[str, str]) -> None:
    """Raise ValueError where a column is not in ``kinds`` or of another kind than it must be."""
    for setting, column, wanted in named:
        if column not in kinds:
            raise ValueError(f"{setting} '{column}' is not among the columns: declare it")
        if kinds[column] not in wanted:
            calls = " or ".join(f'{kind}("{column}")' for kind in wanted)
            raise ValueError(
                f"{setting} '{column}' is not of kind {' or '.join(wanted)}, but a "
                f"{kinds[column]}: declare {calls}, or name another column"
            )
