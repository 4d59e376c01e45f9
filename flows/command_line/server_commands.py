"""What runs until it is stopped: MLflow's pages, a served model, the schedule. And what looks after
all of it."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from flows.command_line import interruption, results, terminal
from flows.command_line.arguments import Json, ModelName, Port, Version
from modelling.refusals import UsageError
from tasks.progress import elapsed_line
from tasks.tracking.unfinished_files import refuse_output
from tasks.workers.ports import refuse_taken_port


def ui(port: Port = 5000) -> None:
    """Run the MLflow UI for the local store, on 127.0.0.1."""
    terminal.configure_environment(verbose=False)
    refuse_taken_port(port)
    from tasks.tracking.ui import serve_ui

    typer.echo(f"MLflow UI: http://127.0.0.1:{port} (stop it with Ctrl-C)")
    interruption.set_last_line("the MLflow UI has ended")
    serve_ui(port)


def serve(
    use_case: ModelName,
    port: Port = 5001,
    version: Version = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer.")] = 1,
    follow: Annotated[
        bool, typer.Option("--follow", help="Let a new champion take over while it serves.")
    ] = False,
) -> None:
    """Serve the champion over HTTP on 127.0.0.1, in a small environment of its own."""
    terminal.configure_environment(verbose=False)
    if follow and version is not None:
        raise UsageError("--follow follows the champion: leave out --version")
    refuse_taken_port(port)
    from tasks.registry.scoring_runs import version_of
    from tasks.registry.scoring_server.settings import limits, token
    from tasks.registry.serving.following import start_following
    from tasks.registry.serving.prepared_server import prepare_serving

    try:  # the server would say so, after minutes of preparing its environment
        limits()
        token()
    except ValueError as error:
        raise UsageError(str(error)) from None
    requested = version_of(use_case, version)
    typer.echo("Preparing the model's own environment (once for each set of requirements)")
    interruption.set_last_line("no server was started")
    server = prepare_serving(use_case, requested)
    typer.echo(f"{use_case} version {server.version}: http://127.0.0.1:{port}/invocations (Ctrl-C)")
    server.run(port, workers, start_following(server) if follow else None)


def image(
    use_case: ModelName,
    to: Annotated[Path, typer.Option(help="A new folder, for docker build.")],
    version: Version = None,
) -> None:
    """Write a folder with a Dockerfile from which docker builds a server of the champion."""
    terminal.configure_environment(verbose=False)
    if to.exists():
        raise UsageError(f"--to {to} exists: remove it, or name another folder")
    refuse_output(to, "--to")
    from tasks.registry.serving.image import write_image

    interruption.set_last_line("no image was written")
    written = write_image(use_case, version, to.absolute())
    folder = shlex.quote(str(to))
    typer.echo(f"{use_case} version {written}: docker build --tag {use_case}:{written} {folder}")


def schedule(
    workers: Annotated[int, typer.Option(min=1, help="How many flow runs run in parallel.")] = 1,
    port: Port = 4200,
    file: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            readable=True,
            help="The file with the schedule; default: prefect.yaml of this checkout.",
        ),
    ] = None,
) -> None:
    """Run the schedule in prefect.yaml on this machine, until interrupted."""
    terminal.configure_environment(verbose=False)
    terminal.refuse_unusable_prefect()
    from flows.deployments import PLAN, serve_schedule

    interruption.set_last_line("nothing runs by the schedule until it is started again")
    serve_schedule(workers, port, file or PLAN)


def doctor(as_json: Json = False) -> None:
    """End runs whose process died, and check for common problems.

    Exit code 1 if there is one.
    """
    terminal.configure_environment(verbose=False)
    with elapsed_line("checking"):
        from flows.upkeep import run_upkeep

        checks, reaped = run_upkeep()
    if as_json:
        found = {"checks": [check._asdict() for check in checks], "reaped": reaped}
        typer.echo(json.dumps(found))
    else:
        results.show_checks(checks, reaped)
    if not all(check.passed for check in checks):
        raise typer.Exit(1)
