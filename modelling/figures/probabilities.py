"""Whether the probabilities come true, and how they lie in each class."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from modelling.features.microaggregation import microaggregated_median
from modelling.figures.densities import groups_in_order, rows_by_cell
from modelling.figures.judged_rows import class_name, note_of, probability_cut_offs, target_of
from modelling.figures.palette import CUT_OFF, GREY, NETWORK, OTHERS
from modelling.figures.style import legend_above, new_figure, percentages, write
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.metric import format_value
from modelling.judgement.metrics.multiclass import top_label
from modelling.judgement.metrics.probabilities import expected_calibration_error, normalised

BINS = 10
PANELS = 12  # as many classes as can be read beside each other


def draw_reliability(judgement: Judgement) -> Figure:
    """In groups of equal size, as far as the probabilities go: defaults and frauds are rare. The
    error in the title is the metric's, over bins of equal width."""
    occurred, probabilities = target_of(judgement), judgement.predictions.outputs
    of = class_name(judgement, 1) if probabilities.ndim == 1 else "right predictions"
    if probabilities.ndim > 1:
        occurred, probabilities = top_label(occurred, normalised(probabilities))
    least = max(judgement.use_case.minimum_rows_per_value, len(occurred) // BINS)
    groups = groups_in_order(probabilities, least)
    rows = np.bincount(groups)
    predicted = np.bincount(groups, probabilities) / rows
    observed = np.bincount(groups, occurred) / rows
    figure, (axes,) = new_figure()
    axes.axline((0, 0), slope=1, color=GREY, linestyle=":", label="as predicted")
    axes.plot(predicted, observed, "o-", color=NETWORK, linewidth=2, label="network")
    reach = min(1.1 * float(max(predicted.max(), observed.max(), 0.01)), 1.0)
    axes.set(xlim=(0, reach), ylim=(0, reach))
    axes.set(xlabel="mean predicted probability", ylabel=f"share of {of}")
    for axis in (axes.xaxis, axes.yaxis):
        percentages(axis)
    legend_above(axes)
    error = expected_calibration_error(occurred, probabilities)
    finding = f"Predicted probabilities are {100 * error:.2f} percentage points off on average"
    explained = (
        f"Each point is a tenth of the rows. expected_calibration_error {format_value(error)} is "
        "over ten bins of equal width."
    )
    return write(figure, finding, note_of(judgement, explained))


def draw_scores_by_class(judgement: Judgement) -> Figure:
    """A panel for each class: of two classes the probability of the second, of more that of the
    right class."""
    outputs, target = judgement.predictions.outputs, target_of(judgement)
    is_binary = outputs.ndim == 1
    rows = np.bincount(target, minlength=len(judgement.use_case.classes))
    shown = sorted(np.argsort(-rows, kind="stable")[:PANELS].tolist())
    columns = 1 if is_binary else math.ceil(math.sqrt(len(shown)))
    figure, panels = new_figure(math.ceil(len(shown) / columns), columns, sharex=True)
    for axes in panels[len(shown) :]:
        axes.remove()
    medians = {}
    for axes, code in zip(panels, shown, strict=False):
        scores = outputs[target == code] if is_binary else outputs[target == code, code]
        _draw_scores(axes, scores, judgement, code)
        if len(scores):
            least = judgement.use_case.minimum_rows_per_value
            medians[class_name(judgement, code)] = microaggregated_median(scores, least)
    what = f"probability of {class_name(judgement, 1)}" if is_binary else "probability"
    for axes in panels[max(len(shown) - columns, 0) : len(shown)]:
        axes.set_xlabel(what)
        axes.tick_params(labelbottom=True)
    figure.supylabel("share of the rows of the class", fontsize=10)
    if is_binary:
        for axes in panels:
            _mark_cut_off(axes, judgement)
        legend_above(panels[0])
    left_out = len(rows) - len(shown)
    note = f"The {left_out} rarest classes are left out." if left_out else ""
    return write(figure, _medians_in_words(medians, is_binary), note_of(judgement, note))


def _draw_scores(axes: Axes, scores: np.ndarray, judgement: Judgement, code: int) -> None:
    counts, (edges,) = rows_by_cell(
        [scores], [(0.0, 1.0)], judgement.use_case.minimum_rows_per_value
    )
    is_negative = judgement.use_case.problem == "binary" and code == 0
    colour = OTHERS[0] if is_negative else NETWORK
    axes.stairs(counts / max(len(scores), 1), edges, fill=True, color=colour)
    name = class_name(judgement, code)
    axes.set_title(f"{name}: {len(scores):,}", loc="right", fontsize=10)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, 1)
    percentages(axes.yaxis)
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _mark_cut_off(axes: Axes, judgement: Judgement) -> None:
    """A line, or a band where the cut-off depends on the amount."""
    if judgement.cut_off is None:
        return
    low, high = probability_cut_offs(judgement)
    label = f"refused from {low:.3g} on"
    if high - low > 0.005:
        label = f"refused from {low:.3g} to {high:.3g} on, by the amount"
        axes.axvspan(low, high, color=GREY, alpha=0.25, linewidth=0)
    middle = (low + high) / 2
    axes.axvline(middle, color=CUT_OFF, linestyle="--", linewidth=1.5, label=label)


def _medians_in_words(medians: dict[str, float], is_binary: bool) -> str:
    known = {name: value for name, value in medians.items() if not math.isnan(value)}
    if is_binary and len(known) == 2:
        (negative, low), (positive, high) = known.items()
        return f"Half of {positive} are above {high:.1%}, half of {negative} above {low:.1%}"
    if is_binary or not known:
        return "How the probabilities lie in each class"
    best, worst = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    return (
        f"{best} is recognised best (median probability {known[best]:.0%}), {worst} worst "
        f"({known[worst]:.0%})"
    )
