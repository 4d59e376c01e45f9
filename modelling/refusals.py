"""The ways of saying no to a user: each is one clear line, and an exit code.

What they say is shown, logged and stored by many: so no secret gets into it.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from modelling.secrets import hide_secrets


class UsageError(ValueError):
    """The command, a flag, a declaration or a server is not as it must be (exit code 2)."""

    def __init__(self, message: str):
        super().__init__(hide_secrets(message))


class MachineError(RuntimeError):
    """The machine gave out: a process killed, no memory, a full disk (exit code 1)."""


@dataclass(frozen=True)
class BrokenRule:
    """One rule that the data broke: counts only, never a value."""

    column: str
    rule: str
    rows: int | None
    severity: str = "critical"


class DataRefused(ValueError):
    """The data can't be used (exit code 3); ``broken`` says which rules, in how many rows."""

    def __init__(self, message: str, broken: tuple[BrokenRule, ...] = ()):
        super().__init__(hide_secrets(message))
        self.broken = broken


def refuse_broken(broken: Sequence[BrokenRule]) -> None:
    """Raise DataRefused, in the words of the first critical rule, where one is among ``broken``."""
    critical = [rule for rule in broken if rule.severity == "critical"]
    if critical:
        more = f" (and {len(critical) - 1} more)" if len(critical) > 1 else ""
        said = f"{critical[0].column}: {critical[0].rule}{more}"
        raise DataRefused(f"the data breaks a critical rule: {said}", tuple(broken))


def refuse_taken(names: Iterable[str], columns: Container[str]) -> None:
    """Raise DataRefused where a table's ``columns`` have one of the ``names`` of derived ones."""
    rule = "its name is free for the derived column"
    refuse_broken([BrokenRule(name, rule, None) for name in names if name in columns])


def nearest(name: str, valid: Iterable[str]) -> str:
    """The words ``; did you mean 'x'?`` for the nearest valid name, or the list of all."""
    valid = sorted(valid)
    close = get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else f"; valid: {', '.join(valid)}"
