"""How good a model of a draft is that nobody corrects, beside that of a declaration by hand.

``python -m benchmarks.draft_quality [TABLE ...]`` drafts each table of ``benchmarks.by_hand``,
trains the drafted use case and the careful one on the same rows, and compares their test metric:
over five splits and seeds of tables below 3,000 rows, three below 20,000, one of larger ones. What
was trained is kept (``benchmarks.kept_metrics``), so an interrupted measurement goes on.

Where a draft keeps a column from the model that the careful declaration uses (it suspects a leak,
or its name suggests a protected attribute), the careful one is trained without it, too: the loss is
that between two models which may use the same. Where it keeps what is known only afterwards, which
a table does not show, it is trained without that.
"""

import argparse
import json
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import asdict
from functools import partial

from benchmarks.by_hand import BY_HAND, KNOWN_AFTERWARDS, NOT_BLIND
from benchmarks.draft_report import Compared, show
from benchmarks.kept_metrics import KeptMetrics, metric_of
from benchmarks.measuring import REPOSITORY
from benchmarks.reporting import open_console
from flows.command_line.terminal import configure_environment
from modelling.data.loading import read_table
from modelling.declaration import Source, UseCase
from modelling.drafting.columns.findings import TableFindings, Wanted
from modelling.drafting.columns.table_source import read_undeclared
from modelling.drafting.drafting import draft_table
from modelling.drafting.writer import declared_by, draft_text

KEPT = REPOSITORY / "mlruns" / "draft_quality.jsonl"
RESULTS = REPOSITORY / "mlruns" / "draft_quality.json"
SPLITS = {3000: 5, 20_000: 3}  # of tables with fewer rows; else one
SAME_QUESTION = ("split", "duplicates", "classes", "merge_classes", "ordered", "headline")
console = open_console(160)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.draft_quality", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(BY_HAND))
    parser.add_argument("--splits", type=int, help="instead of five, three or one by rows")
    parser.add_argument("--show", action="store_true", help="what was measured, without training")
    given = parser.parse_args()
    if unknown := {*given.tables} - {*BY_HAND}:
        parser.error(f"no such table: {', '.join(sorted(unknown))}")
    configure_environment(verbose=False)
    for name in ("py.warnings", "great_expectations"):  # as trainings keep them quiet
        logging.getLogger(name).setLevel(logging.ERROR)
    measured = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    names = [] if given.show else given.tables or [*BY_HAND]
    for number, name in enumerate(names, start=1):
        table = f"{name}, table {number} of {len(names)}"
        with console.status(table) as line:
            kept = KeptMetrics(KEPT, partial(_tell, line.update, table))
            found = compare(BY_HAND[name], kept, given.splits)
        measured[name] = asdict(found)
        console.print(found.summary)
        RESULTS.write_text(json.dumps(measured, indent=1))
    shown = [
        Compared(**{**measured[name], "not_blind": NOT_BLIND.get(name, "")})
        for name in BY_HAND
        if name in measured
    ]
    show(shown, console)


def _tell(update: Callable[[str], None], table: str, said: str) -> None:
    update(f"{table}: {said}")


def compare(by_hand: UseCase, kept: KeptMetrics, splits: int | None) -> Compared:
    """Draft the table of a careful declaration, and train both on the same rows."""
    started = time.perf_counter()
    findings = draft(by_hand)
    seconds = time.perf_counter() - started
    drafted = declared_by(draft_text(findings)).model_copy(update={"source": by_hand.source})
    same = {name: getattr(drafted, name) for name in SAME_QUESTION}
    careful = by_hand.model_copy(update={**same, "gate": None})
    kept_back = _kept_back(findings, by_hand)
    afterwards = {column.name for column in drafted.features} & {
        *KNOWN_AFTERWARDS.get(by_hand.name, ())
    }
    most = splits or next((n for rows, n in SPLITS.items() if findings.rows < rows), 1)
    seeds = range(1, most + 1)
    metric = metric_of(by_hand)
    return Compared(
        table=by_hand.name,
        rows=findings.rows,
        columns=len(findings.columns),
        metric=metric.name,
        higher_is_better=metric.higher_is_better,
        draft_seconds=round(seconds, 1),
        drafted=kept.reached(without(drafted, afterwards), seeds),
        by_hand=kept.reached(careful, seeds),
        alike=kept.reached(without(careful, kept_back), seeds),
        kept_back=kept_back,
        known_afterwards=sorted(afterwards),
        left_out={column.name: str(column.left_out) for column in findings.left_out},
        accused=[column.name for column in findings.columns if column.gives_target_away],
    )


def draft(use_case: UseCase) -> TableFindings:
    """What is found in the table of ``use_case`` when nothing but its target is known."""
    wanted = Wanted(use_case.name, use_case.target)
    if isinstance(use_case.source, Source):
        return draft_table(*read_undeclared(Source(uri=use_case.source.uri)), wanted)
    return draft_table(read_table(use_case.source), Source(uri="table.csv"), (), wanted)


def _kept_back(findings: TableFindings, by_hand: UseCase) -> list[str]:
    """The features of a careful declaration that the draft keeps from the model for a person to
    decide: protected attributes, and what may give the target away."""
    used = {column.name for column in by_hand.features}
    return [
        column.name
        for column in findings.columns
        if column.name in used and (column.role == "protected" or column.gives_target_away)
    ]


def without(use_case: UseCase, names: Collection[str]) -> UseCase:
    """The same use case, whose model does not see these columns."""
    kept_from_it = {"role": "protected", "direction": None}
    columns = tuple(
        column.model_copy(update=kept_from_it) if column.name in names else column
        for column in use_case.columns
    )
    return use_case.model_copy(update={"columns": columns})


if __name__ == "__main__":
    main()
