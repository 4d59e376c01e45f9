"""Watch a model in use: what changed since it was judged, and how it did once that is known."""

import logging
from typing import Annotated, Any

from prefect import flow
from pydantic import BaseModel

from flows.parameters import ModelVersion, SourceFields, dated_name, described
from modelling.declaration.overrides import override
from modelling.declaration.references import reference_secrets
from modelling.declaration.use_case_files import find_use_case
from modelling.refusals import UsageError
from modelling.shown_text import row_count
from modelling.watching.report import Watched
from tasks.registry.scoring_runs import load_registered
from tasks.stored_parameters import without_secrets
from tasks.watching.comparison import watch_version
from tasks.watching.watch_runs import record_watch

log = logging.getLogger("finflows")


class WatchResult(BaseModel):
    """What was watched, the numbers by name, and what somebody should look at."""

    use_case: str
    model_version: str
    numbers: dict[str, float]
    alarms: list[str]
    run_id: str
    address: str


@without_secrets
@flow(name="watch", flow_run_name=dated_name, persist_result=False)
def watch(
    use_case_name: Annotated[str, described("A use case with a registered model.")],
    input_path: Annotated[str, described("A table of rows that came after the training.")],
    version: ModelVersion = None,
    source: SourceFields = None,
) -> WatchResult:
    """Compare rows of today with those that the champion, or ``version``, was judged on.

    Raises UsageError with the alarms, so that the flow run fails and Prefect can notify somebody.
    """
    result = watch_table(use_case_name, input_path, version, source)
    if result.alarms:
        raise UsageError("; ".join(result.alarms))
    return result


def watch_table(
    use_case_name: str,
    input_path: str,
    version: str | None = None,
    source: dict[str, Any] | None = None,
) -> WatchResult:
    """The body of ``watch``, which returns the alarms, too."""
    fields = {"uri": input_path, "query": None, **(source or {})}  # not that of the training
    overrides = reference_secrets({f"source.{name}": value for name, value in fields.items()})
    use_case = override(find_use_case(use_case_name), overrides)
    model = load_registered(use_case_name, version)
    with record_watch(model, use_case) as record:
        watched = watch_version(model, use_case)
        run_id, address = record(watched)
    log_watched(watched)
    return WatchResult(
        use_case=use_case_name,
        model_version=model.version,
        numbers=watched.numbers,
        alarms=watched.alarms,
        run_id=run_id,
        address=address,
    )


def log_watched(watched: Watched) -> None:
    """The lines of the log: how many rows, what is wrong with them, drift, and outcomes."""
    log.info("%-11s %s by version %s", "watched", row_count(watched.rows), watched.version)
    if watched.repeated:
        log.info("%-11s %s", "repeated", watched.repeated_in_words())
    for rule, rows in [*watched.broken.items()][:3]:
        log.info("%-11s %s: not in %s", "broken", rule, row_count(rows))
    for name, rows in watched.unknown.items():
        log.info("%-11s %s: %s with a label unknown to the model", "unknown", name, row_count(rows))
    log.info("%-11s %s", "answers", watched.drift_in_words(watched.answers, "answers"))
    log.info("%-11s %s", "columns", watched.drift_in_words(watched.columns, "columns"))
    for place, line in enumerate(watched.outcomes_in_words()):
        log.info("%-11s %s", "" if place else "outcomes", line)
