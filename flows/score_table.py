"""Score a table with a registered model: what the flow and the command do, without Prefect."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from modelling.data.reading.number_text import TextFormat
from modelling.declaration import Source, names
from modelling.declaration.overrides import declare_source
from tasks.peak_memory import peak_memory_mb
from tasks.progress import progress_line
from tasks.registry.scoring_runs import load_registered, scoring_run
from tasks.scoring import quarantine_of, score_file

log = logging.getLogger("finflows")


class ScoringResult(BaseModel):
    """What was scored, with which version, and where the answers are."""

    use_case: str
    model_version: str
    rows: int
    quarantined: int
    unknown: dict[str, int]
    output: str
    quarantine: str | None
    input_hash: str
    peak_memory_mb: float


def score_table(
    use_case_name: str,
    input_path: str,
    output_path: str,
    version: str | None = None,
    source: dict[str, Any] | None = None,
    reasons: int = 0,
) -> ScoringResult:
    """Score every row of a table with the champion, or with ``version``; with up to so many
    ``reasons`` for each answer.

    ``source`` has further fields of ``Source``: the format of the input where it can't be detected,
    or the query of a database.
    """
    names.check_use_case_name(use_case_name)
    table, output = declare_source(input_path, source or {}), Path(output_path)
    model = load_registered(use_case_name, version, reasons)
    text_format = _text_format(model.interface.text_format, table)
    interface = model.interface._replace(text_format=text_format)
    with (
        scoring_run(model, table) as record,
        progress_line("scoring", "rows", rows_per_step=1) as on_rows,
    ):
        scored = score_file(interface, table, output, on_rows)
        record(
            {
                "rows": scored.rows,
                "reasons": reasons,
                "quarantined": scored.quarantined,
                "input_hash": scored.input_hash,
                "unknown_labels": json.dumps(scored.unknown),
                "peak_memory_mb": peak_memory_mb(),
            }
        )
    log.info("%-11s %s by version %s", "scored", _rows(scored.rows), model.version)
    for name, rows in scored.unknown.items():
        log.info("%-11s %s: %s with a label unknown to the model", "unknown", name, _rows(rows))
    if scored.quarantined:
        message = f"{_rows(scored.quarantined)} in {quarantine_of(output).name}"
        log.info("%-11s %s, with the rules broken", "quarantine", message)
    return ScoringResult(
        use_case=use_case_name,
        model_version=model.version,
        **scored._asdict(),
        output=str(output),
        quarantine=str(quarantine_of(output)) if scored.quarantined else None,
        peak_memory_mb=peak_memory_mb(),
    )


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _text_format(trained: TextFormat, table: Source) -> TextFormat:
    """The text format of the training source, except for what is declared for this table: of two
    marks that would be the same, what is declared."""
    names = table.model_fields_set & set(TextFormat.__dataclass_fields__)
    declared = {name: getattr(table, name) for name in names}
    if declared.get("decimal") == trained.thousands:
        declared = {"thousands": None, **declared}
    return replace(trained, **declared)
