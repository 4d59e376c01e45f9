"""The look of all pictures: readable at 600 pixels, the finding as title, nothing over a curve.

Pictures are matplotlib's ``Figure`` objects without ``pyplot``, which would keep each of them.
"""

import re
from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, PercentFormatter

from modelling.figures.palette import GREY, LIGHT_GREY

SIZE_INCHES, DPI = (7.0, 5.4), 100  # 700 x 540 pixels


def new_figure(rows: int = 1, columns: int = 1, **of_grid: Any) -> tuple[Figure, list[Axes]]:
    """An empty picture with its panels, row by row.

    Parameters
    ----------
    rows, columns : int
    **of_grid
        Further arguments of ``Figure.subplots``, such as ``sharex``.
    """
    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
    panels = [*figure.subplots(rows, columns, squeeze=False, **of_grid).ravel()]
    for axes in panels:
        axes.grid(color=LIGHT_GREY, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GREY)
        axes.tick_params(color=GREY, labelsize=10)
    return figure, panels


def write(figure: Figure, finding: str, note: str) -> Figure:
    """The finding above the picture, and below it what is shown."""
    at_left: dict[str, Any] = {"x": 0.012, "ha": "left"}
    figure.suptitle(wrapped(finding, 58), fontsize=13, fontweight="bold", **at_left)
    figure.supxlabel(wrapped(note, 88), fontsize=10, color=GREY, **at_left)
    _take_dollars_for_dollars(figure)
    return figure


def _take_dollars_for_dollars(figure: Figure) -> None:
    """Between two of them matplotlib reads formulas, and fails where it can't: 'Loans of $1,000 to
    $9,000'. Only numbers along an axis may be formulas, such as powers of ten."""
    axis_of = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    numbered = [one for one in axis_of if not isinstance(one.get_major_formatter(), FuncFormatter)]
    numbers = {label for axis in numbered for label in axis.get_ticklabels(which="both")}
    for text in figure.findobj(Text):
        if text not in numbers:
            text.set_parse_math(False)


def wrapped(text: str, width: int) -> str:
    """Text on lines of at most ``width`` characters. A line ends at a blank; in the name of a
    column, which has none, behind an underscore or before a capital letter, if it can."""
    part = rf".{{1,{width}}}"
    line = rf" *({part}(?= |$)|{part}(?:(?<=[_-])|(?<=[a-z])(?=[A-Z]))|{part})"
    return "\n".join(re.findall(line, text))


def size_of(labels: Iterable[str], room: int, size: float) -> float:
    """The size of letters at which the lines of the ``labels`` along one axis do not overlap, where
    ``room`` of them fit at the usual ``size``."""
    lines = sum(label.count("\n") + 1 for label in labels)
    return size * min(room / lines, 1)


def legend_above(axes: Axes, columns: int = 2) -> None:
    """A legend between title and panel, where it covers no curve."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=False,
        borderaxespad=0.1,
        borderpad=0.2,
        columnspacing=1.5,
        fontsize=10,
    )


def whole_numbers(axis: Axis) -> None:
    """Ticks with thousands separators: ``12,000,000``."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def percentages(axis: Axis) -> None:
    """Ticks of shares as percentages."""
    axis.set_major_formatter(PercentFormatter(1))
