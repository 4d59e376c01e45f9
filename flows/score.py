"""Score a file with the champion of a use case: a flow of its own, scheduled or run manually."""

from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.parameters import ModelVersion, SourceFields, dated_name, described
from flows.score_table import ScoringResult, score_table
from tasks.stored_parameters import without_secrets


@without_secrets
@flow(name="score", flow_run_name=dated_name, persist_result=False)
def score(
    use_case_name: Annotated[str, described("A use case with a registered model.")],
    input_path: Annotated[str, described("A table from any source, of any size.")],
    output_path: Annotated[str, described("CSV or Parquet file for the answers.")],
    version: ModelVersion = None,
    source: SourceFields = None,
    reasons: Annotated[int, Field(ge=0), described("Up to so many reasons for each answer.")] = 0,
) -> ScoringResult:
    """Score every row of a table with the champion, or with ``version``; with up to so many
    ``reasons`` for each answer.

    ``source`` has further fields of ``Source``: the format of the input where it can't be detected,
    or the query of a database.
    """
    return score_table(use_case_name, input_path, output_path, version, source, reasons)
