"""docs/declaring.md names all that may be declared; its examples can be declared."""

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
from conftest import REPOSITORY

import modelling.declaration as words
from modelling.declaration import UseCase
from modelling.judgement.baselines.catalogue import all_baselines
from modelling.judgement.metrics.catalogue import headline_names
from modelling.schema import Declaration

PAGE = (REPOSITORY / "docs" / "declaring.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
NAMED = {name: getattr(words, name) for name in words.__all__}
CLASSES = {name: of for name, of in NAMED.items() if isinstance(of, type)}


def section_of(name: str) -> str:
    """The section that shows how ``name`` is written; of the use case, the whole page."""
    if name == UseCase.__name__:
        return PAGE
    sections = re.split(r"^## ", PAGE, flags=re.M)
    return "".join(one for one in sections if re.search(rf"\b{name}\(|`{name}`", one))


def choices_in(annotation: Any) -> Iterator[str]:
    """The texts that a setting may be set to, where there are only a few."""
    if get_origin(annotation) is Literal:
        yield from (
            value for value in get_args(annotation) if value.strip(" \u00a0\u2009\u202f.,'")
        )
    elif not isinstance(annotation, type) or not issubclass(annotation, Declaration):
        for inner in get_args(annotation):
            yield from choices_in(inner)


@pytest.mark.parametrize("name", NAMED)
def test_the_page_shows_each_word_of_a_declaration_with_all_that_it_takes(name):
    section = section_of(name)
    assert re.search(rf"\b{name}\(", section) or name == "Column", f"no example of {name}"
    for field, declared in getattr(CLASSES.get(name), "model_fields", {}).items():
        assert re.search(rf"\b{field}\b(=|`)", section), f"{name}.{field}"
        for choice in choices_in(declared.annotation):
            assert re.search(rf"[\"`]{choice}[\"`]", section), f"{name}.{field}: {choice}"


def test_the_page_names_all_metrics_and_baselines_that_can_be_declared():
    for name in (*headline_names(), *all_baselines()):
        assert f"`{name}`" in PAGE, name


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_can_be_declared(number):
    declared: dict[str, Any] = {}
    exec(EXAMPLES[number], declared)
    if "columns" in declared:
        common = {"name": "x", "title": "x", "problem": "binary", "target": "y"}
        UseCase(**common, source=words.Source(uri="x"), columns=declared["columns"])


def test_what_is_left_out_has_the_defaults_that_the_page_shows():
    shown: dict[str, Any] = {}
    for example in EXAMPLES:
        exec(example, shown)
    smallest = shown["USE_CASE"]
    for part in ("preprocessing", "network", "training"):
        assert getattr(smallest, part) == shown[part]
    assert smallest.gate is None
    assert smallest.split == shown["stratified"]
