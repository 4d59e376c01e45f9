"""Groups and segments in words, tables and plain data."""

import math
from collections.abc import Iterator
from typing import Any

from modelling.declaration import UseCase
from modelling.judgement.group_results import FOUR_FIFTHS, GroupTable, Slice
from modelling.judgement.groups.slices import slice_metric
from modelling.judgement.intervals import Interval
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.metric import format_value
from modelling.shown_text import quantity, table_cell


def findings(judgement: Judgement) -> Iterator[str]:
    """One line for each column whose groups are selected very differently, and one for the weakest
    segment; none where there is nothing to look at."""
    for table in judgement.groups:
        group = table.least_alike
        if group is not None and group.four_fifths < FOUR_FIFTHS:
            yield selected_unlike(table, judgement.use_case)
    weak = [found for found in judgement.slices if found.is_weak]
    if weak:
        others = len(weak) - 1
        more = f", and in {quantity(others, 'more segment')}" if others else ""
        yield f"weak where {_fell_short(weak[0], judgement.use_case)}{more}"


def selected_unlike(table: GroupTable, use_case: UseCase) -> str:
    """``gender f: accepted 0.71 times as often as m [0.64, 0.78]``, of the least alike group."""
    group = table.least_alike
    assert group is not None
    assert group.selection_ratio is not None
    value, low, high = group.selection_ratio
    verb = "selected" if use_case.groups.favourable else "accepted"
    times = f"{verb} {value:.2f} times as often as {table.reference}"
    return f"{table.column} {group.name}: {times} [{low:.2f}, {high:.2f}]"


def _fell_short(found: Slice, use_case: UseCase) -> str:
    metric = slice_metric(use_case).name
    return (
        f"{found.column} is {found.name}: {metric} {found.value}, "
        f"{format_value(found.expected)} {_expected(use_case)}"
    )


def _expected(use_case: UseCase) -> str:
    """What is expected of a segment, in words."""
    return "elsewhere" if use_case.problem == "regression" else "by its own probabilities"


def groups_in_markdown(judgement: Judgement) -> str:
    """A section for the groups and one for the segments; empty where neither was looked at."""
    sections = [_of_table(table, judgement.use_case) for table in judgement.groups]
    text = "## Groups\n\n" + "\n\n".join(sections) + "\n\n" if sections else ""
    if judgement.slices:
        text += f"## Where the model is weak\n\n{_of_slices(judgement)}\n\n"
    return text


def _of_table(table: GroupTable, use_case: UseCase) -> str:
    if not table.groups:
        rows = use_case.minimum_rows_per_group
        return f"**{table.column}**: fewer than two groups of {rows} test rows, so not judged."
    is_feature = table.column in {column.name for column in use_case.features}
    role = "a feature of the model" if is_feature else "not seen by the model"
    lines = [f"**{table.column}** ({role}; the largest group is {table.reference})"]
    if table.proxies:
        others = "other features" if is_feature else "features"
        lines.append(
            f"\nHow well the {others} tell the group, on training rows: mean ROC AUC "
            f"{table.proxies.roc_auc:.3f} (0.5: not at all), most by "
            f"{', '.join(table.proxies.columns)}."
        )
    names = list(dict.fromkeys(name for group in table.groups for name in group.rates))
    titles = [name.replace("_", " ") for name in names]
    lines += ["", f"| group | rows | {' | '.join(titles)} |", f"|---|{'---:|' * (len(names) + 1)}"]
    for group in table.groups:
        cells = [str(group.rates[name]) if name in group.rates else "-" for name in names]
        lines.append(f"| {table_cell(group.name)} | {group.rows:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _of_slices(judgement: Judgement) -> str:
    metric = slice_metric(judgement.use_case)
    lines = [
        f"The segments with the worst {metric.name}; the intervals hold for all segments together.",
        "",
        f"| column | segment | rows | {metric.name} | {_expected(judgement.use_case)} | weak |",
        "|---|---|---:|---:|---:|---|",
    ]
    for found in judgement.slices:
        cells = (
            table_cell(found.column),
            table_cell(found.name),
            f"{found.rows:,}",
            str(found.value),
        )
        weak = "**yes**" if found.is_weak else "no"
        lines.append(f"| {' | '.join(cells)} | {format_value(found.expected)} | {weak} |")
    return "\n".join(lines)


def group_records(judgement: Judgement) -> list[dict[str, Any]]:
    """The groups as plain data, for other programs."""
    return [
        {
            "column": table.column,
            "largest_group": table.reference,
            "proxies": table.proxies._asdict() if table.proxies else None,
            "groups": [
                {"name": group.name, "rows": group.rows}
                | {rate: _interval(found) for rate, found in group.rates.items()}
                for group in table.groups
            ],
        }
        for table in judgement.groups
    ]


def slice_records(judgement: Judgement) -> list[dict[str, Any]]:
    """The worst segments as plain data, the weak ones first."""
    metric = slice_metric(judgement.use_case).name
    return [
        {**found._asdict(), "value": _interval(found.value), "metric": metric}
        for found in judgement.slices
    ]


def _interval(interval: Interval) -> dict[str, float | None]:
    """NaN, which JSON does not know, as None."""
    return {name: None if math.isnan(v) else round(v, 6) for name, v in interval._asdict().items()}


def group_metrics(judgement: Judgement) -> dict[str, float]:
    """The few numbers by which runs are compared: by column of groups how alike they are selected
    and how well the features tell them, and how many segments are weak."""
    metrics = {}
    for table in judgement.groups:
        if (group := table.least_alike) is not None:
            metrics[f"groups/{table.safe_name}/selection_ratio"] = group.four_fifths
        if table.proxies is not None:
            metrics[f"groups/{table.safe_name}/roc_auc_from_features"] = table.proxies.roc_auc
    if judgement.slices:
        metrics["groups/weak_segments"] = float(sum(s.is_weak for s in judgement.slices))
    return metrics
