"""The comparison where a team looks for it: a page in MLflow, a table in Prefect."""

from collections.abc import Sequence

from prefect.artifacts import create_table_artifact

from tasks.comparison.cells import Cell, cells
from tasks.comparison.exports import as_csv
from tasks.comparison.page import as_html
from tasks.comparison.sections import sections_of
from tasks.prefect_pages import show_in_prefect
from tasks.tracking.leaderboard.entry import LeaderboardEntry
from tasks.tracking.leaderboard.publication import log_comparison
from tasks.tracking.leaderboard.reading import Leaderboard


def publish_comparison(entries: Leaderboard) -> str:
    """The page and the table in MLflow, and the table in Prefect; the id of the MLflow run."""
    show_in_prefect(
        create_table_artifact,
        key="comparison",
        table=rows_of_all(entries),
        description="\n\n".join(
            ["Trainings compared: metrics of the test rows, the best first", *entries.left_out]
        ),
    )
    return log_comparison(
        {"comparison.html": as_html(entries, entries.left_out), "comparison.csv": as_csv(entries)}
    )


def rows_of_all(entries: Sequence[LeaderboardEntry]) -> list[dict[str, str]]:
    """One table for all use cases: its columns are those of all of them."""
    return [
        {"use case": entry.use_case, "run": section.names[entry.run_id], "run id": entry.run_id}
        | {heading: _text(cell) for heading, cell in cells(entry, section).items()}
        for section in sections_of(entries)
        for entry in section.entries
    ]


def _text(cell: Cell) -> str:
    return f"{cell.text} {cell.small}".strip()
