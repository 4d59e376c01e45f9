"""Registered models: their answers, which one is used, and who decided that."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.command_line import interruption, terminal
from flows.command_line.arguments import (
    Json,
    ModelName,
    UseCaseName,
    Verbose,
    Version,
    Written,
)
from flows.command_line.results import show_watch
from flows.command_line.warm_up import may_have_prefect_server, warm_up
from modelling.checkout import command
from modelling.declaration import names
from modelling.declaration.overrides import declare_source, parse_fields
from modelling.declaration.references import refuse_unreadable
from tasks.progress import elapsed_line
from tasks.scoring.paths import refuse_paths
from tasks.tracking.unfinished_files import refuse_output

Reason = Annotated[
    str,
    typer.Option(help="The reason, stored in the registry.", callback=names.check_reason),
]


def score(
    use_case: ModelName,
    input_: Annotated[
        str, typer.Argument(metavar="INPUT", help="A table from any source, of any size.")
    ],
    output: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="CSV or Parquet file for the answers.")
    ],
    version: Version = None,
    source: Written = None,
    reasons: Annotated[
        int, typer.Option(min=0, metavar="N", help="Say why: up to N reasons for each answer.")
    ] = 0,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Score a file with the champion, with reasons where --reasons asks for them.

    The file may have any size; rows that are refused go to a quarantine file beside the output.
    """
    written = parse_fields(source or [], "--source")
    table = declare_source(input_, written)  # fails before the imports
    refuse_paths(table, Path(output))
    terminal.prepare_without_prefect(verbose, as_json)
    interruption.set_last_line(last_line_of_scoring(Path(output)))
    result = _scoring()(use_case, input_, output, version, written, reasons)
    if as_json:
        typer.echo(json.dumps(result.model_dump()))


def last_line_of_scoring(output: Path) -> Callable[[], str]:
    """What to say of an interrupted scoring: its file is written whole, in the place of an older
    one, before the run in MLflow is closed."""

    def file_now() -> os.stat_result | None:
        return output.stat() if output.exists() else None

    def said() -> str:
        now = file_now()
        if now is None or (before is not None and os.path.samestat(before, now)):
            return "no answers were written"
        return f"all answers are in {output}, but their run in MLflow may not say so"

    before = file_now()
    return said


def _scoring() -> Callable[..., Any]:
    """The flow where a Prefect server may be told of it; else what the flow does, which for a small
    file needs a third of the time."""
    if may_have_prefect_server():
        terminal.refuse_unusable_prefect()
        warm_up("flows.score")
        from flows.score import score as score_flow

        return score_flow
    from flows.score_table import score_table

    return score_table


def watch(
    use_case: UseCaseName,
    input_: Annotated[
        str, typer.Argument(metavar="INPUT", help="Rows that came after the training.")
    ],
    version: Version = None,
    source: Written = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Compare rows of today with those that the champion was judged on: drift, and outcomes.

    Outcomes are judged where the table has the target. Exit code 1 if there is an alarm.
    """
    written = parse_fields(source or [], "--source")
    refuse_unreadable(declare_source(input_, written))
    terminal.prepare(verbose, as_json)
    interruption.set_last_line("the watch was not finished")
    from flows.watch import watch_table

    result = watch_table(use_case, input_, version, written)
    interruption.set_last_line(f"the watch is recorded, as run {result.run_id}")
    show_watch(result, as_json)
    if result.alarms:
        raise typer.Exit(1)


def champion(use_case: ModelName, as_json: Json = False) -> None:
    """Show the champion, since when and why, and earlier champions.

    Exit code 1 if the history is broken, 2 if the champion can't be loaded.
    """
    terminal.configure_environment(verbose=False)
    with elapsed_line("reading"):
        from tasks.registry.champions import registry_status
        from tasks.registry.model_files import load_version

        now = registry_status(use_case)
    typer.echo(json.dumps(now.as_dict()) if as_json else now.text())
    if now.champion is not None:
        load_version(use_case, now.champion)
    if now.gaps:
        raise typer.Exit(1)


def dossier(
    use_case: ModelName,
    version: Annotated[
        str | None, typer.Option(help="By default the champion, else the newest.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="A .html or .md file to write; by default NAME-VERSION.html."),
    ] = None,
) -> None:
    """Write the dossier of a version: everything that answers for it, on one page."""
    terminal.configure_environment(verbose=False)
    if output is not None:
        refuse_output(output, "--output", (".html", ".md"))
    with elapsed_line("reading"):
        from tasks.registry.dossier.dossiers import write_dossier

        written = write_dossier(use_case, version, output)
    typer.echo(f"{written.file}: {written.said}")


def promote(
    use_case: ModelName,
    version: Annotated[str, typer.Option(help="The version that becomes champion.")],
    reason: Reason,
) -> None:
    """Make a version champion manually, or request it where a second person must approve."""
    _prepare_decision(use_case)
    from tasks.registry.approvals import promote_manually

    promoted = promote_manually(use_case, version, reason)
    unchanged = ": nothing was changed" if "already" in promoted.outcome else ""
    typer.echo(f"{use_case}: {promoted.text(use_case, version)}{unchanged}")


def approve(
    use_case: ModelName,
    version: Annotated[str, typer.Option(help="The version that somebody else requested.")],
    reason: Reason,
) -> None:
    """Approve, as a second person, that a requested version becomes champion."""
    _prepare_decision(use_case)
    from tasks.registry import approvals

    approvals.approve(use_case, version, reason)
    typer.echo(f"{use_case}: version {version} is champion")


def decline(
    use_case: ModelName,
    version: Annotated[str, typer.Option(help="The version whose request ends.")],
    reason: Reason,
) -> None:
    """Decline the request for a version, or take it back; the champion stays."""
    _prepare_decision(use_case)
    from tasks.registry import approvals

    approvals.decline(use_case, version, reason)
    typer.echo(f"{use_case}: the request for version {version} was declined")


def rollback(use_case: ModelName, reason: Reason) -> None:
    """Make the previous champion champion again."""
    _prepare_decision(use_case)
    from tasks.registry.champions import roll_back

    old, new = roll_back(use_case, reason)
    typer.echo(f"{use_case}: version {new} is champion again, instead of version {old}")


def _prepare_decision(use_case: str) -> None:
    """Run again, an interrupted decision may be a second one: a rollback goes back further."""
    terminal.configure_environment(verbose=False)
    shown = command("champion", use_case)
    interruption.set_last_line(f"look at {shown} before you run the command again")
