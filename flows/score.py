"""Score a file with the champion of a use case: its own flow, on a schedule or by hand."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow
from pydantic import BaseModel

from modelling.data.reading.cells import TextFormat
from modelling.declaration import Source, names
from modelling.declaration.overrides import declare_source
from tasks.peak_memory import peak_memory_mb
from tasks.progress import progress_line
from tasks.registry.scoring_runs import load_registered, scoring_run
from tasks.scoring import quarantine_of, score_file
from tasks.stored_parameters import without_secrets

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


@without_secrets
@flow(name="score", flow_run_name="{use_case_name}", persist_result=False)
def score(
    use_case_name: str,
    input_path: str,
    output_path: str,
    version: str | None = None,
    source: dict[str, Any] | None = None,
) -> ScoringResult:
    """Answer every row of a table with the champion, or with ``version``.

    ``source`` are further fields of ``Source``: how the input is written where it can't be told
    from it, or the query of a database.
    """
    names.use_case_name(use_case_name)
    table, output = declare_source(input_path, source or {}), Path(output_path)
    model = load_registered(use_case_name, version)
    asked = model.asked._replace(written=_written(model.asked.written, table))
    with (
        scoring_run(model, table) as record,
        progress_line("scoring", "rows", rows_per_step=1) as on_rows,
    ):
        scored = score_file(asked, table, output, on_rows)
        record(
            {
                "rows": scored.rows,
                "quarantined": scored.quarantined,
                "input_hash": scored.input_hash,
                "unknown_labels": json.dumps(scored.unknown),
                "peak_memory_mb": peak_memory_mb(),
            }
        )
    log.info("%-11s %s rows by version %s", "scored", f"{scored.rows:,}", model.version)
    for name, rows in scored.unknown.items():
        told = f"{name}: {rows:,} rows have a label that the model does not know"
        log.info("%-11s %s", "unknown", told)
    if scored.quarantined:
        aside = f"{scored.quarantined:,} rows in {quarantine_of(output).name}"
        log.info("%-11s %s, with the rules that they break", "quarantine", aside)
    return ScoringResult(
        use_case=use_case_name,
        model_version=model.version,
        **scored._asdict(),
        output=str(output),
        quarantine=str(quarantine_of(output)) if scored.quarantined else None,
        peak_memory_mb=peak_memory_mb(),
    )


def _written(trained: TextFormat, table: Source) -> TextFormat:
    """As the training source was written, but for what is said of this table."""
    said = table.model_fields_set & {"decimal", "thousands", "date_format"}
    return replace(trained, **{name: getattr(table, name) for name in said})
