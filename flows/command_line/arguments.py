"""What commands are given, checked before anything heavy starts. Each raises UsageError."""

from collections.abc import Sequence
from pathlib import Path

from modelling.refusals import UsageError
from tasks.tracking.store import can_be_written

LONGEST_REASON = 2000  # what the registry keeps of it
LAST_PORT = 65535
LAST_SEED = 2**32 - 1


def refuse_output(path: Path, flag: str) -> None:
    """A file could not be written there."""
    if path.is_dir():
        raise UsageError(f"{flag} {path}: that is a folder, name a file in it")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{flag} {path}: no such folder: {path.absolute().parent}")
    if not can_be_written(path.absolute().parent):
        raise UsageError(f"{flag} {path}: the folder {path.absolute().parent} can't be written")


def reason(text: str) -> str:
    """Why somebody decided otherwise."""
    if not any(map(str.isalnum, text)):
        raise UsageError("--reason is empty: say why, it is kept in the registry")
    if not text.isprintable():  # a line break could pass for a further entry of the history
        raise UsageError("--reason is one line of letters, digits, blanks and punctuation")
    if len(text) > LONGEST_REASON:
        raise UsageError(f"--reason has {len(text):,} characters: at most {LONGEST_REASON:,}")
    return text


def tags(assignments: Sequence[str]) -> dict[str, str]:
    """MLflow tags to filter by, each written as NAME=VALUE."""
    for assignment in assignments:
        if not assignment.partition("=")[0].strip() or "=" not in assignment:
            raise UsageError(f"--tag {assignment}: write it as NAME=VALUE, as in gate=passed")
    return {name: value for name, _, value in (one.partition("=") for one in assignments)}
