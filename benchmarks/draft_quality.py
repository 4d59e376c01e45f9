"""How good a model of a draft is that nobody corrects, beside that of a declaration by hand.

``python -m benchmarks.draft_quality [TABLE ...]`` drafts each table of ``benchmarks.by_hand``,
trains the drafted use case and the careful one on the same rows, and compares their test metric:
the mean of three splits and seeds, of one for tables of 20,000 rows and more.

Where a draft keeps a column from the model that the careful declaration uses (it suspects a leak,
or its name suggests a protected attribute), the careful one is trained without it, too: the last
difference is that of two models which may use the same.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.by_hand import BY_HAND
from benchmarks.measuring import REPOSITORY
from benchmarks.trained_network import packaged_network
from flows.command_line.terminal import configure_environment
from modelling.data.loading import read_table
from modelling.data.splitting import split_table
from modelling.declaration import Source, UseCase
from modelling.declaration.overrides import override
from modelling.drafting.columns.findings import TableFindings, Wanted
from modelling.drafting.columns.table_source import read_undeclared
from modelling.drafting.drafting import draft_table
from modelling.drafting.writer import declared_by, draft_text
from modelling.judgement.evaluation import scored_rows
from modelling.judgement.metrics.catalogue import default_headline, find_metric
from modelling.scorer.scoring import Scorer
from tasks.preparation import prepare_data

RESULTS = REPOSITORY / "mlruns" / "draft_quality.json"
MOST_ON_AVERAGE, MOST_OF_ONE = {"roc_auc": 0.005}, {"roc_auc": 0.02}
SHARE_ON_AVERAGE, SHARE_OF_ONE = 0.01, 0.02  # of the value of any other metric
ONE_SPLIT_FROM = 20_000
SAME_QUESTION = ("split", "duplicates", "classes", "merge_classes", "ordered", "headline")
console = Console(highlight=False, width=None if Console().is_terminal else 160)


@dataclass
class Compared:
    """One table: test metrics, means over splits; ``loss`` is positive where the draft is worse,
    ``loss_alike`` beside a careful declaration without the columns that the draft ``kept_back``."""

    table: str
    rows: int
    columns: int
    problem: str
    metric: str
    draft_seconds: float
    splits: int
    by_hand: float
    drafted: float
    loss: float
    loss_alike: float
    kept_back: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    accused: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.draft_quality")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(BY_HAND))
    parser.add_argument("--splits", type=int, default=3, help="of tables below 20,000 rows")
    given = parser.parse_args()
    configure_environment(verbose=False)
    measured = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in given.tables or BY_HAND:
        with console.status(name):
            found = compare(BY_HAND[name], given.splits)
        measured[name] = asdict(found)
        console.print(f"{name}: {found.by_hand:.4f} by hand, {found.drafted:.4f} drafted")
        RESULTS.write_text(json.dumps(measured, indent=1))
    show([Compared(**measured[name]) for name in BY_HAND if name in measured])


def compare(by_hand: UseCase, splits: int) -> Compared:
    """Draft the table of a careful declaration, and train both on the same rows."""
    started = time.perf_counter()
    findings = draft(by_hand)
    seconds = time.perf_counter() - started
    drafted = declared_by(draft_text(findings))
    drafted = drafted.model_copy(update={"source": by_hand.source})
    same = {name: getattr(drafted, name) for name in SAME_QUESTION}
    by_hand = by_hand.model_copy(update={**same, "gate": None})
    seeds = range(1, 2 if findings.rows >= ONE_SPLIT_FROM else splits + 1)
    reached, metric = test_metric(drafted, seeds)
    careful, _ = test_metric(by_hand, seeds)
    kept_back = _kept_back(findings, by_hand)
    alike = test_metric(without(by_hand, kept_back), seeds)[0] if kept_back else careful
    sign = 1.0 if find_metric(metric, by_hand.problem).higher_is_better else -1.0
    return Compared(
        table=by_hand.name,
        rows=findings.rows,
        columns=len(findings.columns),
        problem=by_hand.problem,
        metric=metric,
        draft_seconds=round(seconds, 1),
        splits=len(seeds),
        by_hand=careful,
        drafted=reached,
        loss=sign * (careful - reached),
        loss_alike=sign * (alike - reached),
        kept_back=kept_back,
        left_out={column.name: str(column.left_out) for column in findings.left_out},
        accused=[column.name for column in findings.columns if column.gives_target_away],
    )


def draft(use_case: UseCase) -> TableFindings:
    """What is found in the table of ``use_case`` when nothing but its target is known."""
    wanted = Wanted(use_case.name, use_case.target)
    if isinstance(use_case.source, Source):
        return draft_table(*read_undeclared(Source(uri=use_case.source.uri)), wanted)
    return draft_table(read_table(use_case.source), Source(uri="table.csv"), (), wanted)


def test_metric(use_case: UseCase, seeds: range) -> tuple[float, str]:
    """The mean of the first headline metric on test rows, and its name."""
    name = default_headline(use_case.problem)[0]
    metric = find_metric(name, use_case.problem)
    table = prepare_data.fn(use_case).table
    values = []
    for seed in seeds:
        settings = {"training.seed": seed, "training.checkpoint_every_epochs": 0}
        if hasattr(use_case.split, "seed"):
            settings["split.seed"] = seed
        declared = override(use_case, settings)
        parts = split_table(table, declared)
        with TemporaryDirectory() as scratch:
            package = packaged_network(parts, declared, Path(scratch))
            outputs = Scorer(package.folder).outputs(parts.test)
        values.append(metric.value(scored_rows(parts.test, outputs, declared)))
    return float(np.mean(values)), name


def _kept_back(findings: TableFindings, by_hand: UseCase) -> list[str]:
    """The features of a careful declaration that the draft keeps from the model for a person to
    decide: protected attributes, and what may give the target away."""
    used = {column.name for column in by_hand.features}
    return [
        column.name
        for column in findings.columns
        if column.name in used and (column.role == "protected" or column.gives_target_away)
    ]


def without(use_case: UseCase, names: list[str]) -> UseCase:
    """The same use case, whose model does not see these columns."""
    columns = tuple(
        column.model_copy(update={"role": "protected"}) if column.name in names else column
        for column in use_case.columns
    )
    return use_case.model_copy(update={"columns": columns})


def show(results: list[Compared]) -> None:
    table = Table(title="Drafted without a correction, beside a careful declaration by hand")
    names = ("table", "rows", "columns", "problem", "draft s", "metric", "by hand", "drafted")
    for name in (*names, "loss", "loss alike", "kept back or accused"):
        table.add_column(name, justify="left" if name in ("table", "problem") else "right")
    for one in results:
        table.add_row(
            one.table, f"{one.rows:,}", str(one.columns), one.problem, f"{one.draft_seconds:.1f}",
            one.metric, f"{one.by_hand:.4f}", f"{one.drafted:.4f}", f"{one.loss:+.4f}",
            f"{one.loss_alike:+.4f}", ", ".join(dict.fromkeys([*one.kept_back, *one.accused])),
        )  # fmt: skip
    console.print(table)
    for metric in dict.fromkeys(one.metric for one in results):
        _show_total(metric, [one for one in results if one.metric == metric])


def _show_total(metric: str, of_metric: list[Compared]) -> None:
    """The mean and the largest loss of a metric, beside what is allowed."""
    share = metric not in MOST_ON_AVERAGE
    losses = [one.loss_alike / (one.by_hand if share else 1) for one in of_metric]
    mean_allowed = MOST_ON_AVERAGE.get(metric, SHARE_ON_AVERAGE)
    one_allowed = MOST_OF_ONE.get(metric, SHARE_OF_ONE)
    shown = "{:+.2%}" if share else "{:+.4f}"
    mean, worst = (shown.format(value) for value in (np.mean(losses), max(losses)))
    console.print(
        f"{metric}: mean loss alike {mean} (at most {shown.format(mean_allowed)}), "
        f"largest {worst} (at most {shown.format(one_allowed)})"
    )


if __name__ == "__main__":
    main()
