"""What a model rests on; no picture shows a single customer."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from modelling.declaration import UseCase
from modelling.figures.palette import BLACK, GREY, NETWORK, OTHERS, UNDECIDED
from modelling.figures.style import legend_above, new_figure, write
from modelling.judgement.importance import Course
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
    axes.set_yticks(range(len(shown)), [_short(name) for name, _ in shown])
    axes.invert_yaxis()
    axes.axvline(0, color=GREY, linestyle="--", linewidth=1.2)
    loss = "squared error" if use_case.problem == "regression" else "log loss"
    axes.set_xlabel(f"rise of the {loss} where the column is shuffled")
    name, most = shown[0]
    value, low, high = format_together(most, significant=2)
    finding = f"The model rests most on {_short(name, 56)}: without it the {loss} rises by {value}"
    if most.low <= 0:
        finding = f"No column matters beyond chance; the first is {_short(name, 56)}"
    note = (
        f"{use_case.title}, validation rows. The first column's 95 % interval is {low} to {high}."
    )
    return write(figure, finding, note)


def draw_partial_dependence(courses: dict[str, Course], use_case: UseCase) -> Figure:
    """The mean answer along each column, with a mark at each decile of its values."""
    figure, panels = new_figure(2, 3, sharey=True)
    for axes, (name, course) in zip(panels, courses.items(), strict=False):
        _draw_course(axes, course)
        axes.set_xlabel(_short(name, 26), fontsize=9)
        axes.tick_params(labelsize=8)
    for axes in panels[len(courses) :]:
        axes.set_visible(False)
    what = "forecast" if use_case.problem == "regression" else "probability"
    figure.supylabel(f"mean {what}", fontsize=10)
    if use_case.problem == "multiclass":
        for line, label in zip(panels[0].lines, use_case.classes, strict=False):
            line.set_label(str(label))
        legend_above(panels[0], len(use_case.classes))
    spread = {name: float(np.ptp(course.answers, axis=0).max()) for name, course in courses.items()}
    widest = max(spread, key=lambda name: spread[name])
    finding = f"The mean {what} moves most along {_short(widest, 56)}: by {spread[widest]:.3g}"
    note = f"{use_case.title}: if all validation rows had this value; marks are deciles."
    return write(figure, finding, note)


def _draw_course(axes: Axes, course: Course) -> None:
    axes.set_prop_cycle(color=[NETWORK, *OTHERS])
    if not len(course.rug):
        places = range(len(course.values))
        axes.plot(places, course.answers, "o")
        axes.set_xticks(places, [_short(str(label), 12) for label in course.values], rotation=40)
        return
    if course.values.min() >= 0 and course.values.max() > 100 * max(course.values.mean() / 10, 1):
        axes.set_xscale("symlog")
    axes.plot(course.values, course.answers, linewidth=2)
    ends = axes.get_xaxis_transform()
    axes.plot(course.rug, [0.02] * len(course.rug), "|", color=BLACK, transform=ends)


def _short(name: str, most: int = 32) -> str:
    return name if len(name) <= most else name[: most - 3] + "..."
