"""The command line ``finflows``. Heavy libraries are imported when a command needs them."""

import gc
import json
import sys
from typing import Annotated

import typer

from flows.command_line import (
    draft_commands,
    interruption,
    model_commands,
    search_commands,
    server_commands,
    terminal,
    training_commands,
)
from flows.command_line.arguments import Json, Set, UseCaseName
from modelling.declaration.overrides import override, parse_overrides
from modelling.declaration.use_case_files import find_use_case, use_case_names
from modelling.refusals import UsageError
from tasks.tracking.provenance import installed_version

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        typer.echo(f"finflows {installed_version()}")
        raise typer.Exit


@app.callback()
def finflows(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """From a declared financial use case to a trained, judged and registered Keras model."""


def list_use_cases(as_json: Json = False) -> None:
    """List the declared use cases."""
    declared = []
    for name in use_case_names():
        try:
            declared.append(find_use_case(name))
        except UsageError as error:  # list the others nevertheless
            terminal.show_error(error)
    if as_json:
        fields = ("name", "problem", "title")
        rows = [{field: getattr(use_case, field) for field in fields} for use_case in declared]
        typer.echo(json.dumps(rows))
        return
    for use_case in declared:
        typer.echo(f"{use_case.name:20} {use_case.problem:12} {use_case.title}")


def show(use_case: UseCaseName, set_: Set = None) -> None:
    """Print the complete declaration of a use case: all settings that --set can change."""
    declared = override(find_use_case(use_case), parse_overrides(set_ or []))
    typer.echo(declared.model_dump_json(indent=2))


COMMANDS = {  # by what somebody wants, in the order of a first day
    "Declare": (list_use_cases, show, draft_commands.draft, draft_commands.check),
    "Train and compare": (
        training_commands.train,
        training_commands.train_all,
        search_commands.search,
        search_commands.resume,
        search_commands.reproduce,
        training_commands.compare,
        server_commands.ui,
    ),
    "Use a model": (model_commands.score, server_commands.serve, server_commands.image),
    "Decide which model is used": (
        model_commands.champion,
        model_commands.dossier,
        model_commands.promote,
        model_commands.approve,
        model_commands.decline,
        model_commands.rollback,
    ),
    "Keep it running": (server_commands.schedule, server_commands.doctor),
}
for panel, commands in COMMANDS.items():
    for command in commands:
        name = "list" if command is list_use_cases else None
        app.command(name, rich_help_panel=panel)(command)


def main() -> None:
    """Exit code 2 for wrong usage, 3 for refused data, 1 where the machine failed, 128 plus its
    number after a signal."""
    sys.excepthook = terminal.show_traceback
    interruption.watch()
    try:
        app(standalone_mode=True)
    except Exception as error:
        interruption.exit_if_interrupted()
        if (code := terminal.exit_code(error)) is None:
            raise
        terminal.show_error(error)
        sys.exit(code)
    except BaseException:
        interruption.exit_if_interrupted()
        raise
    finally:
        interruption.ignore_signals()
        gc.freeze()  # or garbage collection at the exit takes seconds


if __name__ == "__main__":
    main()
