"""Search for better settings, go on with an interrupted run, or repeat a finished one."""

import json
from typing import Annotated, Any

import typer

from flows.command_line import arguments, results, terminal
from flows.command_line.arguments import Data, Json, Set, UseCaseName, Verbose
from flows.command_line.warm_up import start_flow
from modelling.declaration import names
from modelling.declaration.search_space import refuse_search
from modelling.shown_text import one_line
from tasks.progress import elapsed_line


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
    """Search for better settings than the declared ones, then train with what is chosen."""
    settings: dict[str, Any] = {"trials": trials, "workers": workers, "sampler": sampler}
    settings |= {"dask": dask, "pool": pool, "seed": seed}
    refuse_search(trials, workers, sampler, dask, pool)
    declared, overrides = arguments.declared_use_case(use_case, set_, data)
    typer.echo(one_line(f"{declared.name}: {declared.title}"), err=as_json)
    terminal.prepare(verbose, as_json)
    start_flow("flows.train", as_json)
    from flows.search import search as search_flow

    result = search_flow(use_case, overrides=overrides, **settings)
    results.show_search(result, overrides, as_json)


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
    with elapsed_line("reading"):
        from tasks.tracking.resuming import parameters_of, recorded_flow

        overrides = parameters_of(run_id)["overrides"] or {}
    start_flow("flows.train", as_json)
    from flows.search import resume_search
    from flows.train import resume_run

    if recorded_flow(run_id) == "search":
        results.show_search(resume_search(run_id), overrides, as_json)
        return
    results.show_result(resume_run(run_id), overrides, as_json)


def reproduce(
    run_id: Annotated[
        str,
        typer.Argument(help="The MLflow run of a finished training.", callback=names.check_run_id),
    ],
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Repeat the training of a run, and compare: identical, or the first difference.

    Exit code 1 if something differs.
    """
    terminal.prepare(verbose, as_json)
    with elapsed_line("reading"):
        from tasks.tracking.resuming import parameters_of

        parameters_of(run_id, finished=True)
    start_flow("flows.train", as_json)
    from flows.reproduce import reproduce_run

    reproduced = reproduce_run(run_id)
    typer.echo(json.dumps(reproduced.model_dump()) if as_json else reproduced.text())
    if reproduced.first_difference:
        raise typer.Exit(1)
