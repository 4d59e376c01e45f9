"""What a model rests on; no picture shows a single customer."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from modelling.declaration import UseCase
from modelling.figures.palette import BLACK, GREY, NETWORK, OTHERS, UNDECIDED
from modelling.figures.style import new_figure, size_of, wrapped, write
from modelling.judgement.importance import PartialDependence
from modelling.judgement.intervals import Interval
from modelling.judgement.metrics.metric import format_together

SHOWN, PANELS = 12, 6


def draw_importance(importance: dict[str, Interval], use_case: UseCase) -> Figure:
    """The most important columns with their intervals."""
    figure, (axes,) = new_figure()
    shown = list(importance.items())[:SHOWN]
    for place, (_, interval) in enumerate(shown):
        colour = NETWORK if interval.low > 0 else UNDECIDED
        axes.barh(place, interval.value, color=colour, alpha=0.5)
        axes.plot([interval.low, interval.high], [place, place], color=colour, linewidth=2.5)
    names = [wrapped(name, 38) for name, _ in shown]
    axes.set_yticks(range(len(shown)), names, fontsize=size_of(names, 20, 10))
    axes.invert_yaxis()
    axes.axvline(0, color=GREY, linestyle="--", linewidth=1.2)
    loss = "squared error" if use_case.problem == "regression" else "log loss"
    axes.set_xlabel(f"rise of the {loss} where the column is shuffled")
    name, most = shown[0]
    value, low, high = format_together(most, significant=2)
    finding = f"The model rests most on {name}: without it the {loss} rises by {value}"
    if most.low <= 0:
        finding = f"No column matters beyond chance; the first is {name}"
    note = (
        f"{use_case.title}, validation rows. The first column's 95 % interval is {low} to {high}."
    )
    return write(figure, finding, note)


def draw_partial_dependence(curves: dict[str, PartialDependence], use_case: UseCase) -> Figure:
    """The mean answer along each column, with a mark at each decile of its values."""
    figure, panels = new_figure(2, 3, sharey=True)
    for axes, (name, curve) in zip(panels, curves.items(), strict=False):
        axes.tick_params(labelsize=8)
        _draw_curve(axes, curve)
        axes.set_xlabel(wrapped(name, 20), fontsize=9)
    below = max(_inches_below(axes) for axes in panels[: len(curves)])
    figure.set_figheight(figure.get_figheight() + 2 * max(below - 0.5, 0))
    for axes in panels[len(curves) :]:
        axes.set_visible(False)
    what = "forecast" if use_case.problem == "regression" else "probability"
    figure.supylabel(f"mean {what}", fontsize=10)
    if use_case.problem == "multiclass":
        for line, label in zip(panels[0].lines, use_case.classes, strict=False):
            line.set_label(wrapped(str(label), 14))
        # Above the first panel it would push the others away.
        lines_and_labels = panels[0].get_legend_handles_labels()
        figure.legend(*lines_and_labels, loc="outside right center", frameon=False)
    spread = {name: float(np.ptp(curve.answers, axis=0).max()) for name, curve in curves.items()}
    widest = max(spread, key=lambda name: spread[name])
    finding = f"The mean {what} moves most along {widest}: by {spread[widest]:.3g}"
    note = f"{use_case.title}: if all validation rows had this value; marks are deciles."
    return write(figure, finding, note)


def _inches_below(axes: Axes) -> float:
    """How much room the name of a column and the labels of its values need below their panel."""
    labels = [label.get_text() for label in axes.get_xticklabels() if label.get_rotation()]
    longest = max((len(line) for label in labels for line in label.split("\n")), default=0)
    return 0.07 * longest + 0.15 * (axes.get_xlabel().count("\n") + 1)


def _draw_curve(axes: Axes, curve: PartialDependence) -> None:
    axes.set_prop_cycle(color=[NETWORK, *OTHERS])
    if not len(curve.rug):
        places = range(len(curve.values))
        axes.plot(places, curve.answers, "o")
        labels = [wrapped(str(label), 20) for label in curve.values]
        axes.set_xticks(places, labels, rotation=90, fontsize=size_of(labels, 14, 8))
        return
    if curve.values.min() >= 0 and curve.values.max() > 100 * max(curve.values.mean() / 10, 1):
        axes.set_xscale("symlog")
    else:
        are_whole = bool((curve.values % 1 == 0).all())
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=are_whole))  # large ones stand apart
    axes.plot(curve.values, curve.answers, linewidth=2)
    ends = axes.get_xaxis_transform()
    axes.plot(curve.rug, [0.02] * len(curve.rug), "|", color=BLACK, transform=ends)
