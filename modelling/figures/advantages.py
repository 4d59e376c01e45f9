"""How much better or worse than the baselines the network is."""

from matplotlib.figure import Figure

from modelling.figures.judged_rows import note_of
from modelling.figures.palette import BETTER, GREY, UNDECIDED, WORSE
from modelling.figures.style import new_figure, write
from modelling.judgement.baselines.catalogue import all_baselines
from modelling.judgement.intervals import Interval
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.metric import Metric, format_together


def draw_advantages(judgement: Judgement) -> Figure:
    """The paired difference to each baseline, in the first headline metric, with its interval."""
    metric = find_metric(judgement.use_case.headline[0], judgement.use_case.problem)
    names = [*judgement.baseline_predictions]
    names = [name for name in names if all_baselines()[name].in_curves] or names
    figure, (axes,) = new_figure()
    for row, name in enumerate(names):
        advantage = judgement.advantages[metric.name, name]
        colour = _colour(advantage)
        axes.plot([advantage.low, advantage.high], [row, row], color=colour, linewidth=3)
        axes.plot(advantage.value, row, "o", color=colour, markersize=9)
        axes.annotate(
            format_together(advantage, significant=2)[0],
            (advantage.value, row),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
        )
    axes.axvline(0, color=GREY, linestyle="--", linewidth=1.2)
    values = format_together([judgement.baseline_metrics[name][metric.name] for name in names])
    titles = [all_baselines()[name].title for name in names]
    labels = [f"{title}\n{value}" for title, value in zip(titles, values, strict=True)]
    axes.set_yticks(range(len(names)), labels)
    axes.margins(y=0.3)
    axes.set_xlabel(f"{metric.label}, difference: right of 0 the network is better")
    closest = min(names, key=lambda name: judgement.advantages[metric.name, name].value)
    finding = finding_of(
        metric, all_baselines()[closest].title, judgement.advantages[metric.name, closest]
    )
    return write(
        figure, finding, note_of(judgement, "Lines are 95 % intervals of paired resamples.")
    )


def finding_of(metric: Metric, baseline: str, advantage: Interval) -> str:
    """Who is better, by how much and how surely, as a sentence."""
    if not advantage.excludes_zero:
        value, low, high = format_together(advantage, significant=2)
        return (
            f"The network {metric.verb} no better and no worse than {baseline}: "
            f"difference {value}, interval {low} to {high}"
        )
    better, worse, gain = "The network", baseline, advantage
    if advantage.high < 0:
        better, worse = baseline[0].upper() + baseline[1:], "the network"
        gain = Interval(-advantage.value, -advantage.high, -advantage.low)
    value, low, high = format_together(gain, significant=2)
    return f"{better} {metric.verb} better than {worse} by {value}, interval {low} to {high}"


def _colour(advantage: Interval) -> str:
    if not advantage.excludes_zero:
        return UNDECIDED
    return BETTER if advantage.low > 0 else WORSE
