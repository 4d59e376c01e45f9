"""How far columns and answers have moved since a version was judged."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from modelling.figures.palette import BETTER, BLACK, GREY, OTHERS, WORSE
from modelling.figures.style import new_figure, size_of, wrapped, write
from modelling.watching.drift import LARGE, MODERATE, Drift
from modelling.watching.report import Watched

SHOWN = 14
COLOURS = {"none": BETTER, "moderate": OTHERS[0], "large": WORSE}


def draw_watch(watched: Watched, title: str) -> Figure:
    """The answers, and the columns that have moved most, by their population stability index."""
    figure, (axes,) = new_figure()
    shown = [*watched.answers, *watched.columns][:SHOWN]
    for place, drift in enumerate(shown):
        axes.barh(place, drift.psi, color=COLOURS[drift.level], alpha=0.6)
        axes.plot([drift.by_chance] * 2, [place - 0.4, place + 0.4], color=BLACK, linewidth=1.5)
    names = [wrapped(drift.name, 34) for drift in shown]
    axes.set_yticks(range(len(shown)), names, fontsize=size_of(names, 20, 10))
    axes.invert_yaxis()
    _draw_levels(axes, shown)
    axes.set_xlabel("population stability index")
    note = (
        f"{title}, version {watched.version}: {watched.rows:,} rows beside {watched.judged_rows:,} "
        "when judged. Up to the black marks it could be chance."
    )
    return write(figure, _finding(watched), note)


def _draw_levels(axes: Axes, shown: list[Drift]) -> None:
    """The usual bounds, where the axis reaches them; and room for the first one always."""
    highest = max([MODERATE, *(max(drift.psi, drift.by_chance) for drift in shown)])
    axes.set_xlim(0, highest * 1.1)
    for bound in (MODERATE, LARGE):
        if bound <= highest * 1.1:
            axes.axvline(bound, color=GREY, linestyle="--", linewidth=1.2)


def _finding(watched: Watched) -> str:
    moved = [drift for drift in watched.drifts if drift.level != "none"]
    if not moved:
        return "No answer and no column has moved"
    most = max(moved, key=lambda drift: drift.psi)
    return f"{most.name} has moved most: {most.bin}, {most.moved}"
