"""The picture of a training: both losses by epoch, and what they say."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from modelling.figures.palette import EVIDENCE, GREY, TRAINING_LOSS, VALIDATION_LOSS
from modelling.figures.style import legend_above, new_figure, write
from modelling.learning_curve.diagnosis import Diagnosis
from modelling.learning_curve.history import History, format_loss
from modelling.schema import Problem

FINDINGS = {
    "healthy": "Healthy: val_loss fell and stays down",
    "undertrained": "Undertrained: val_loss can still fall, train longer",
    "jagged": "Jagged: the training loss jumps, take smaller steps",
    "overfitting": "Overfitting: val_loss rises again while the training loss falls on",
    "diverged": "Diverged: the training loss exploded, take much smaller steps",
    "stuck": "Stuck: the network has learnt nothing",
}
LOSSES: dict[Problem, str] = {
    "regression": "mean squared\nerror",
    "binary": "log loss\n(nats)",
    "multiclass": "log loss\n(nats)",
}
FAR_AWAY = 3.0  # times the range of val_loss: then it has a panel of its own


def draw_learning_curve(
    history: History, title: str, diagnosis: Diagnosis, problem: Problem | None = None
) -> Figure:
    """Training and validation loss by epoch (from 1), the best epoch and the diagnosis.

    The epochs that gave the verdict are shaded; the evidence is below. Where the training loss is
    far from the validation loss, that has a panel of its own. Epochs whose loss is NaN are left
    out; an axis is logarithmic where the largest loss is a thousand times the smallest. The loss of
    the constant answer is a line, or named in the legend where a line would flatten the curves. The
    ``problem`` says what the loss is.
    """
    loss, val_loss = history.metrics["loss"], history.metrics["val_loss"]
    is_apart = len(loss) > 1 and _range([*loss, *val_loss]) > FAR_AWAY * _range(val_loss) > 0
    figure, panels = new_figure(1 + is_apart, sharex=True)
    _draw_losses(panels[0], history, ("loss", "val_loss"))
    if is_apart:
        _draw_losses(panels[1], history, ("val_loss",))
        panels[1].set_ylabel("val_loss")
        panels[1].set_title("val_loss alone, enlarged", loc="right", fontsize=10)
    for axes in panels:
        if diagnosis.region is not None:
            _shade(axes, diagnosis.region)
        if math.isfinite(history.best_val_loss):
            _mark_best_epoch(axes, history)
    constant = history.constant_val_loss
    if constant is not None and math.isfinite(constant):
        _mark_constant_answer(panels, constant)
    legend_above(panels[0])
    panels[0].set_ylabel(LOSSES[problem] if problem else "loss")
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    notes = [diagnosis.evidence]
    if diagnosis.leak_suspected:
        notes.append(f"leak suspected: {diagnosis.leak_suspected}")
    finding = FINDINGS.get(diagnosis.verdict, diagnosis.verdict)
    return write(figure, finding, f"{title}. {'; '.join(notes)}")


def _draw_losses(axes: Axes, history: History, names: Sequence[str]) -> None:
    looks = {
        "loss": ("loss (training rows)", TRAINING_LOSS),
        "val_loss": ("val_loss (validation rows)", VALIDATION_LOSS),
    }
    epochs = range(1, len(history.metrics["loss"]) + 1)
    marker = "o" if len(epochs) <= 3 else None  # a line of few points is hard to see
    for name in names:
        label, colour = looks[name]
        line: dict[str, Any] = {"color": colour, "linewidth": 2.2, "marker": marker}
        axes.plot(epochs, history.metrics[name], label=label, **line)
    finite = [value for name in names for value in history.metrics[name] if math.isfinite(value)]
    if finite and min(finite) > 0 and max(finite) > 1000 * min(finite):
        axes.set_yscale("log")  # or one huge value would flatten the rest


def _shade(axes: Axes, region: tuple[int, int]) -> None:
    first, last = region
    shaded: dict[str, Any] = {"color": EVIDENCE, "alpha": 0.12, "linewidth": 0, "zorder": 0}
    axes.axvspan(first + 0.5, last + 1.5, label="epochs that gave the verdict", **shaded)


def _mark_best_epoch(axes: Axes, history: History) -> None:
    best, value = history.best_epoch + 1, history.best_val_loss
    label = f"best epoch {best}: {format_loss(value, 4)}"
    axes.axvline(best, color=GREY, linestyle=":", linewidth=1.5)
    axes.plot(best, value, "o", color=VALIDATION_LOSS, markersize=8, label=label)


def _mark_constant_answer(panels: Sequence[Axes], constant: float) -> None:
    """A line where that makes an axis at most twice as long; else its value in the legend only."""
    label = f"constant answer: {format_loss(constant, 4)}"
    line: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1.5}
    is_shown = False
    for axes in panels:
        transform = axes.yaxis.get_transform().transform
        low, high, level = transform([*axes.get_ylim(), max(constant, 1e-300)])
        if 2 * low - high <= level <= 2 * high - low:
            axes.axhline(constant, label=None if is_shown else label, **line)
            is_shown = True
    if not is_shown:
        above = constant > panels[0].get_ylim()[1]
        panels[0].plot([], [], label=f"{label}, {'above' if above else 'below'}", **line)


def _range(losses: Sequence[float]) -> float:
    finite = [value for value in losses if math.isfinite(value)]
    return max(finite) - min(finite) if finite else 0.0
