"""Arguments and options that several commands have, and checks of them before anything heavy
starts, which raise UsageError."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from modelling.declaration import Source, UseCase, names
from modelling.declaration.overrides import override, parse_overrides
from modelling.declaration.references import reference_secrets
from modelling.declaration.use_case_files import (
    find_use_case,
    refuse_unreadable_table,
    use_case_names,
)
from modelling.refusals import UsageError

LAST_PORT = 65535
LAST_SEED = 2**32 - 1

UseCaseName = Annotated[str, typer.Argument(help="A declared use case; see `finflows list`.")]
ModelName = Annotated[
    str,
    typer.Argument(help="A use case with a registered model.", callback=names.check_use_case_name),
]
Version = Annotated[str | None, typer.Option(help="A version other than the champion.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Override a setting by its dotted name, e.g. training.epochs=5. Repeatable.",
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        help="Another table than the declared one: a file, folder, URL, database, "
        "package:PATH or openml:NAME."
    ),
]
FORMAT = ", ".join(name for name in Source.model_fields if name not in ("uri", "query"))
Written = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="NAME=VALUE",
        help="How the table is written, where that can't be found out: "
        f"{FORMAT}; or the query of a database. Repeatable.",
    ),
]
Port = Annotated[int, typer.Option(min=1, max=LAST_PORT, help="The port on 127.0.0.1.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON as the last line.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show the logs of the libraries.")]


def declared_use_case(
    name: str, assignments: Sequence[str] | None, data: str | None
) -> tuple[UseCase, dict[str, Any]]:
    """The use case as it is asked for, and what is changed, with references instead of secrets."""
    overrides = parse_overrides(assignments or [])
    if data is not None:
        overrides["source.uri"] = data
    overrides = dict(reference_secrets(overrides))
    declared = override(find_use_case(name), overrides)
    refuse_unreadable_table(declared, overrides)
    return declared, overrides


def refuse_settings(use_cases: Sequence[str], assignments: Sequence[str]) -> None:
    """Raise UsageError where a use case of a training of many does not take the settings. If no
    ``use_cases`` are named, all are trained: those that take them, if there are any."""
    overrides = parse_overrides(assignments)
    refused = []
    chosen = use_cases or use_case_names()
    for name in chosen:
        try:
            override(find_use_case(name), overrides)
        except UsageError as error:
            refused.append(f"{name}: {error}")
    if refused and (use_cases or len(refused) == len(chosen)):
        raise UsageError(refused[0])


def parse_tags(assignments: Sequence[str]) -> dict[str, str]:
    """MLflow tags for a filter, each written as NAME=VALUE."""
    for assignment in assignments:
        if not assignment.partition("=")[0].strip() or "=" not in assignment:
            raise UsageError(f"--tag {assignment}: write it as NAME=VALUE, as in gate=passed")
    pairs = [assignment.partition("=") for assignment in assignments]
    return {name: value for name, _, value in pairs}
