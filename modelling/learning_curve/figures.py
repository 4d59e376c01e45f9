"""The figure of a training, readable on a phone: large type, one message."""

import math
import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from modelling.learning_curve.diagnosis import Diagnosis
from modelling.learning_curve.history import History


def draw_learning_curve(history: History, title: str, diagnosis: Diagnosis) -> Figure:
    """Training and validation loss by epoch (from 1), the best epoch and the diagnosis.

    The epochs that gave the verdict are shaded; the evidence is under the title. Epochs whose loss
    is NaN are left out; the axis is logarithmic where the largest loss is a thousand times the
    smallest.
    """
    loss, val_loss = history.metrics["loss"], history.metrics["val_loss"]
    epochs = range(1, len(loss) + 1)
    figure = Figure(figsize=(7, 5.4), layout="constrained")
    axes = figure.add_subplot()
    marker = "o" if len(loss) <= 3 else None  # a line of few points is hard to see
    axes.plot(epochs, loss, label="loss (training rows)", linewidth=2, marker=marker)
    axes.plot(epochs, val_loss, label="val_loss (validation rows)", linewidth=2, marker=marker)
    if math.isfinite(history.best_val_loss):
        _mark_best_epoch(axes, history)
    if diagnosis.region is not None:
        first, last = diagnosis.region
        shaded: dict[str, Any] = {"color": "C3", "alpha": 0.12, "linewidth": 0, "zorder": 0}
        axes.axvspan(first + 0.5, last + 1.5, label=diagnosis.verdict, **shaded)
    finite = [value for value in (*loss, *val_loss) if math.isfinite(value)]
    if finite and min(finite) > 0 and max(finite) > 1000 * min(finite):
        axes.set_yscale("log")  # or one huge value would flatten the rest
    lines = [f"{diagnosis.verdict}: {diagnosis.evidence}"]
    if diagnosis.leak_suspected:
        lines.append(f"leak suspected: {diagnosis.leak_suspected}")
    wrapped = [textwrap.fill(line, 66, break_on_hyphens=False) for line in lines]
    figure.suptitle(title, fontsize=14)
    axes.set_title("\n".join(wrapped), fontsize=12, loc="left")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _mark_best_epoch(axes: Axes, history: History) -> None:
    best, value = history.best_epoch + 1, history.best_val_loss
    axes.axvline(best, color="grey", linestyle=":", linewidth=1.5)
    axes.plot(best, value, "o", color="C1", markersize=8)
    late = best > len(history.metrics["loss"]) / 2  # then there is room on the left only
    axes.annotate(
        f"best epoch {best}: {value:.4g}",
        (best, value),
        xytext=(-8 if late else 8, 12),
        ha="right" if late else "left",
        textcoords="offset points",
        bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1},
    )
