"""The command line ``finflows``. Heavy libraries are imported when a command needs them."""

import json
import sys
from typing import Annotated

import typer

from flows import terminal
from flows.warm_up import warm_up
from modelling.overrides import override, parse_overrides
from modelling.refusals import DataRefused, UsageError
from use_cases import find_use_case, use_case_names

app = typer.Typer(
    help="From a declared financial use case to a trained, judged and registered Keras model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

UseCaseName = Annotated[str, typer.Argument(help="A declared use case; see `finflows list`.")]
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
    typer.Option(help="CSV or Parquet file, URL, SQLAlchemy URL or openml:NAME, for source.uri."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show what the libraries log.")]


@app.command()
def train(
    use_case: UseCaseName,
    data: Data = None,
    set_: Set = None,
    remedy: Annotated[
        int,
        typer.Option(
            min=0, help="Train again with the remedy of a bad learning curve, at most N times."
        ),
    ] = 0,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train, judge and register one use case."""
    overrides = parse_overrides(set_ or [])
    if data is not None:
        overrides["source.uri"] = data
    declared = override(find_use_case(use_case), overrides)  # a typo costs no import
    typer.echo(f"{declared.name}: {declared.title}", err=as_json)
    _prepare(verbose, as_json)
    from flows.train import train as train_flow

    result = train_flow(use_case, overrides, remedy)
    terminal.show_result(result, overrides, as_json)


@app.command()
def resume(
    run_id: Annotated[str, typer.Argument(help="The MLflow run that was killed or failed.")],
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Go on with a killed training where its last checkpoint left it, in the same MLflow run."""
    _prepare(verbose, as_json)
    from flows.train import resume_run

    terminal.show_result(resume_run(run_id), {}, as_json)


def _prepare(verbose: bool, as_json: bool) -> None:
    terminal.settle(verbose)
    terminal.show_stages(to_stderr=as_json)
    if not verbose:
        terminal.hide_native_stderr()
    warm_up()


@app.command("list")
def list_use_cases(as_json: Json = False) -> None:
    """List the declared use cases."""
    declared = [find_use_case(name) for name in use_case_names()]
    if as_json:
        rows = [{"name": one.name, "problem": one.problem, "title": one.title} for one in declared]
        typer.echo(json.dumps(rows))
        return
    for one in declared:
        typer.echo(f"{one.name:20} {one.problem:12} {one.title}")


@app.command()
def show(use_case: UseCaseName, set_: Set = None) -> None:
    """Print the resolved declaration of a use case: all settings that --set can change."""
    declared = override(find_use_case(use_case), parse_overrides(set_ or []))
    typer.echo(declared.model_dump_json(indent=2))


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Open the MLflow UI over the local store, on 127.0.0.1."""
    terminal.settle(verbose=False)
    from tasks.tracking.store import serve_ui

    typer.echo(f"MLflow UI: http://127.0.0.1:{port} (stop it with Ctrl-C)")
    serve_ui(port)


def main() -> None:
    """Exit code 2 for wrong usage, 3 for refused data, 130 when interrupted."""
    try:
        app(standalone_mode=True)
    except UsageError as error:
        terminal.refuse(error)
        sys.exit(2)
    except DataRefused as error:
        terminal.refuse(error)
        sys.exit(3)
    except KeyboardInterrupt:
        typer.echo("finflows: interrupted; nothing was registered", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
