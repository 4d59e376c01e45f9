"""Trainings side by side: as a table, as CSV, as JSON, and as one page that needs nothing else."""

import json
import math
from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd
from prefect.artifacts import create_table_artifact

from modelling.data.reading.spreadsheets import cell_as_text
from tasks.tracking.leaderboard import LeaderboardEntry, log_comparison
from tasks.tracking.prefect_pages import show_in_prefect

STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #1b1f24; background: #fff; }
main { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .35rem .7rem; text-align: left; border-bottom: 1px solid #d8dee4; }
td { white-space: nowrap; }
svg { width: 120px; height: 32px; }
polyline { fill: none; stroke: #0969da; stroke-width: 1.5; }
circle { fill: #cf222e; }
"""
NUMBERS = ("value", "95 % interval", "skill", "best epoch", "seconds")


def cells(entry: LeaderboardEntry) -> dict[str, str]:
    """One row as people read it, by the heading of the column; empty where nothing is known."""
    has_interval = entry.low is not None and entry.high is not None
    aliases = [f"@{alias}" for alias in entry.aliases]
    return {
        "use case": entry.use_case,
        "metric": entry.metric,
        "value": "" if entry.value is None else f"{entry.value:.4f}",
        "95 % interval": f"{entry.low:.4f} - {entry.high:.4f}" if has_interval else "",
        "skill": "" if entry.skill is None else f"{entry.skill:.1%}",
        "best epoch": "" if entry.best_epoch is None else str(entry.best_epoch),
        "curve": entry.learning_curve,
        "gate": entry.gate,
        "doubts": entry.doubts,
        "seconds": f"{entry.seconds:.1f}",
        "version": " ".join(filter(None, [entry.version, *aliases])),
        "data": entry.data_hash[:8],
        "started": f"{entry.started:%Y-%m-%d %H:%M}",
        "run": entry.run_id[:8],
    }


def as_records(entries: Sequence[LeaderboardEntry]) -> list[dict[str, Any]]:
    """Plain values by field; NaN and infinite losses are None, which JSON has as null."""
    records = []
    for entry in entries:
        record = entry._asdict() | {"started": entry.started.isoformat()}
        record["aliases"] = list(entry.aliases)
        record["val_losses"] = [loss if math.isfinite(loss) else None for loss in entry.val_losses]
        records.append({name: None if value != value else value for name, value in record.items()})
    return records


def as_json(entries: Sequence[LeaderboardEntry]) -> str:
    """One line of JSON: a list of rows, each with its losses by epoch. Numbers are in full: pandas'
    ``to_json`` would round them to 15 digits."""
    return json.dumps(as_records(entries))


def as_csv(entries: Sequence[LeaderboardEntry]) -> str:
    """One line for each run, numbers in full; the losses by epoch are left out."""
    fields = [name for name in LeaderboardEntry._fields if name != "val_losses"]
    table = pd.DataFrame(as_records(entries), columns=fields, dtype=object)
    table["aliases"] = table["aliases"].map(" ".join)
    return table.map(cell_as_text).to_csv(index=False, lineterminator="\n")


def as_html(entries: Sequence[LeaderboardEntry]) -> str:
    """A page without scripts, fonts or pictures from elsewhere, with each run's val_loss drawn."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trainings compared</title><style>{STYLE}</style></head>
<body><h1>Trainings compared</h1>
<p>Metrics of the test rows; by use case, the best first. The red dot is the lowest val_loss.</p>
<main>{_html_table(entries)}</main></body></html>
"""


def _html_table(entries: Sequence[LeaderboardEntry]) -> str:
    """Numbers are aligned right. pandas would escape the drawings too, and cut long texts off."""
    rows = [
        {
            "val_loss by epoch": sparkline(entry.val_losses),
            **{name: escape(text) for name, text in cells(entry).items()},
        }
        for entry in entries
    ]
    table = pd.DataFrame(rows)
    right = ", ".join(f"td:nth-child({n})" for n, name in enumerate(table, 1) if name in NUMBERS)
    style = f"<style>{right} {{ text-align: right }}</style>" if right else ""
    with pd.option_context("display.max_colwidth", None):
        return style + table.to_html(index=False, escape=False, border=0)


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


def publish_comparison(entries: Sequence[LeaderboardEntry]) -> str:
    """The page and the table in MLflow, and the table in Prefect; the id of the MLflow run."""
    show_in_prefect(
        create_table_artifact,
        key="comparison",
        table=[cells(entry) for entry in entries],
        description="Trainings compared: metrics of the test rows, the best first",
    )
    return log_comparison({"comparison.html": as_html(entries), "comparison.csv": as_csv(entries)})
