"""Train one use case or all, and put side by side what was trained."""

from pathlib import Path
from typing import Annotated

import typer

from flows.command_line import arguments, interruption, results, terminal
from flows.command_line.arguments import Data, Json, Set, UseCaseName, Verbose
from flows.command_line.leaderboard_table import show_leaderboard
from flows.command_line.warm_up import start_flow, warm_up
from modelling.declaration.references import reference_secrets
from modelling.declaration.use_case_files import find_use_case
from modelling.shown_text import one_line
from tasks.progress import elapsed_line
from tasks.tracking.unfinished_files import refuse_output, write_whole


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
    declared, overrides = arguments.declared_use_case(use_case, set_, data)
    typer.echo(one_line(f"{declared.name}: {declared.title}"), err=as_json)
    terminal.prepare(verbose, as_json)
    start_flow("flows.train", as_json)
    from flows.train import train as train_flow

    result = train_flow(use_case, overrides, remedy)
    results.show_result(result, overrides, as_json)


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
    set_ = reference_secrets(set_ or [])
    arguments.refuse_settings(use_cases or [], set_)
    terminal.prepare(verbose, as_json)
    start_flow("flows.train_all", as_json)
    from flows.train_all import train_all as train_all_flow
    from tasks.tracking.leaderboard.reading import read_leaderboard

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
        bool,
        typer.Option(
            "--publish", help="Publish it as a page in MLflow and a table in Prefect, too."
        ),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="How many of each use case, the best first (default 30). The newest, the champion "
            "and the challenger are always there.",
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    as_json: Json = False,
) -> None:
    """Compare finished trainings: all, or those that match the filters."""
    for name in use_case or []:
        find_use_case(name)
    tags = arguments.parse_tags(tag or [])
    if html:
        refuse_output(html, "--html", (".html", ".htm"))
    terminal.prepare(verbose=False, as_json=as_json or as_csv)
    with elapsed_line("reading"):
        from tasks.comparison.exports import as_csv as csv_of
        from tasks.comparison.exports import as_json as json_of
        from tasks.tracking.leaderboard.reading import SHOWN, read_leaderboard

        limit = limit or SHOWN
        entries = read_leaderboard(use_case or (), tags, since, limit=limit)
    for line in entries.left_out:
        typer.echo(line, err=True)
    if html:
        from tasks.comparison.page import as_html

        write_whole(html, as_html(entries, entries.left_out))
        typer.echo(f"wrote {html}", err=True)
    if publish:
        warm_up("flows.compare")
        from flows.compare import compare as compare_flow

        run_id = compare_flow(use_case, tags, since, limit=limit)
        typer.echo(f"published as run {run_id} of the experiment comparison", err=True)
    if as_csv or as_json:
        text = csv_of(entries) if as_csv else json_of(entries)
        typer.echo(text.rstrip())
    elif not html:
        show_leaderboard(entries, is_filtered=bool(use_case or tags or since))
