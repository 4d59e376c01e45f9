"""The two ways of saying no to a user: each is one clear line, and an exit code."""

from dataclasses import dataclass


class UsageError(ValueError):
    """The command, a flag, a declaration or a server is not as it must be (exit code 2)."""


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
        super().__init__(message)
        self.broken = broken
