"""Score a table of any size in bounded memory: what training reads in, CSV or Parquet out.

Rows that the model refuses go to a quarantine file beside the output, with their number and the
rules that they break.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from modelling.data.loading import open_source, shown_name
from modelling.data.reading.report_lines import lines_of_a_report
from modelling.declaration import Source
from modelling.refusals import DataRefused
from tasks.registry.scoring_runs import ModelInterface
from tasks.scoring.answer_files import whole_or_nothing
from tasks.scoring.layout import BROKEN, Layout
from tasks.scoring.paths import input_path, quarantine_of, refuse_paths
from tasks.scoring.raw_batches import as_first_read, input_frame, of_one_unit
from tasks.scoring.seen_columns import ENOUGH_ROWS, Seen
from tasks.workers.training_workers import usable_cores

ARROW_TYPES = {"double": pa.float64(), "long": pa.int64(), "string": pa.string()}
MAXIMUM_THREADS = 8  # each holds a batch of rows in memory
UNKNOWN = "unknown"  # the column of answers that names columns with unknown labels
IS_A_ROW = "the line: is a row, not the header again or a total"


class Scored(NamedTuple):
    """How many rows came in, how many of them were set aside, how many held nothing that the model
    reads, how many had a label that no training row had (by column), what the input was, how many
    rows broke each rule, and of many rows the ``empty_columns``, without a value in any, and the
    columns of numbers that have ``drifted``, the furthest first."""

    rows: int
    quarantined: int
    empty: int
    unknown: dict[str, int]
    input_hash: str
    broken: dict[str, int]
    empty_columns: list[str] = []
    drifted: list[str] = []


def score_file(
    model: ModelInterface,
    source: Source,
    output: Path,
    on_rows: Callable[[int], None] = lambda _: None,
) -> Scored:
    """Write an answer for every row of ``source`` to ``output``, in the order of the rows.

    Each row of the output has its number (from 1), the columns that are not inputs of the model (an
    identifier, say) and the answers, typed as ``model`` says. A quarantine file that is scored
    again keeps the numbers of the first file. Raises UsageError where a path can't be used,
    DataRefused where ``source`` is not a table or too many labels are unknown, and what ``answer``
    raises where columns are missing.
    """
    refuse_paths(source, output)
    written = source.model_copy(update=asdict(model.text_format))
    raw = as_first_read(open_source(written, model.kinds, rest=True), model)
    layout, file = Layout.of(raw.names, model), input_path(source)
    content = hashlib.sha256()  # where the input is no file
    unknown, broken, seen = Counter[str](), Counter[str](), Seen(Counter(), {})
    with whole_or_nothing(output) as answered, whole_or_nothing(quarantine_of(output)) as aside:
        rows, set_aside, empty = 0, 0, 0
        for batch, answers, held in _answered(of_one_unit(raw.batches, model), layout, model):
            numbers = layout.numbers(batch, rows)
            refused = answers.iloc[:, 0].isna().to_numpy()  # no other row lacks it
            if raw.is_text:
                refused = refused | _noted_report_lines(batch, answers, model)
            typed = {n: pa.array(answers[n], ARROW_TYPES[t]) for n, t in model.outputs.items()}
            whole = pa.table({**numbers, **layout.passed_on(batch), **typed})
            answered.write(whole.filter(pa.array(~refused)))
            if refused.any():
                rules = {BROKEN: pa.array(answers[BROKEN], pa.string())}
                as_it_came = pa.table({**rules, **numbers, **layout.as_it_came(batch)})
                aside.write(as_it_came.filter(pa.array(refused)))
            rows, set_aside = rows + len(batch), set_aside + int(refused.sum())
            empty += layout.rows_without_inputs(batch)
            seen.add(held)
            for column, found in ((UNKNOWN, unknown), (BROKEN, broken)):
                if column in answers:
                    found.update(counted(answers[column]))
            if not file.is_file():
                content.update(batch.serialize())
            on_rows(rows)
        if not rows:
            raise DataRefused(f"{shown_name(source)} holds no rows")
        _refuse_unknown(unknown, rows, model)
    if file.is_file():
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256")
    scored = Scored(rows, set_aside, empty, dict(unknown), content.hexdigest(), dict(broken))
    if rows < ENOUGH_ROWS:
        return scored
    return scored._replace(
        empty_columns=seen.empty(), drifted=[*map(str, seen.drifted(model.judged))]
    )


def _answered(
    batches: Iterable[pa.RecordBatch], layout: Layout, model: ModelInterface
) -> Iterator[tuple[pa.RecordBatch, pd.DataFrame, Seen]]:
    """Each batch with its answers and what its inputs held, in order. While one is written, the
    cores of this machine are at work on the next ones; a batch that waits is read, so there are
    never more than a few. Whoever stops, by an error or a signal, waits for none of them."""
    threads = min(usable_cores(), MAXIMUM_THREADS)
    waiting: deque[tuple[pa.RecordBatch, Future[tuple[pd.DataFrame, Seen]]]] = deque()

    def answer(batch: pa.RecordBatch) -> tuple[pd.DataFrame, Seen]:
        frame = input_frame(batch, layout.inputs, model)
        return model.answer(frame), Seen.in_rows(frame, model.judged)

    pool = ThreadPoolExecutor(threads)
    try:
        for batch in batches:
            waiting.append((batch, pool.submit(answer, batch)))
            if len(waiting) > threads:
                first, answered = waiting.popleft()
                yield first, *answered.result()
        for last, answered in waiting:
            yield last, *answered.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _noted_report_lines(
    batch: pa.RecordBatch, answers: pd.DataFrame, model: ModelInterface
) -> np.ndarray:
    """Which rows (n,) are none, but the header again or totals; ``answers`` then say so."""
    numbers = [name for name, kind in model.kinds.items() if kind == "number"]
    lines = lines_of_a_report(batch, numbers)
    for column, said in ((BROKEN, IS_A_ROW), (UNKNOWN, "")):
        if lines.any() and column in answers:
            answers.loc[lines, column] = said
    return lines


def counted(notes: pd.Series) -> Counter[str]:
    """In how many rows each of the things stands that ``notes`` (n,) list, as ``Contract.check``
    gives them."""
    found = Counter[str]()
    for listed, rows in notes.value_counts().items():
        for name in str(listed).split("; ") if listed else []:
            found[name] += int(rows)
    return found


def _refuse_unknown(unknown: Mapping[str, int], rows: int, model: ModelInterface) -> None:
    for name, count in unknown.items():
        bound = model.unknown_at_most.get(name, 1.0)
        if rows >= ENOUGH_ROWS and count > bound * rows:
            raise DataRefused(
                f"{name}: {count:,} of {rows:,} rows hold labels that no training row had, or too "
                f"few for the model to know them, more than {bound:.1%}: is it the same code? "
                "Correct the file, train anew, or declare unknown_at_most"
            )
