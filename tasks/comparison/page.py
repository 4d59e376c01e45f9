"""One page that needs nothing else: what was changed, what came of it, and against what."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import vl_convert

from modelling.declaration.use_case_files import find_use_case
from modelling.judgement.metrics.catalogue import all_metrics
from modelling.judgement.metrics.metric import Metric, format_value
from modelling.learning_curve.history import format_loss
from modelling.refusals import UsageError
from tasks.comparison.cells import Cell, cells
from tasks.comparison.charts import advantage_chart, colours, described, loss_chart
from tasks.comparison.sections import Section, arrow, sections_of
from tasks.tracking.addresses import run_path, ui_address
from tasks.tracking.leaderboard.entry import LeaderboardEntry

FOLDER = Path(__file__).parent
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def as_html(entries: Sequence[LeaderboardEntry], left_out: Sequence[str] = ()) -> str:
    """The page: a section for each use case with its best run, charts, and tables; and a line for
    what was ``left_out``.

    All texts are escaped, in the charts' data as well.
    """
    sections = [_shown(section) for section in sections_of(entries)]
    return ENVIRONMENT.get_template("page.html").render(
        sections=sections,
        runs=len(entries),
        left_out=left_out,
        charts=_charting_library() if any(one["charts"] for one in sections) else "",
    )


@cache
def _charting_library() -> str:
    """Vega-Lite with all that it needs, once for all charts."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace(
        "</script", "<\\/script"
    )


def _shown(section: Section) -> dict[str, Any]:
    headings = _headings(section)
    return {
        "section": section,
        "charts": _charts(section),
        "headings": headings,
        "rows": [_row(section, one, headings) for one in section.entries],
        "baselines": [_baseline(section, name, headings) for name in section.baselines],
        "curves": [_curve(section, one) for one in section.drawn if one.val_losses],
        "metrics": _metrics(section),
        "left_out": len(section.entries) - len(section.drawn),
    }


def _charts(section: Section) -> list[dict[str, Any]]:
    losses = "{} by epoch; the dot is the lowest. The numbers are in the table 'Losses'."
    charts = [
        ("Advantage over the strongest baseline, with its 95\u00a0% interval", described(section),
         advantage_chart(section)),
        ("Validation loss by epoch", losses.format("val_loss"), loss_chart(section, "val_losses")),
        ("Training loss by epoch", losses.format("loss"), loss_chart(section, "losses")),
    ]  # fmt: skip
    return [
        {"title": title, "alt": alt, "spec": spec}
        for title, alt, spec in charts
        if spec is not None
    ]


def _headings(section: Section) -> list[str]:
    """Those of the columns that say something of at least one run."""
    rows = [cells(entry, section) for entry in section.entries]
    return [heading for heading in rows[0] if any(row[heading].text for row in rows)]


def _row(section: Section, entry: LeaderboardEntry, headings: list[str]) -> dict[str, Any]:
    shown = cells(entry, section)
    return {
        "name": section.names[entry.run_id],
        "link": ui_address() + run_path(entry.experiment_id, entry.run_id),
        "colour": colours(section).get(entry.run_id, ""),
        "best": entry is section.best,
        "cells": {heading: shown[heading] for heading in headings},
    }


def _baseline(section: Section, name: str, headings: list[str]) -> dict[str, Any]:
    """A row like a run's, with a value in the column of the metric only."""
    value, shown = section.baselines[name], dict.fromkeys(headings, Cell())
    shown[f"{section.metric} {section.arrow}"] = Cell(format_value(value), order=value)
    return {"name": name, "cells": shown}


def _curve(section: Section, entry: LeaderboardEntry) -> dict[str, str]:
    """The table behind the charts of losses."""
    losses, best = entry.val_losses, entry.best_epoch or 1
    return {
        "run": section.names[entry.run_id],
        "epochs": str(len(losses)),
        "first val_loss": format_loss(losses[0]),
        "lowest val_loss": format_loss(losses[best - 1]),
        "at epoch": str(best),
        "last val_loss": format_loss(losses[-1]),
        "last training loss": format_loss(entry.losses[-1]) if entry.losses else "",
    }


def _metrics(section: Section) -> list[dict[str, str]]:
    """All metrics of the test rows, of the drawn runs."""
    names = dict.fromkeys(name for one in section.drawn for name in one.test_metrics)
    problem = section.entries[0].settings.get("problem")
    known = {one.name: one for one in all_metrics() if problem in one.problems}
    return [
        {
            "metric": f"{name} {arrow(name)}",
            "what it is": known[name].title if name in known else "",
            **{section.names[one.run_id]: _shown_metric(known.get(name), name, one)
               for one in section.drawn},
        }
        for name in names
    ]  # fmt: skip


def _shown_metric(metric: Metric | None, name: str, entry: LeaderboardEntry) -> str:
    value = entry.test_metrics.get(name)
    return "" if value is None else format_value(value, _unit(metric, entry))


def _unit(metric: Metric | None, entry: LeaderboardEntry) -> str:
    """Of money: as the run recorded it, or as declared now; a share of the costs has none."""
    if metric is None or not metric.unit or "costs" not in metric.needs:
        return ""
    if unit := entry.settings.get("costs.unit"):
        return unit
    try:
        costs = find_use_case(entry.use_case).costs
    except UsageError:
        return ""
    return costs.unit if costs else ""
