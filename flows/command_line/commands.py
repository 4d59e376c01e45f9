"""The command line ``finflows``. Heavy libraries are imported when a command needs them."""

import gc
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.command_line import (
    arguments,
    draft_commands,
    interruption,
    model_commands,
    terminal,
)
from flows.command_line.leaderboard_table import show_leaderboard
from flows.command_line.stages import end_stage
from flows.command_line.warm_up import warm_up
from modelling.declaration import names
from modelling.declaration.overrides import override, parse_overrides
from modelling.declaration.references import reference_secrets, refuse_unreadable
from modelling.declaration.search_space import refuse_search
from modelling.declaration.use_case_files import find_use_case, use_case_names
from modelling.refusals import UsageError
from tasks.progress import elapsed_line
from tasks.tracking.provenance import installed_version
from tasks.workers.ports import refuse_taken_port

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
    typer.Option(
        help="Another table than the declared one: a file, folder, URL, database, "
        "package:PATH or openml:NAME."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show the logs of the libraries.")]


@app.command()
def train(
    use_case: UseCaseName,
    data: Data = None,
    set_: Set = None,
    remedy: Annotated[
        int,
        typer.Option(
            min=0,
            help="While the learning curve is not healthy, train again with its remedy, at most N "
            "times.",
        ),
    ] = 0,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train, judge and register one use case."""
    overrides = _overrides(set_, data)
    declared = override(find_use_case(use_case), overrides)  # fails before the imports
    refuse_unreadable(declared.source)
    typer.echo(f"{declared.name}: {declared.title}", err=as_json)
    _prepare(verbose, as_json)
    from flows.train import train as train_flow

    result = train_flow(use_case, overrides, remedy)
    terminal.show_result(result, overrides, as_json)


@app.command()
def search(
    use_case: UseCaseName,
    trials: Annotated[int, typer.Option(help="How many settings to try.")] = 20,
    workers: Annotated[
        int, typer.Option(help="How many trials run in parallel, each in its own process.")
    ] = 1,
    sampler: Annotated[str, typer.Option(help="tpe, grid or random.")] = "tpe",
    dask: Annotated[
        str | None,
        typer.Option(help="Train on a Dask cluster: an address like tls://HOST:8786, or 'local'."),
    ] = None,
    pool: Annotated[
        str | None, typer.Option(help="Train on the workers of this Prefect work pool.")
    ] = None,
    data: Data = None,
    set_: Set = None,
    seed: Annotated[
        int,
        typer.Option(min=0, max=arguments.LAST_SEED, help="The same seed tries the same settings."),
    ] = 42,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Search the declared space for better settings, then train with the best."""
    settings: dict[str, Any] = {"trials": trials, "workers": workers, "sampler": sampler}
    settings |= {"dask": dask, "pool": pool, "seed": seed}
    refuse_search(trials, workers, sampler, dask, pool)
    overrides = _overrides(set_, data)
    declared = override(find_use_case(use_case), overrides)
    refuse_unreadable(declared.source)
    typer.echo(f"{declared.name}: {declared.title}", err=as_json)
    _prepare(verbose, as_json)
    from flows.search import search as search_flow

    result = search_flow(use_case, overrides=overrides, **settings)
    terminal.show_search(result, overrides, as_json)


@app.command()
def resume(
    run_id: Annotated[
        str,
        typer.Argument(
            help="The MLflow run that was killed or failed.", callback=names.check_run_id
        ),
    ],
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Continue a killed training or search in the same MLflow run."""
    terminal.prepare(verbose, as_json)
    from tasks.tracking.runs import parameters_of, recorded_flow

    overrides = parameters_of(run_id)["overrides"] or {}
    warm_up()
    from flows.search import resume_search
    from flows.train import resume_run

    if recorded_flow(run_id) == "search":
        terminal.show_search(resume_search(run_id), overrides, as_json)
        return
    terminal.show_result(resume_run(run_id), overrides, as_json)


@app.command("train-all")
def train_all(
    use_cases: Annotated[
        list[str] | None, typer.Argument(help="Use cases to train; default: all declared ones.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="How many run in parallel; default: one per core.")
    ] = None,
    set_: Set = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train all use cases in parallel, and print the leaderboard."""
    for name in use_cases or []:  # fails before the imports
        find_use_case(name)
    parse_overrides(set_ or [])
    set_ = reference_secrets(set_)
    _prepare(verbose, as_json, "flows.train_all")
    from flows.train_all import train_all as train_all_flow
    from tasks.tracking.leaderboard import read_leaderboard

    interruption.set_last_line("finished trainings are kept, running ones were stopped")
    trained = train_all_flow(use_cases, workers, set_)
    if as_json:
        typer.echo(trained.model_dump_json())
    elif trained.run_ids:
        show_leaderboard(read_leaderboard(run_ids=list(trained.run_ids.values())))
    for name, reason in trained.failures.items():
        typer.echo(f"finflows: {name} failed: {reason}", err=True)
    if trained.failures:
        raise typer.Exit(1)


@app.command()
def compare(
    use_case: Annotated[
        list[str] | None, typer.Option(help="Only this use case. Repeatable.")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Only runs with this MLflow tag. Repeatable."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="7d", help="How far to look back: 30m, 12h, 7d, 2w.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the comparison to this HTML file.")
    ] = None,
    publish: Annotated[
        bool, typer.Option(help="Publish it as a page in MLflow and a table in Prefect, too.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    as_json: Json = False,
) -> None:
    """Compare finished trainings: all, or those that match the filters."""
    for name in use_case or []:
        find_use_case(name)
    tags = arguments.parse_tags(tag or [])
    if html:
        arguments.refuse_output(html, "--html")
    terminal.prepare(verbose=False, as_json=as_json or as_csv)
    from tasks.comparison.exports import as_csv as csv_of
    from tasks.comparison.exports import as_json as json_of
    from tasks.tracking.leaderboard import read_leaderboard

    entries = read_leaderboard(use_case or (), tags, since)
    if html:
        from tasks.comparison.page import as_html

        html.write_text(as_html(entries), encoding="utf-8")
        typer.echo(f"wrote {html}", err=True)
    if publish:
        warm_up("flows.compare")
        from flows.compare import compare as compare_flow

        run_id = compare_flow(use_case, tags, since)
        typer.echo(f"published as run {run_id} of the experiment comparison", err=True)
    if as_csv or as_json:
        text = csv_of(entries) if as_csv else json_of(entries)
        typer.echo(text.rstrip())
    elif not html:
        show_leaderboard(entries)


@app.command()
def doctor(as_json: Json = False) -> None:
    """End runs whose process died, and check for usual problems; exit code 1 if there is one."""
    terminal.configure_environment(verbose=False)
    from flows.upkeep import run_upkeep

    checks, reaped = run_upkeep()
    if as_json:
        found = {"checks": [check._asdict() for check in checks], "reaped": reaped}
        typer.echo(json.dumps(found))
    else:
        terminal.show_checks(checks, reaped)
    if not all(check.passed for check in checks):
        raise typer.Exit(1)


@app.command()
def schedule(
    workers: Annotated[int, typer.Option(min=1, help="How many flow runs run in parallel.")] = 1,
    port: Annotated[
        int,
        typer.Option(
            min=1, max=arguments.LAST_PORT, help="Port of the Prefect server on 127.0.0.1."
        ),
    ] = 4200,
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
    terminal.refuse_unwritable_home()
    from flows.deployments import PLAN, serve_schedule

    interruption.set_last_line("nothing runs by the schedule until it is started again")
    serve_schedule(workers, port, file or PLAN)


def _overrides(assignments: list[str] | None, data: str | None) -> dict[str, Any]:
    """The settings from the command line, with references instead of secrets."""
    overrides = parse_overrides(assignments or [])
    if data is not None:
        overrides["source.uri"] = data
    return dict(reference_secrets(overrides))


def _prepare(verbose: bool, as_json: bool, flow: str = "flows.train") -> None:
    terminal.prepare(verbose, as_json)
    typer.echo(f"  {'starting':11} Prefect, MLflow and Great Expectations", err=as_json)
    with elapsed_line(""):  # below the line that says what
        warm_up(flow)
    end_stage("starting")


@app.command("list")
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


@app.command()
def show(use_case: UseCaseName, set_: Set = None) -> None:
    """Print the complete declaration of a use case: all settings that --set can change."""
    declared = override(find_use_case(use_case), parse_overrides(set_ or []))
    typer.echo(declared.model_dump_json(indent=2))


@app.command()
def ui(
    port: Annotated[
        int, typer.Option(min=1, max=arguments.LAST_PORT, help="Port on 127.0.0.1.")
    ] = 5000,
) -> None:
    """Run the MLflow UI for the local store, on 127.0.0.1."""
    terminal.configure_environment(verbose=False)
    refuse_taken_port(port)
    from tasks.tracking.store import serve_ui

    typer.echo(f"MLflow UI: http://127.0.0.1:{port} (stop it with Ctrl-C)")
    interruption.set_last_line("the MLflow UI has ended")
    serve_ui(port)


model_commands.add_commands(app)
draft_commands.add_commands(app)


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
