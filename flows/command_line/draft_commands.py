"""The commands before a training: draft a use case from a table, check a table against one."""

import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from flows.command_line import arguments, drafted, terminal
from flows.command_line.arguments import Data, Json, Set, UseCaseName, Written
from modelling.declaration import Source, names
from modelling.declaration.overrides import declare_source, parse_fields
from modelling.declaration.references import refuse_unreadable
from modelling.drafting.columns.findings import TableFindings, TargetFinding, Wanted
from modelling.drafting.new_declarations import (
    folder_for_new_declarations,
    name_of,
    refuse_secrets,
    seen_from,
)
from modelling.refusals import DataRefused, UsageError
from modelling.secrets import hide_secrets
from tasks.tracking.unfinished_files import refuse_output, write_whole


def draft(
    table: Annotated[str, typer.Argument(help="Any table that training reads, or a database.")],
    target: Annotated[str, typer.Option(help="The column that is to be predicted.")],
    name: Annotated[
        str | None, typer.Option(help="What the use case is called; default: as its file or table.")
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="The column that says when a row was decided.")
    ] = None,
    identifier: Annotated[
        str | None, typer.Option("--id", help="The column that says whom a row is about.")
    ] = None,
    positive: Annotated[
        str | None, typer.Option(help="The label that is to be found: 'yes', 'default', 1.")
    ] = None,
    query: Annotated[str | None, typer.Option(help="Of a database: SELECT ... FROM ...")] = None,
    source: Written = None,
    to: Annotated[
        Path | None, typer.Option(help="Write this file instead of use_cases/NAME.py.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the use case of a table that is not declared yet, with a reason beside each line."""
    fields = {**parse_fields(source or [], "--source"), **({"query": query} if query else {})}
    declared = declare_source(table, fields)
    refuse_secrets(declared)
    name = names.check_use_case_name(name or name_of(to, table, target))
    file = to or folder_for_new_declarations() / f"{name}.py"
    refuse_output(file, "--to", (".py",))
    if file.exists() and not force:
        raise UsageError(
            f"{file} is there already: say --force to write over it, or --to another file"
        )
    refuse_unreadable(declared)
    wanted = Wanted(name, target, time, identifier, positive)
    findings = _look_at(declared, file, wanted, as_json)
    from modelling.drafting.writer import draft_text

    write_whole(file, draft_text(findings))
    if as_json:
        typer.echo(json.dumps({"file": str(file), **asdict(findings)}, ensure_ascii=False))
    else:
        drafted.show_draft(findings, file)


def _look_at(source: Source, file: Path, wanted: Wanted, as_json: bool) -> TableFindings:
    """Read and examine the table, and show how far that is."""
    logging.getLogger("finflows").addHandler(logging.NullHandler())
    from modelling.drafting.columns.table_source import read_undeclared
    from modelling.drafting.drafting import draft_table

    with _progress(as_json) as progress:
        bar = progress.add_task(f"reading {hide_secrets(source.uri)}", total=None)

        def tell(what: str, done: int, of: int) -> None:
            progress.update(bar, description=what, completed=done, total=of or None)

        def ask(found: TargetFinding) -> str | None:
            progress.stop()
            answer = _asked(found, as_json)
            progress.start()
            return answer

        table, read, said = read_undeclared(source)
        beside = read.model_copy(update={"uri": seen_from(file, source.uri)})
        return draft_table(table, beside, said, wanted, ask, tell)


def _progress(as_json: bool) -> Progress:
    """Where the work is, for whoever looks at a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    hidden = as_json or not console.is_terminal
    return Progress(*columns, console=console, transient=True, disable=hidden)


def _asked(found: TargetFinding, as_json: bool) -> str | None:
    """The positive label, from whoever sits at the terminal; None where nobody does."""
    if as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    labels = [str(label) for label in reversed(found.classes)]
    question = f"Which label of {found.name} is to be found: {' or '.join(labels)}?"
    while (answer := typer.prompt(question, default=labels[0])) not in labels:
        typer.echo(f"one of: {', '.join(labels)}")
    return answer


def check(
    use_case: UseCaseName, data: Data = None, set_: Set = None, as_json: Json = False
) -> None:
    """Read and validate a table without training: what it keeps and breaks, where to change it.

    Exit code 3 where it could not be trained on.
    """
    declared, _ = arguments.declared_use_case(use_case, set_, data)
    terminal.configure_environment(verbose=False)
    terminal.show_stages(to_stderr=as_json)
    from tasks.preparation import prepare

    try:
        data_ready = prepare(declared)
    except DataRefused as refused:
        if not refused.broken:
            raise
        drafted.show_check(use_case, refused.broken, None, as_json)
        raise typer.Exit(3) from None
    report, parts = data_ready.report, data_ready.parts
    facts = {"rules": report.rules, "rows": report.rows}
    facts |= {name: len(part) for name, part in parts._asdict().items()}
    drafted.show_check(use_case, report.broken, facts, as_json)
