"""The command line ``finflows``. Heavy libraries are imported when a command needs them."""

import gc
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.command_line import arguments, interruption, model_commands, terminal
from flows.command_line.warm_up import warm_up
from modelling.declaration import names
from modelling.declaration.overrides import override, parse_overrides
from modelling.declaration.references import reference_secrets, refuse_unreadable
from modelling.declaration.search_space import refuse_search
from modelling.declaration.use_case_files import find_use_case, use_case_names
from modelling.refusals import UsageError
from tasks.workers.ports import refuse_taken_port

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
    overrides = _overrides(set_, data)
    declared = override(find_use_case(use_case), overrides)  # a typo costs no import
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
    workers: Annotated[int, typer.Option(help="Trials at a time, each in its own process.")] = 1,
    sampler: Annotated[str, typer.Option(help="tpe, grid or random.")] = "tpe",
    dask: Annotated[
        str | None,
        typer.Option(help="Train on a Dask cluster: its address, tls://HOST:8786, or 'local'."),
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
    asked: dict[str, Any] = {"trials": trials, "workers": workers, "sampler": sampler}
    asked |= {"dask": dask, "pool": pool, "seed": seed}
    refuse_search(trials, workers, sampler, dask, pool)
    overrides = _overrides(set_, data)
    declared = override(find_use_case(use_case), overrides)
    refuse_unreadable(declared.source)
    typer.echo(f"{declared.name}: {declared.title}", err=as_json)
    _prepare(verbose, as_json)
    from flows.search import search as search_flow

    result = search_flow(use_case, overrides=overrides, **asked)
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
    """Go on with a killed training or search where it was, in the same MLflow run."""
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
        list[str] | None, typer.Argument(help="Only these; default: all that are declared.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="How many at a time; default: one for each core.")
    ] = None,
    set_: Set = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train every use case, side by side, and print the leaderboard."""
    for name in use_cases or []:  # a typo costs no import
        find_use_case(name)
    parse_overrides(set_ or [])
    set_ = reference_secrets(set_)
    _prepare(verbose, as_json, "flows.train_all")
    from flows.train_all import train_all as train_all_flow
    from tasks.tracking.leaderboard import read_leaderboard

    interruption.tell_what_is_kept(
        "what was trained before is kept, what was running has been stopped"
    )
    trained = train_all_flow(use_cases, workers, set_)
    if as_json:
        typer.echo(trained.model_dump_json())
    elif trained.run_ids:
        terminal.show_leaderboard(read_leaderboard(run_ids=list(trained.run_ids.values())))
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
        Path | None, typer.Option(help="Write the comparison to this file, as a page.")
    ] = None,
    publish: Annotated[
        bool, typer.Option(help="Keep it as a page in MLflow and a table in Prefect, too.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    as_json: Json = False,
) -> None:
    """Put finished trainings side by side: all, or those that match the filters."""
    for name in use_case or []:
        find_use_case(name)
    tags = arguments.tags(tag or [])
    if html:
        arguments.refuse_output(html, "--html")
    terminal.prepare(verbose=False, as_json=as_json or as_csv)
    from tasks import comparison
    from tasks.tracking.leaderboard import read_leaderboard

    standings = read_leaderboard(use_case or (), tags, since)
    if html:
        html.write_text(comparison.as_html(standings), encoding="utf-8")
        typer.echo(f"wrote {html}", err=True)
    if publish:
        warm_up("flows.compare")
        from flows.compare import compare as compare_flow

        run_id = compare_flow(use_case, tags, since)
        typer.echo(f"published as run {run_id} of the experiment comparison", err=True)
    if as_csv or as_json:
        text = comparison.as_csv(standings) if as_csv else comparison.as_json(standings)
        typer.echo(text.rstrip())
    elif not html:
        terminal.show_leaderboard(standings)


@app.command()
def doctor(as_json: Json = False) -> None:
    """End runs whose process died, and check the usual traps; exit code 1 where one is found."""
    terminal.configure_environment(verbose=False)
    from flows.upkeep import run_upkeep

    checks, reaped = run_upkeep()
    if as_json:
        typer.echo(json.dumps({"checks": [one._asdict() for one in checks], "reaped": reaped}))
    else:
        terminal.show_checks(checks, reaped)
    if not all(one.passed for one in checks):
        raise typer.Exit(1)


@app.command()
def schedule(
    workers: Annotated[int, typer.Option(min=1, help="Flow runs at a time.")] = 1,
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
            help="What to run; default: prefect.yaml of this checkout.",
        ),
    ] = None,
) -> None:
    """Run what prefect.yaml plans when it is due, on this machine, until interrupted."""
    terminal.configure_environment(verbose=False)
    terminal.refuse_unwritable_home()
    from flows.deployments import PLAN, serve_all

    interruption.tell_what_is_kept("nothing is run by the schedule until it is started again")
    serve_all(workers, port, file or PLAN)


def _overrides(assignments: list[str] | None, data: str | None) -> dict[str, Any]:
    """The settings that were typed, with references in the place of secrets from here on."""
    overrides = parse_overrides(assignments or [])
    if data is not None:
        overrides["source.uri"] = data
    return dict(reference_secrets(overrides))


def _prepare(verbose: bool, as_json: bool, flow: str = "flows.train") -> None:
    terminal.prepare(verbose, as_json)
    warm_up(flow)


@app.command("list")
def list_use_cases(as_json: Json = False) -> None:
    """List the declared use cases."""
    declared = []
    for name in use_case_names():
        try:
            declared.append(find_use_case(name))
        except UsageError as error:  # the others are none the worse for it
            terminal.refuse(error)
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
    port: Annotated[
        int, typer.Option(min=1, max=arguments.LAST_PORT, help="Port on 127.0.0.1.")
    ] = 5000,
) -> None:
    """Open the MLflow UI over the local store, on 127.0.0.1."""
    terminal.configure_environment(verbose=False)
    refuse_taken_port(port)
    from tasks.tracking.store import serve_ui

    typer.echo(f"MLflow UI: http://127.0.0.1:{port} (stop it with Ctrl-C)")
    interruption.tell_what_is_kept("the MLflow UI has ended")
    serve_ui(port)


model_commands.add_to(app)


def main() -> None:
    """Exit code 2 for wrong usage, 3 for refused data, 1 where the machine gave out, 128 and its
    number after a signal."""
    sys.excepthook = terminal.show_traceback
    interruption.watch()
    try:
        app(standalone_mode=True)
    except Exception as error:
        interruption.exit_if_interrupted()
        if (code := terminal.exit_code(error)) is None:
            raise
        terminal.refuse(error)
        sys.exit(code)
    except BaseException:
        interruption.exit_if_interrupted()
        raise
    finally:
        interruption.let_finish()
        gc.freeze()  # or Python looks through all that was imported once more, for seconds


if __name__ == "__main__":
    main()
