"""Pictures of a judgement, from scikit-learn's own displays, readable on a phone.

None shows a single customer: each point is an aggregate of ``minimum_rows_per_value`` test rows or
more, and no axis ends at the smallest or the largest value.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    PrecisionRecallDisplay,
    RocCurveDisplay,
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from modelling.declaration import OutOfTime
from modelling.features.microaggregation import microaggregate
from modelling.judgement.baselines.catalogue import all_baselines
from modelling.judgement.decisions.costs import costs_at
from modelling.judgement.decisions.decision_rule import decision_rule
from modelling.judgement.densities import rows_by_cell
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.multiclass import top_label

NETWORK = "network"

Draw = Callable[[Judgement, Axes], None]


def draw_judgement(judgement: Judgement) -> dict[str, Figure]:
    """The pictures that fit the problem, by file name without its ending."""
    return {name: _figure(judgement, draw, name) for name, draw in _figures_for(judgement)}


def _figures_for(judgement: Judgement) -> Iterator[tuple[str, Draw]]:
    use_case = judgement.use_case
    if use_case.baselines:
        yield "advantages", _advantages
    if len(judgement.rows) < use_case.minimum_rows_per_value:
        return  # each step of a curve would be a single customer
    if use_case.problem == "regression":
        yield "forecast_against_actual", _forecast_against_actual
        if isinstance(use_case.split, OutOfTime):
            yield "forecast_over_time", _forecast_over_time
        return
    yield "confusion", _confusion
    yield "reliability", _reliability
    yield "scores_by_class", _scores_by_class
    if use_case.problem == "binary":
        yield "roc", _roc
        yield "precision_recall", _precision_recall
        if use_case.costs is not None:
            yield "cost_by_cut_off", _cost_by_cut_off


def _figure(judgement: Judgement, draw: Draw, name: str) -> Figure:
    figure = Figure(figsize=(7, 5.4), layout="constrained")
    axes = figure.add_subplot()
    draw(judgement, axes)
    figure.suptitle(judgement.use_case.title, fontsize=14)
    axes.set_title(f"{name.replace('_', ' ')} (test rows)", fontsize=12, loc="left")
    if draw is not _confusion:
        axes.grid(alpha=0.3)
    return figure


def _roc(judgement: Judgement, axes: Axes) -> None:
    target = _target(judgement)
    for name, outputs, style in _models(judgement):
        fpr, tpr, _ = roc_curve(target, _in_steps(outputs, judgement))
        display = RocCurveDisplay(
            fpr=fpr, tpr=tpr, roc_auc=roc_auc_score(target, outputs), name=name
        )
        display.plot(axes, curve_kwargs=style)


def _precision_recall(judgement: Judgement, axes: Axes) -> None:
    target = _target(judgement)
    for name, outputs, style in _models(judgement):
        curve = precision_recall_curve(target, _in_steps(outputs, judgement))
        score = average_precision_score(target, outputs)
        display = PrecisionRecallDisplay(*curve[:2], average_precision=score, name=name)
        display.plot(axes, curve_kwargs=style)


def _in_steps(outputs: np.ndarray, judgement: Judgement) -> np.ndarray:
    """The rank of each of the ``outputs`` (n,) in steps of as many rows as may be shown: (n,)."""
    steps = len(outputs) // judgement.use_case.minimum_rows_per_value
    ranks = np.empty(len(outputs), dtype=np.intp)
    ranks[np.argsort(outputs, kind="stable")] = np.arange(len(outputs)) * steps // len(outputs)
    return ranks


def _reliability(judgement: Judgement, axes: Axes) -> None:
    """In bins of equal size, as far as the probabilities go: defaults and frauds are rare."""
    bins = min(10, len(judgement.rows) // judgement.use_case.minimum_rows_per_value)
    occurred, probabilities = _target(judgement), judgement.predictions.outputs
    if probabilities.ndim > 1:
        occurred, probabilities = top_label(occurred, probabilities)
    CalibrationDisplay.from_predictions(
        occurred, probabilities, n_bins=bins, strategy="quantile", name=NETWORK, ax=axes
    )
    points = np.concatenate([line.get_xydata() for line in axes.lines[1:]])
    reach = min(1.1 * float(points.max()), 1.0)
    axes.set(xlim=(0, reach), ylim=(0, reach))
    of = "positives" if judgement.use_case.problem == "binary" else "right predictions"
    axes.set(xlabel="mean predicted probability", ylabel=f"share of {of}")


def _scores_by_class(judgement: Judgement, axes: Axes) -> None:
    """Of two classes the probability of the second, of more that of the right class."""
    least, shown = judgement.use_case.minimum_rows_per_value, 0.0
    for code, label in enumerate(judgement.use_case.classes):
        outputs = judgement.predictions.outputs[_target(judgement) == code]
        scores = outputs if outputs.ndim == 1 else outputs[:, code]
        counts, (edges,) = rows_by_cell([scores], [(0.0, 1.0)], least)
        density = counts / max(len(scores), 1) * (len(edges) - 1)
        shown += counts.sum()
        axes.stairs(density, edges, fill=True, alpha=0.6, label=f"{label}: {len(scores):,}")
    scale = "log" if shown else "linear"  # with few test rows nothing is shown
    axes.set(xlabel="probability", ylabel="density in the class", yscale=scale)
    axes.legend()


def _cost_by_cut_off(judgement: Judgement, axes: Axes) -> None:
    use_case, rows = judgement.use_case, judgement.rows
    assert use_case.costs is not None
    compared = decision_rule(use_case).compared(judgement.predictions.outputs, rows, use_case, None)
    steps = min(200, len(rows) // use_case.minimum_rows_per_value)
    cut_offs = np.unique(np.quantile(compared, np.linspace(0, 1, steps + 1)))
    axes.plot(cut_offs, costs_at(cut_offs, rows, compared, use_case), linewidth=2)
    decided = judgement.metrics["cost"]
    axes.axhline(decided, color="C1", linestyle=":", label=f"as decided: {decided:,.0f}")
    axes.set(xlabel="cut-off", ylabel=f"cost in {use_case.costs.unit}")
    axes.legend()


def _confusion(judgement: Judgement, axes: Axes) -> None:
    labels = [str(label) for label in judgement.use_case.classes]
    ConfusionMatrixDisplay.from_predictions(
        _target(judgement),
        judgement.predictions.decided,
        labels=range(len(labels)),
        display_labels=labels,
        normalize="true",
        values_format=".0%",
        colorbar=False,
        cmap="Blues",
        ax=axes,
    )


def _forecast_against_actual(judgement: Judgement, axes: Axes) -> None:
    """How many test rows lie where; cells of few rows are left empty."""
    least = judgement.use_case.minimum_rows_per_value
    forecast, actual = judgement.predictions.outputs, _target(judgement)
    together = microaggregate(np.column_stack([forecast, actual]), least)
    ends = float(together.min()), float(together.max())
    counts, edges = rows_by_cell([forecast, actual], [ends, ends], least)
    drawn = axes.pcolormesh(
        *edges, np.ma.masked_equal(counts, 0).T, cmap="Blues", vmin=0, vmax=counts.max() or 1
    )
    axes.axline((ends[0], ends[0]), slope=1, color="grey", linestyle=":")
    axes.figure.colorbar(drawn, ax=axes, label="test rows")
    axes.set(xlabel="forecast", ylabel="actual", xlim=ends, ylim=ends)


def _forecast_over_time(judgement: Judgement, axes: Axes) -> None:
    """Means over as many test rows, one after the other, as may be shown."""
    use_case, split = judgement.use_case, judgement.use_case.split
    assert isinstance(split, OutOfTime)
    times = judgement.rows[split.column]
    groups = len(times) // use_case.minimum_rows_per_value
    shown = pd.DataFrame(
        {"at": times, "realised": _target(judgement), "forecast": judgement.predictions.outputs}
    ).sort_values("at", ignore_index=True)
    shown = shown.groupby(shown.index * groups // len(shown)).mean()
    axes.plot(shown["at"], shown["realised"], linewidth=1, alpha=0.6, label="realised")
    axes.plot(shown["at"], shown["forecast"], linewidth=2, label="forecast")
    axes.set(ylabel=f"{use_case.target} (means of {len(times) // groups} rows)")
    axes.tick_params("x", rotation=30)
    axes.legend()


def _advantages(judgement: Judgement, axes: Axes) -> None:
    """The paired difference to each baseline, in the first headline metric, with its interval."""
    metric = find_metric(judgement.use_case.headline[0], judgement.use_case.problem)
    names = [*judgement.baseline_predictions]
    names = [name for name in names if all_baselines()[name].in_curves] or names
    for row, name in enumerate(names):
        value, low, high = judgement.advantages[metric.name, name]
        colour = "C3" if high < 0 else "C2" if low > 0 else "C7"
        axes.plot([low, high], [row, row], color=colour, linewidth=3)
        axes.plot(value, row, "o", color=colour, markersize=8)
    axes.axvline(0, color="grey", linestyle=":")
    axes.set_yticks(range(len(names)), [all_baselines()[name].title for name in names])
    axes.margins(y=0.3)
    axes.set(xlabel=f"{metric.label}\nright of 0: the network is better (95 % interval)")


def _models(judgement: Judgement) -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
    for name, predictions in judgement.baseline_predictions.items():
        baseline = all_baselines()[name]
        if baseline.in_curves:
            yield baseline.title, predictions.outputs, {"linewidth": 1.2, "alpha": 0.8}
    yield NETWORK, judgement.predictions.outputs, {"linewidth": 2.4, "color": "black"}


def _target(judgement: Judgement) -> np.ndarray:
    return judgement.rows[judgement.use_case.target].to_numpy()
