"""A picture of each column's groups: how alike they are selected, and how right the model is."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from modelling.figures.palette import BLACK, GREY, NETWORK, WORSE
from modelling.figures.style import legend_above, new_figure, wrapped, write
from modelling.judgement.group_results import FOUR_FIFTHS, Group, GroupTable
from modelling.judgement.groups.description import selected_unlike
from modelling.judgement.judging import Judgement

Panel = Callable[[GroupTable, Axes], None]
# What has happened beside what was predicted, by problem: of classes that are three or more, which
# are right instead.
OBSERVED: Mapping[str, str] = {"binary": "target_rate", "regression": "mean_target"}


def draw_groups(judgement: Judgement) -> dict[str, Figure]:
    """One picture for each column with groups, by file name without its ending."""
    return {
        f"groups_{table.safe_name}": _figure(judgement, table)
        for table in judgement.groups
        if table.groups
    }


def _figure(judgement: Judgement, table: GroupTable) -> Figure:
    panels = [*_panels(judgement, table)]
    figure, shared = new_figure(1, len(panels), sharey=True)
    for axes, draw in zip(shared, panels, strict=True):
        draw(table, axes)
    names = [f"{wrapped(g.name, 18)}\n({g.rows:,} rows)" for g in table.groups]
    shared[0].set_yticks(range(len(names)), names)
    shared[0].set_ylim(len(names) - 0.5, -0.5)
    title = f"How right the model is in each group of {table.column}"
    if table.least_alike is not None:
        title = f"The least alike group is {selected_unlike(table, judgement.use_case)}"
    return write(figure, title, f"{judgement.use_case.title}; test rows, with 95 % intervals.")


def _panels(judgement: Judgement, table: GroupTable) -> list[Panel]:
    observed = OBSERVED.get(judgement.use_case.problem)
    right: Panel = _accuracy
    if observed is not None:
        right = _observed_and_predicted(observed)
    return [*([_selection] if table.least_alike is not None else []), right]


def _selection(table: GroupTable, axes: Axes) -> None:
    """The four-fifths rule, in both directions."""
    for place, group in enumerate(table.groups):
        colour = WORSE if group.four_fifths < FOUR_FIFTHS else BLACK
        _with_interval(axes, group, "selection_ratio", place, colour)
    axes.axvline(1, color=GREY, linewidth=1)
    for bound in (FOUR_FIFTHS, 1 / FOUR_FIFTHS):
        axes.axvline(bound, color=WORSE, linestyle=":", linewidth=1.5)
    axes.set_xlabel(f"selected, as a multiple of {table.reference}\n(dotted: four fifths)")


def _accuracy(table: GroupTable, axes: Axes) -> None:
    for place, group in enumerate(table.groups):
        _with_interval(axes, group, "accuracy", place, BLACK)
    axes.set_xlabel("accuracy")


def _observed_and_predicted(observed: str) -> Panel:
    def draw(table: GroupTable, axes: Axes) -> None:
        for place, group in enumerate(table.groups):
            _with_interval(axes, group, observed, place, BLACK, "observed" * (not place))
            predicted = group.rates["mean_prediction"].value
            label = "predicted" * (not place)
            axes.plot(predicted, place + 0.18, "D", color=NETWORK, label=label or None)
        axes.set_xlabel(observed.replace("_", " "))
        legend_above(axes)

    return draw


def _with_interval(
    axes: Axes, group: Group, rate: str, place: int, colour: str, label: str = ""
) -> None:
    if rate not in group.rates:
        return
    value, low, high = group.rates[rate]
    reach = np.abs([[value - low], [high - value]])
    axes.errorbar(
        value, place, xerr=reach, fmt="o", color=colour, linewidth=2.5, label=label or None
    )
