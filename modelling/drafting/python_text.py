"""Python as a formatter leaves it: calls and tuples in lines of at most 100 characters.

What fits on a line stands on it; what does not stands below one another, with a comma at the end.
"""

import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 100
STEP = 4


@dataclass(frozen=True)
class Commented:
    """A part of a call or tuple below a comment; without a ``part``, the comment alone."""

    comment: str
    part: Any = None
    name: str | None = None


@dataclass(frozen=True)
class Call:
    """``function(*parts, **named)``; a tuple where there is no function. Parts may be Commented."""

    function: str
    parts: Sequence[Any] = ()
    named: Sequence[tuple[str, Any] | Commented] = ()


def literal(value: Any) -> str:
    """A number, text, None, tuple or dictionary on one line."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return f"{int(value):_}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:_}" if abs(value) > 9999 else str(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(k)}: {literal(v)}' for k, v in value.items())}}}"
    return repr(value)


def _quoted(text: str) -> str:
    """In double quotes, unless that takes more backslashes."""
    written = repr(text)
    if written[0] == '"' or ('"' in text and "'" not in text):
        return written
    if '"' in text and text.count('"') > text.count("'"):
        return written
    return '"' + written[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'


def width(text: str) -> int:
    """How many columns a text takes: letters of East Asia take two."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide


def comment(text: str, indent: int) -> list[str]:
    """A comment in lines."""
    room = WIDTH - indent - 2
    return [f"{' ' * indent}# {line}" for line in textwrap.wrap(text, room, break_long_words=False)]


def expression(value: Any, indent: int, before: str = "") -> list[str]:
    """``value`` in lines, the first behind ``before``, the last with a comma."""
    margin = " " * indent
    short = _on_one_line(value)
    if short is not None and width(f"{margin}{before}{short},") <= WIDTH:
        return [f"{margin}{before}{short},"]
    if isinstance(value, str):
        return _long_text(value, indent, before)
    if isinstance(value, Call):
        return _below(value, indent, before)
    if isinstance(value, tuple) and value:
        return _below(Call("", value), indent, before)
    if isinstance(value, dict) and value:
        inside = [
            line
            for k, v in value.items()
            for line in expression(v, indent + STEP, f"{literal(k)}: ")
        ]
        return [f"{margin}{before}{{", *inside, f"{margin}}},"]
    return [f"{margin}{before}{literal(value)},"]


def _on_one_line(value: Any) -> str | None:
    if not isinstance(value, Call):
        return literal(value)
    if (
        any(isinstance(part, Commented) for part in (*value.parts, *value.named))
        or not value.function
    ):
        return None
    parts = [_on_one_line(part) for part in value.parts]
    parts += [f"{name}={_on_one_line(part)}" for name, part in value.named]  # type: ignore[misc]
    return f"{value.function}({', '.join(map(str, parts))})"


def _below(call: Call, indent: int, before: str) -> list[str]:
    lines: list[str] = []
    for part in (*((None, one) for one in call.parts), *call.named):
        name, value = part if isinstance(part, tuple) else (part.name, part)
        if isinstance(value, Commented):
            lines += comment(value.comment, indent + STEP)
            if value.part is None:
                continue
            name, value = value.name, value.part
        lines += expression(value, indent + STEP, f"{name}=" if name else "")
    margin = " " * indent
    return [f"{margin}{before}{call.function}(", *lines, f"{margin}),"]


def _long_text(text: str, indent: int, before: str) -> list[str]:
    """Pieces of a text below one another, which Python puts together."""
    pieces: list[str] = []
    room = WIDTH - indent - len(before) - 3
    for word in text.split(" "):
        if pieces and width(literal(f"{pieces[-1]} {word}")) - 2 <= room - 1:
            pieces[-1] += f" {word}"
            continue
        if pieces:
            pieces[-1] += " "
            room = WIDTH - indent - 3
        pieces.append(word)
    margins = [f"{' ' * indent}{before}", *[" " * indent] * (len(pieces) - 1)]
    lines = [f"{margin}{literal(piece)}" for margin, piece in zip(margins, pieces, strict=True)]
    return [*lines[:-1], f"{lines[-1]},"]


def import_of(module: str, names: Iterable[str]) -> list[str]:
    """``from module import names``: classes first."""
    listed = sorted(names, key=lambda name: (name[0].islower(), name))
    short = f"from {module} import {', '.join(listed)}"
    if len(short) <= WIDTH:
        return [short]
    return [f"from {module} import (", *(f"    {name}," for name in listed), ")"]
