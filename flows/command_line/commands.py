"""The command line ``finflows``. Heavy libraries are imported when a command needs them."""

import gc
import json
import sys
from collections.abc import Callable
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
from modelling.shown_text import one_line
from tasks.tracking.provenance import installed_version

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
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
        typer.echo(f"{use_case.name:20} {use_case.problem:12} {one_line(use_case.title)}")


def show(use_case: UseCaseName, set_: Set = None) -> None:
    """Print the complete declaration of a use case: all settings that --set can change."""
    declared = override(find_use_case(use_case), parse_overrides(set_ or []))
    typer.echo(declared.model_dump_json(indent=2))


# Each command by its name, with an example of it, in the order of a first day.
COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "Declare": {
        "list": list_use_cases,
        "show credit_scoring": show,
        "draft loans.csv --target defaulted": draft_commands.draft,
        "check loans --data newer.csv": draft_commands.check,
    },
    "Train and compare": {
        "train credit_scoring --set training.epochs=5": training_commands.train,
        "train-all --workers 2": training_commands.train_all,
        "compare --use-case credit_scoring --since 7d": training_commands.compare,
        "ui": server_commands.ui,
        "search credit_scoring --trials 20 --workers 2": search_commands.search,
        "resume RUN_ID": search_commands.resume,
        "reproduce RUN_ID": search_commands.reproduce,
    },
    "Use a model": {
        "score credit_scoring in.csv out.csv --reasons 4": model_commands.score,
        "watch credit_scoring last_month.csv": model_commands.watch,
        "serve credit_scoring --follow": server_commands.serve,
        "image credit_scoring --to credit_scoring-image": server_commands.image,
    },
    "Decide which model is used": {
        "champion credit_scoring": model_commands.champion,
        "dossier credit_scoring --output dossier.html": model_commands.dossier,
        'promote credit_scoring --version 2 --reason "better"': model_commands.promote,
        'approve credit_scoring --version 2 --reason "read it"': model_commands.approve,
        'decline credit_scoring --version 2 --reason "too few rows"': model_commands.decline,
        'rollback credit_scoring --reason "complaints"': model_commands.rollback,
    },
    "Keep it running": {
        "schedule --workers 2": server_commands.schedule,
        "doctor": server_commands.doctor,
    },
}
for panel, commands in COMMANDS.items():
    for example, command in commands.items():
        app.command(
            example.partition(" ")[0],
            rich_help_panel=panel,
            epilog=f"Example: finflows {example}",
        )(command)


def main() -> None:
    """Exit code 2 for wrong usage, 3 for refused data, 1 where the machine failed, 128 plus its
    number after a signal."""
    sys.excepthook = terminal.show_traceback
    terminal.show_any_text()
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
