"""Trainings side by side: as a table, as CSV, as JSON, and as one page that needs nothing else."""

import csv
import io
import json
import math
from collections.abc import Sequence
from html import escape
from typing import Any

from prefect.artifacts import create_table_artifact

from modelling.data.reading.spreadsheets import cell_as_text
from tasks.tracking.leaderboard import LeaderboardEntry, log_comparison
from tasks.tracking.prefect_pages import show_in_prefect

_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #1b1f24; background: #fff; }
main { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .35rem .7rem; text-align: left; border-bottom: 1px solid #d8dee4; }
td { white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 120px; height: 32px; }
polyline { fill: none; stroke: #0969da; stroke-width: 1.5; }
circle { fill: #cf222e; }
"""
NUMBERS = ("value", "95 % interval", "skill", "best epoch", "seconds")


def cells(one: LeaderboardEntry) -> dict[str, str]:
    """One row as people read it, by the heading of the column; empty where nothing is known."""
    interval = "" if one.low is None or one.high is None else f"{one.low:.4f} - {one.high:.4f}"
    return {
        "use case": one.use_case,
        "metric": one.metric,
        "value": "" if one.value is None else f"{one.value:.4f}",
        "95 % interval": interval,
        "skill": "" if one.skill is None else f"{one.skill:.1%}",
        "best epoch": "" if one.best_epoch is None else str(one.best_epoch),
        "curve": one.learning_curve,
        "gate": one.gate,
        "doubts": one.doubts,
        "seconds": f"{one.seconds:.1f}",
        "version": " ".join(filter(None, [one.version, *(f"@{alias}" for alias in one.aliases)])),
        "data": one.data_hash[:8],
        "started": f"{one.started:%Y-%m-%d %H:%M}",
        "run": one.run_id[:8],
    }


def as_records(standings: Sequence[LeaderboardEntry]) -> list[dict[str, Any]]:
    """Plain values by field, for JSON; numbers that are none are null."""
    records = []
    for one in standings:
        record = one._asdict() | {"started": one.started.isoformat(), "aliases": list(one.aliases)}
        record["val_losses"] = [v if math.isfinite(v) else None for v in one.val_losses]
        records.append({k: None if v != v else v for k, v in record.items()})
    return records


def as_json(standings: Sequence[LeaderboardEntry]) -> str:
    """One line of JSON: a list of rows, each with its losses by epoch."""
    return json.dumps(as_records(standings))


def as_csv(standings: Sequence[LeaderboardEntry]) -> str:
    """One line for each run, numbers in full; the losses by epoch are left out."""
    fields = [name for name in LeaderboardEntry._fields if name != "val_losses"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields)
    for one in standings:
        row = one._asdict() | {"aliases": " ".join(one.aliases), "started": one.started.isoformat()}
        writer.writerow([cell_as_text(row[name]) for name in fields])
    return text.getvalue()


def as_html(standings: Sequence[LeaderboardEntry]) -> str:
    """A page without scripts, fonts or pictures from elsewhere, with each run's val_loss drawn."""
    headings = list(cells(standings[0])) if standings else []
    head = "".join(f"<th>{escape(name)}</th>" for name in ["val_loss by epoch", *headings])
    body = "\n".join(_html_row(one) for one in standings)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trainings compared</title><style>{_STYLE}</style></head>
<body><h1>Trainings compared</h1>
<p>Metrics of the test rows; by use case, the best first. The red dot is the lowest val_loss.</p>
<main><table><thead><tr>{head}</tr></thead><tbody>
{body}
</tbody></table></main></body></html>
"""


def _html_row(one: LeaderboardEntry) -> str:
    shown = "".join(
        f'<td class="number">{escape(text)}</td>' if name in NUMBERS else f"<td>{escape(text)}</td>"
        for name, text in cells(one).items()
    )
    return f"<tr><td>{sparkline(one.val_losses)}</td>{shown}</tr>"


def sparkline(losses: Sequence[float], width: int = 120, height: int = 32) -> str:
    """The losses by epoch as an inline SVG; epochs whose loss is no number are left out."""
    points = [(epoch, loss) for epoch, loss in enumerate(losses) if math.isfinite(loss)]
    if not points:
        return ""
    lowest, highest = min(loss for _, loss in points), max(loss for _, loss in points)
    across = (width - 8) / max(len(losses) - 1, 1)
    down = (height - 8) / ((highest - lowest) or 1)
    drawn = [(4 + across * epoch, 4 + down * (highest - loss)) for epoch, loss in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
    x, y = drawn[min(range(len(points)), key=lambda i: points[i][1])]
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img">'
        f"<title>val_loss, lowest {lowest:.5g}</title>"
        f'<polyline points="{line}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/></svg>'
    )


def publish_comparison(standings: Sequence[LeaderboardEntry]) -> str:
    """The page and the table in MLflow, and the table in Prefect; the id of the MLflow run."""
    show_in_prefect(
        create_table_artifact,
        key="comparison",
        table=[cells(one) for one in standings],
        description="Trainings compared: metrics of the test rows, the best first",
    )
    return log_comparison(
        {"comparison.html": as_html(standings), "comparison.csv": as_csv(standings)}
    )
