"""Score a table with a registered model: what the flow and the command do, without Prefect."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from modelling.declaration import Source, names
from modelling.declaration.overrides import declare_source
from modelling.refusals import DataRefused
from modelling.shown_text import row_count
from tasks.peak_memory import peak_memory_mb
from tasks.progress import progress_line
from tasks.registry.scoring_runs import load_registered, recorded_use
from tasks.scoring.file_scoring import Scored, score_file
from tasks.scoring.paths import quarantine_of

log = logging.getLogger("finflows")
SHOWN = 3  # rules that most rows break


class ScoringResult(BaseModel):
    """What was scored, with which version, and where the answers are."""

    use_case: str
    model_version: str
    rows: int
    quarantined: int
    empty: int
    unknown: dict[str, int]
    broken: dict[str, int]
    empty_columns: list[str]
    drifted: list[str]
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
    text_format = model.interface.text_format.overridden_by(table)
    interface = model.interface._replace(text_format=text_format)
    with (
        recorded_use(model, table) as use,
        progress_line("scoring", "rows", rows_per_step=1) as on_rows,
    ):
        try:
            scored = score_file(interface, table, output, on_rows)
        except DataRefused as refused:
            again = as_trained(table, interface.layout, refused)
            scored = score_file(interface, again, output, on_rows)
        use.record(
            {
                "rows": scored.rows,
                "reasons": reasons,
                "quarantined": scored.quarantined,
                "empty": scored.empty,
                "input_hash": scored.input_hash,
                "unknown_labels": json.dumps(scored.unknown),
                "empty_columns": json.dumps(scored.empty_columns),
                "drifted_columns": json.dumps(scored.drifted),
                "peak_memory_mb": peak_memory_mb(),
            }
        )
    log_scored(scored, output, model.version)
    return ScoringResult(
        use_case=use_case_name,
        model_version=model.version,
        **scored._asdict(),
        output=str(output),
        quarantine=str(quarantine_of(output)) if scored.quarantined else None,
        peak_memory_mb=peak_memory_mb(),
    )


def log_scored(scored: Scored, output: Path, version: str) -> None:
    """The lines of the log: how many rows, which labels are unknown, and which rules are broken."""
    of = f"{scored.rows - scored.quarantined:,} of " if scored.quarantined else ""
    log.info("%-11s %s%s by version %s", "scored", of, row_count(scored.rows), version)
    if scored.empty:
        said = "with nothing in any column of the model: are they rows?"
        log.info("%-11s %s %s", "empty", row_count(scored.empty), said)
    for name in scored.empty_columns:
        log.info("%-11s %s: no row has a value: is it the same column?", "empty", name)
    if scored.drifted:
        others = f" and {len(scored.drifted) - 1} more" if scored.drifted[1:] else ""
        log.info("%-11s %s%s: is it in the same unit?", "drifted", scored.drifted[0], others)
    for name, rows in scored.unknown.items():
        log.info("%-11s %s: %s with a label unknown to the model", "unknown", name, row_count(rows))
    if scored.quarantined:
        message = f"{row_count(scored.quarantined)} in {quarantine_of(output).name}"
        log.info("%-11s %s, with the rules broken", "quarantine", message)
    elif scored.broken:
        log.info("%-11s cells that break a rule, which count as missing", "broken")
    for rule, rows in sorted(scored.broken.items(), key=lambda item: -item[1])[:SHOWN]:
        log.info("%-11s %s: not in %s", "", rule, row_count(rows))


def as_trained(table: Source, layout: Mapping[str, Any], refused: DataRefused) -> Source:
    """``table`` with the ``layout`` of the training table, as far as nothing else is said. Raises
    ``refused`` again where none of the settings that it asks for is known."""
    known = {name: value for name, value in layout.items() if name not in table.model_fields_set}
    if not known.keys() & refused.settings.keys():
        raise refused
    said = ", ".join(f"{name} {value!r}" for name, value in known.items())
    log.info("%-11s as the training table was: %s", "read", said)
    return table.model_copy(update=known)
