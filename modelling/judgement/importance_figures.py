"""Pictures of what a model rests on; none shows a single customer."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from modelling.declaration import UseCase
from modelling.judgement.importance import Course
from modelling.judgement.intervals import Interval

SHOWN, PANELS = 12, 6


def draw_importance(importance: dict[str, Interval], use_case: UseCase) -> Figure:
    """The most important columns with their intervals."""
    figure = Figure(figsize=(7, 5.4), layout="constrained")
    axes = figure.add_subplot()
    shown = list(importance.items())[:SHOWN]
    for place, (_, interval) in enumerate(shown):
        colour = "C0" if interval.low > 0 else "C7"
        axes.barh(place, interval.value, color=colour, alpha=0.5)
        axes.plot([interval.low, interval.high], [place, place], color=colour, linewidth=2.5)
    axes.set_yticks(range(len(shown)), [_short(name) for name, _ in shown])
    axes.invert_yaxis()
    axes.axvline(0, color="grey", linestyle=":")
    loss = "squared error" if use_case.problem == "regression" else "log loss"
    axes.set(xlabel=f"rise of the {loss} where the column is shuffled\n(95 % interval)")
    _title(figure, axes, use_case, "what the model rests on (validation rows)")
    return figure


def draw_partial_dependence(courses: dict[str, Course], use_case: UseCase) -> Figure:
    """The mean answer along each column, with a mark at each decile of its values."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    panels = figure.subplots(2, 3, sharey=True).ravel()
    for axes, (name, course) in zip(panels, courses.items(), strict=False):
        _draw_course(axes, course)
        axes.set_title(_short(name, 34), fontsize=10, loc="left")
    for axes in panels[len(courses) :]:
        axes.set_visible(False)
    what = "forecast" if use_case.problem == "regression" else "probability"
    figure.supylabel(f"mean {what}")
    if use_case.problem == "multiclass":
        panels[0].legend([str(label) for label in use_case.classes], fontsize=8)
    figure.suptitle(
        f"{use_case.title}\nmean answer if all validation rows had this value; marks: deciles",
        fontsize=12,
    )
    return figure


def _draw_course(axes: Axes, course: Course) -> None:
    if not len(course.rug):
        places = range(len(course.values))
        axes.plot(places, course.answers, "o")
        axes.set_xticks(places, [_short(str(label), 12) for label in course.values], rotation=40)
        return
    if course.values.min() >= 0 and course.values.max() > 100 * max(course.values.mean() / 10, 1):
        axes.set_xscale("symlog")
    axes.plot(course.values, course.answers, linewidth=2)
    ends = axes.get_xaxis_transform()
    axes.plot(course.rug, [0.02] * len(course.rug), "|", color="black", transform=ends)
    axes.grid(alpha=0.3)


def _short(name: str, most: int = 32) -> str:
    return name if len(name) <= most else name[: most - 3] + "..."


def _title(figure: Figure, axes: Axes, use_case: UseCase, title: str) -> None:
    figure.suptitle(use_case.title, fontsize=14)
    axes.set_title(title, fontsize=12, loc="left")
    axes.grid(alpha=0.3)
