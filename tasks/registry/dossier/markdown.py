"""What a run recorded as Markdown: tables, settings by name, and pictures."""

from collections.abc import Iterable, Mapping
from typing import Any

from modelling.shown_text import table_cell
from tasks.registry.dossier.facts import Facts

NOTHING: tuple[object, ...] = (None, "", [], {})  # settings that say nothing


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """A Markdown table; columns of nothing but numbers stand at the right."""
    cells = [[cell(value) for value in row] for row in rows]
    of_numbers = [all(map(_is_number, column)) for column in zip(*cells, strict=True)]
    sides = ["---:" if numbers else "---" for numbers in of_numbers or [False] * len(head)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'|'.join(sides)}|", *lines])


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True


def cell(value: object) -> str:
    """A value in a cell of a table, for people: the parts of a list side by side."""
    return table_cell(_for_people(value).replace("\n", " "))


def _for_people(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float() if value.is_integer():
            return f"{value:.0f}"
        case list():
            return ", ".join(map(_for_people, value))
        case dict():
            return ", ".join(f"{key}: {_for_people(one)}" for key, one in value.items())
    return str(value)


def settings_table(declared: Mapping[str, Any]) -> str:
    """The settings that say something, by dotted name."""
    said = {name: value for name, value in flat(declared).items() if value not in NOTHING}
    return table(("setting", "value"), said.items())


def flat(declared: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted name; columns and rules by their place."""
    found: dict[str, Any] = {}
    for key, value in declared.items():
        name = f"{prefix}{key}"
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = {str(one.get("name", place)): one for place, one in enumerate(value)}
        found |= flat(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return found


def pictures(facts: Facts, *patterns: str, but: tuple[str, ...] = ()) -> str:
    """The pictures of the run that match a pattern, without titles that begin with ``but``."""
    files = [file for pattern in patterns for file in facts.pictures(pattern)]
    files = [file for file in files if not _title_of(file).startswith(but)]
    return "\n\n".join(f"![{_title_of(file)}]({file})" for file in files)


def _title_of(file: str) -> str:
    return file.rpartition("/")[2].removesuffix(".png").replace("_", " ")
