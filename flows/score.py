"""Score a file with the champion of a use case: its own flow, on a schedule or by hand."""

import logging
from pathlib import Path

from prefect import flow
from pydantic import BaseModel

from tasks.scoring import quarantine_of, score_file
from tasks.scoring_progress import peak_memory_mb, row_progress
from tasks.tracking.scoring_runs import load_registered, scoring_run

log = logging.getLogger("finflows")


class ScoringResult(BaseModel):
    """What was scored, with which version, and where the answers are."""

    use_case: str
    model_version: str
    rows: int
    quarantined: int
    output: str
    quarantine: str | None
    input_hash: str
    peak_memory_mb: float


@flow(name="score", flow_run_name="{use_case_name}", persist_result=False)
def score(
    use_case_name: str, input_path: str, output_path: str, version: str | None = None
) -> ScoringResult:
    """Answer every row of a CSV or Parquet file with the champion, or with ``version``."""
    source, output = Path(input_path), Path(output_path)
    model = load_registered(use_case_name, version)
    with scoring_run(model, source) as record, row_progress() as on_rows:
        scored = score_file(
            model.answer, model.inputs, model.numbers, model.outputs, source, output, on_rows
        )
        record({**scored._asdict(), "peak_memory_mb": peak_memory_mb()})
    log.info("%-11s %s rows by version %s", "scored", f"{scored.rows:,}", model.version)
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
