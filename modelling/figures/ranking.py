"""How well the models rank the rows of two classes, and where the cut-off lies in that."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from modelling.figures.densities import groups_in_order
from modelling.figures.judged_rows import class_name, compared_models, note_of, target_of
from modelling.figures.palette import CUT_OFF, GREY
from modelling.figures.style import legend_above, new_figure, percentages, write
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.metric import format_together

POINTS = 300  # of a curve: more can't be seen


def draw_roc(judgement: Judgement) -> Figure:
    """The share of the positives that are refused, by the share of the others that are."""
    figure, (axes,) = new_figure()
    target = target_of(judgement)
    for outputs, label, line in _labelled(judgement, "roc_auc"):
        false_positive_rate, true_positive_rate, _ = roc_curve(target, outputs)
        axes.plot(false_positive_rate, true_positive_rate, label=label, **line)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.2, label="by chance: 0.5")
    is_refused, is_positive = judgement.predictions.decided == 1, target == 1
    found, wrongly = float(is_refused[is_positive].mean()), float(is_refused[~is_positive].mean())
    _mark_cut_off(axes, wrongly, found)
    negative, positive = (class_name(judgement, code) for code in (0, 1))
    axes.set_xlabel(f"refused of {negative} (false positive rate)")
    axes.set_ylabel(f"refused of {positive} (recall)")
    for axis in (axes.xaxis, axes.yaxis):
        percentages(axis)
    legend_above(axes)
    finding = (
        f"The cut-off refuses {found:.0%} of {positive} and "
        f"{wrongly:{_percent(wrongly)}} of {negative}"
    )
    return write(figure, finding, note_of(judgement, "Legend: area under the ROC curve."))


def draw_precision_recall(judgement: Judgement) -> Figure:
    """How many of the refused are positives, by how many of the positives are refused."""
    figure, (axes,) = new_figure()
    target = target_of(judgement)
    for outputs, label, line in _labelled(judgement, "average_precision"):
        precision, recall, _ = precision_recall_curve(target, outputs)
        axes.plot(recall[:-1], precision[:-1], drawstyle="steps-post", label=label, **line)
    is_refused, is_positive = judgement.predictions.decided == 1, target == 1
    share = float(is_positive.mean())
    everybody = f"refuse everybody: {share:.1%}"
    axes.axhline(share, color=GREY, linestyle=":", linewidth=1.2, label=everybody)
    positive = class_name(judgement, 1)
    finding = "The cut-off refuses nobody"
    if is_refused.any():
        right, found = float(is_positive[is_refused].mean()), float(is_refused[is_positive].mean())
        _mark_cut_off(axes, found, right)
        finding = f"{right:.0%} of the refused are {positive}; {found:.0%} of these are refused"
    axes.set(xlabel=f"refused of {positive} (recall)", ylim=(0, 1.03))
    axes.set_ylabel(f"{positive} among the refused (precision)")
    for axis in (axes.xaxis, axes.yaxis):
        percentages(axis)
    legend_above(axes)
    return write(figure, finding, note_of(judgement, "Legend: average precision."))


def _labelled(judgement: Judgement, metric: str) -> list[tuple[np.ndarray, str, dict[str, Any]]]:
    """Of each model the groups of its outputs, in as small steps as may be shown, its label with
    the metric, and its line; the network first."""
    models = [*compared_models(judgement)]
    values = format_together([model.metrics.get(metric, np.nan) for model in models])
    least = max(judgement.use_case.minimum_rows_per_value, len(judgement.rows) // POINTS)
    return [
        (groups_in_order(model.outputs, least), f"{model.title}: {value}", model.line)
        for model, value in zip(models, values, strict=True)
    ]


def _mark_cut_off(axes: Axes, x: float, y: float) -> None:
    marker: dict[str, Any] = {"color": CUT_OFF, "markersize": 9, "zorder": 5, "linestyle": "none"}
    axes.plot(x, y, "o", label="the network's cut-off", **marker)


def _percent(share: float) -> str:
    return ".1%" if share < 0.1 else ".0%"
