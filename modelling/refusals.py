"""The errors that a user can correct: each is one clear line, and an exit code.

Their messages are shown, logged and stored, so they never contain a secret.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from modelling.secrets import hide_secrets
from modelling.shown_text import one_line, row_count


class _Explained(Exception):
    """An error that its message explains: no traceback helps whoever can correct it."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows (IPython asks for it)."""
        return ["; ".join([f"{type(self).__name__}: {self}", *getattr(self, "__notes__", ())])]


class UsageError(_Explained, ValueError):
    """A command, flag, declaration or server is wrong (exit code 2)."""

    def __init__(self, message: str):
        super().__init__(one_line(hide_secrets(message)))


class MachineError(_Explained, RuntimeError):
    """The machine failed: a killed process, no memory, a full disk (exit code 1)."""


@dataclass(frozen=True)
class BrokenRule:
    """A rule that the data break, with the number of rows, never with a value. ``setting`` is what
    declares it, and ``remedy`` what to do where that is not to correct the data or the setting."""

    column: str
    rule: str
    rows: int | None
    severity: str = "critical"
    setting: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        """``age: is at most 120: not in 12 rows``."""
        if self.rows is None:  # it is not about rows
            return one_line(f"{self.column}: {self.rule}")
        return one_line(f"{self.column}: {self.rule}: not in {row_count(self.rows)}")

    @property
    def word(self) -> str:
        """What a person sees before it."""
        return "BROKEN" if self.severity == "critical" else "warning"


class DataRefused(_Explained, ValueError):
    """The data can't be used (exit code 3); ``broken`` has the broken rules, with counts, and
    ``settings`` those of the source, by name, with which the table may be read; None is unknown."""

    def __init__(
        self,
        message: str,
        broken: tuple[BrokenRule, ...] = (),
        settings: Mapping[str, Any] | None = None,
    ):
        super().__init__(one_line(hide_secrets(message)))
        self.broken, self.settings = broken, dict(settings or {})


def refuse_broken(broken: Sequence[BrokenRule]) -> None:
    """Raise DataRefused where a critical rule is among ``broken``; the message names the first."""
    critical = [rule for rule in broken if rule.severity == "critical"]
    if critical:
        more = f" (and {len(critical) - 1} more)" if len(critical) > 1 else ""
        remedy = f": {critical[0].remedy}" if critical[0].remedy else ""
        message = f"{critical[0].column}: {critical[0].rule}{more}{remedy}"
        raise DataRefused(f"the data breaks a critical rule: {message}", tuple(broken))


def refuse_taken_names(names: Iterable[str], columns: Container[str]) -> None:
    """Raise DataRefused where a table's ``columns`` already have one of the ``names`` of derived
    columns."""
    rule = "must not have the name of a derived column"
    refuse_broken([BrokenRule(name, rule, None) for name in names if name in columns])


def nearest(name: str, valid: Iterable[str], deeper: Iterable[str] = ()) -> str:
    """The text ``; did you mean 'x'?`` with the nearest valid name, or the list of all.

    Capitals do not count, and of a dotted name only its last part: ``seed`` is near to
    ``training.seed``. ``deeper`` names may be meant, too, and are not listed.
    """
    valid = sorted(valid)
    meant: dict[str, list[str]] = {}
    for one in sorted({*valid, *deeper}):
        meant.setdefault(_last_part(one), []).append(one)
    close = get_close_matches(_last_part(name), meant, n=1, cutoff=0.5)
    if not close:
        return f"; valid: {', '.join(valid)}"
    return f"; did you mean {' or '.join(repr(one) for one in meant[close[0]])}?"


def _last_part(dotted: str) -> str:
    return dotted.casefold().rpartition(".")[2]
