"""The commands on registered models: score, serve, champion, promote, rollback, reproduce."""

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.command_line import arguments, interruption, terminal
from flows.command_line.warm_up import warm_up
from modelling.declaration import names
from modelling.declaration.overrides import declare_source, parse_fields
from modelling.declaration.references import refuse_unreadable
from tasks.workers.ports import refuse_taken_port

Name = Annotated[
    str,
    typer.Argument(help="A use case with a registered model.", callback=names.check_use_case_name),
]
Reason = Annotated[
    str, typer.Option(help="Why; it is kept in the registry.", callback=arguments.reason)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show what the libraries log.")]


def score(
    use_case: Name,
    input_: Annotated[
        str, typer.Argument(metavar="INPUT", help="Any table that training reads, of any size.")
    ],
    output: Annotated[str, typer.Argument(help="CSV or Parquet file, written at the end.")],
    version: Annotated[str | None, typer.Option(help="A version other than the champion.")] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="How INPUT is written (delimiter, decimal, thousands, encoding, sheet), or the "
            "query of a database. Repeatable.",
        ),
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Score a file of any size with the champion; rows that it refuses are set aside."""
    written = parse_fields(source or [], "--source")
    table = declare_source(input_, written)  # a typo costs no import
    arguments.refuse_output(Path(output), "OUTPUT")
    refuse_unreadable(table)
    terminal.prepare(verbose, as_json)
    warm_up("flows.score")
    from flows.score import score as score_flow

    interruption.tell_what_is_kept("no answers were written")
    result = score_flow(use_case, input_, output, version, written)
    if as_json:
        typer.echo(json.dumps(result.model_dump()))


def serve(
    use_case: Name,
    port: Annotated[
        int, typer.Option(min=1, max=arguments.LAST_PORT, help="Port on 127.0.0.1.")
    ] = 5001,
    version: Annotated[str | None, typer.Option(help="A version other than the champion.")] = None,
) -> None:
    """Serve the champion with MLflow's scoring server, in a small environment of its own."""
    terminal.configure_environment(verbose=False)
    refuse_taken_port(port)
    from tasks.registry.scoring_runs import version_of
    from tasks.registry.serving import prepare_serving

    wanted = version_of(use_case, version)
    typer.echo("Preparing the model's own environment (once for each set of requirements)")
    interruption.tell_what_is_kept("no server was started")
    served = prepare_serving(use_case, wanted)
    typer.echo(f"{use_case} version {served.version}: http://127.0.0.1:{port}/invocations (Ctrl-C)")
    served.run(port)


def champion(use_case: Name, as_json: Json = False) -> None:
    """Show who is champion, since when and why, and who was before; exit code 2 where the
    champion does not load any more."""
    terminal.configure_environment(verbose=False)
    from tasks.registry.champions import registry_status
    from tasks.registry.model_files import load_version

    now = registry_status(use_case)
    typer.echo(json.dumps(now.as_dict()) if as_json else now.text())
    if now.champion is not None:
        load_version(use_case, now.champion)


def promote(
    use_case: Name,
    version: Annotated[str, typer.Option(help="The version that becomes champion.")],
    reason: Reason,
) -> None:
    """Make a version champion because you say so."""
    terminal.configure_environment(verbose=False)
    from tasks.registry.champions import promote_by_hand

    changed = promote_by_hand(use_case, version, reason)
    already = "" if changed else " already: nothing was changed"
    typer.echo(f"{use_case}: version {version} is champion{already}")


def rollback(use_case: Name, reason: Reason) -> None:
    """Make the champion before the present one champion again."""
    terminal.configure_environment(verbose=False)
    from tasks.registry.champions import roll_back

    old, new = roll_back(use_case, reason)
    typer.echo(f"{use_case}: version {new} is champion again, instead of version {old}")


def reproduce(
    run_id: Annotated[
        str,
        typer.Argument(help="The MLflow run of a finished training.", callback=names.check_run_id),
    ],
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train again as a run did, and compare: identical, or the first thing that differs.

    Exit code 1 where something differs.
    """
    terminal.prepare(verbose, as_json)
    from tasks.tracking.runs import parameters_of

    parameters_of(run_id, finished=True)
    warm_up()
    from flows.reproduce import reproduce_run

    reproduced = reproduce_run(run_id)
    typer.echo(json.dumps(reproduced.model_dump()) if as_json else reproduced.text())
    if reproduced.first_difference:
        raise typer.Exit(1)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (score, serve, champion, promote, rollback, reproduce):
        app.command()(command)
