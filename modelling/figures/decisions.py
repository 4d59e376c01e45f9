"""What was decided, and what it costs at other cut-offs."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from modelling.figures.densities import groups_in_order
from modelling.figures.judged_rows import class_name, note_of, target_of
from modelling.figures.palette import CUT_OFF, GREY, NETWORK, ORANGE, PURPLE
from modelling.figures.style import legend_above, new_figure, whole_numbers, write
from modelling.judgement.decisions.costs import costs_at
from modelling.judgement.decisions.decision_rule import decision_rule
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.metric import format_value

NUMBERED_CLASSES = 12  # numbers in more cells could not be read
FEW_CLASSES = 5
STEPS = 200


def draw_confusion(judgement: Judgement) -> Figure:
    """What was decided by what is right: counts, and the share of the row."""
    codes = range(len(judgement.use_case.classes))
    target, decided = target_of(judgement), judgement.predictions.decided
    counts = confusion_matrix(target, decided, labels=codes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, (axes,) = new_figure()
    axes.grid(False)
    drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    figure.colorbar(drawn, ax=axes, label="share of the row", format="{x:.0%}")
    names = [class_name(judgement, code) for code in codes]
    axes.set_xticks(codes, names, rotation=30 if len(names) > FEW_CLASSES else 0)
    axes.set_yticks(codes, names, rotation=90 if len(names) == 2 else 0, va="center")
    axes.set(xlabel="decided class", ylabel="actual class")
    if len(names) <= NUMBERED_CLASSES:
        _write_numbers(axes, counts, shares)
    right = float(np.mean(target == decided))
    finding = f"{right:.1%} of {len(target):,} decisions are right"
    found = np.where(counts.sum(axis=1) > 0, shares.diagonal(), np.inf)
    if len(names) > 2:
        finding += f"; {names[int(found.argmin())]} is recognised worst ({found.min():.0%})"
    elif counts[1].sum():
        finding += f", {found[1]:.0%} of those on {names[1]}"
    return write(figure, finding, note_of(judgement))


def _write_numbers(axes: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    size = 12 if len(counts) <= FEW_CLASSES else 8
    for (row, column), count in np.ndenumerate(counts):
        if count:
            share = shares[row, column]
            colour = "white" if share > 0.5 else "black"
            text = f"{count:,}\n{share:.0%}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)


def draw_cost_by_cut_off(judgement: Judgement) -> Figure:
    """What the wrong decisions cost at each cut-off, and what two rules without a model cost."""
    use_case, rows = judgement.use_case, judgement.rows
    assert use_case.costs is not None
    rule, unit = decision_rule(use_case), use_case.costs.unit
    compared = rule.compared(judgement.predictions.outputs, rows, use_case, None)
    groups = groups_in_order(compared, max(use_case.minimum_rows_per_value, len(rows) // STEPS))
    cut_offs = np.bincount(groups, compared) / np.bincount(groups)
    figure, (axes,) = new_figure()
    axes.plot(cut_offs, costs_at(cut_offs, rows, compared, use_case), color=NETWORK, linewidth=2.4)
    ends = np.array([-np.inf, np.inf])
    refuse, accept = map(float, costs_at(ends, rows, compared, use_case))
    for name, cost, colour in (("accept", accept, ORANGE), ("refuse", refuse, PURPLE)):
        label = f"{name} everybody: {format_value(cost, unit)}"
        axes.axhline(cost, color=colour, linestyle="--", linewidth=1.5, label=label)
    decided = judgement.metrics["cost"]
    label = f"as decided: {format_value(decided, unit)}"
    axes.axhline(decided, color=GREY, linestyle=":", linewidth=1.5, label=label)
    if judgement.cut_off is not None:
        label = f"the cut-off: {judgement.cut_off:.3g}"
        axes.axvline(judgement.cut_off, color=CUT_OFF, linestyle="--", linewidth=1.5, label=label)
    axes.set(xlabel=f"cut-off ({rule.compared_title})", ylabel=f"cost of wrong decisions ({unit})")
    axes.set_ylim(bottom=0)
    whole_numbers(axes.yaxis)
    legend_above(axes)
    return write(figure, cost_finding(decided, accept, refuse, unit), note_of(judgement))


def cost_finding(decided: float, accept: float, refuse: float, unit: str) -> str:
    """What the decisions cost, beside the cheaper of two rules that need no model."""
    other, cost = min(("accepting", accept), ("refusing", refuse), key=lambda one: one[1])
    than = f"than {other} everybody"
    if decided <= cost:
        saved = format_value(cost - decided, unit)
        return f"The decisions cost {format_value(decided, unit)}, {saved} less {than}"
    lost = format_value(decided - cost, unit)
    return f"The decisions cost {format_value(decided, unit)}, {lost} MORE {than}"
