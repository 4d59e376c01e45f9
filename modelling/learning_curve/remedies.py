"""What to change when a learning curve is not healthy: concrete settings, made from today's."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelling.declaration import UseCase
from modelling.learning_curve.curve_statistics import half_done, running_median
from modelling.learning_curve.history import History

SEVERE = 1.5  # times its lowest: where a validation loss ended that fewer epochs won't mend


@dataclass(frozen=True)
class Remedy:
    """Settings to change: dotted names of the declaration with their values, and why."""

    overrides: dict[str, Any]
    why: str


def units_died(dead_units: float | None) -> bool:
    """Whether many hidden ReLU units never fire, so that no gradient reaches them: as initialised,
    few do, and steps that are too small leave it at that."""
    return dead_units is not None and dead_units >= 0.15


def remedies_for(
    verdict: str, history: History, use_case: UseCase, dead_units: float | None
) -> tuple[Remedy, ...]:
    """The settings to change for a verdict, the first to try first; none for a healthy curve.

    ``dead_units`` is the share (0 to 1) of hidden ReLU units that never fire on training rows.
    """
    if verdict == "undertrained":
        return _remedies_undertrained(history, use_case)
    if verdict == "overfitting":
        return _remedies_overfitting(history, use_case)
    if verdict == "stuck":
        return _remedies_stuck(use_case, dead_units)
    if verdict == "jagged":
        larger = {"training.batch_size": use_case.training.batch_size * 4}
        return (
            _rate(use_case, 1 / 10, "smaller steps don't leap over the valley"),
            Remedy(larger, "gradients of four times as many rows are half as noisy"),
        )
    if verdict == "diverged":
        return (
            _rate(use_case, 1 / 100, "each step leapt further than the last: far smaller steps"),
            _rate(use_case, 1 / 1000, "if that still diverges"),
        )
    return ()


def _rate(use_case: UseCase, factor: float, why: str) -> Remedy:
    rate = float(f"{use_case.training.learning_rate * factor:.3g}")
    return Remedy({"training.learning_rate": rate}, why)


def _remedies_undertrained(history: History, use_case: UseCase) -> tuple[Remedy, ...]:
    """Below 20 epochs more of them. Else more epochs first where the fall bends, and a larger rate
    first where it is nearly linear: half done after 40 % of the epochs or more."""
    loss = np.asarray(history.metrics["loss"], dtype=np.float64)
    more = Remedy(
        {"training.epochs": max(3 * len(loss), 20)}, "the losses still fell when training ended"
    )
    faster = _rate(use_case, 5, "larger steps cover the same way in fewer epochs")
    if len(loss) < 20:
        both = {**more.overrides, **faster.overrides}
        return more, Remedy(both, "if more epochs alone are not enough")
    if half_done(running_median(loss), loss[0]) < 0.4:
        return more, faster
    return _rate(use_case, 10, "the fall is still nearly linear: steps are far too small"), more


def _remedies_overfitting(history: History, use_case: UseCase) -> tuple[Remedy, ...]:
    """Fewer epochs, then dropout, then L2. Where the validation loss ended half above its lowest,
    the network has room to learn rows by heart: then a smaller one with more dropout comes first,
    with epochs enough for it to find its own best."""
    network, best = use_case.network, history.best_epoch + 1
    fewer = {"training.epochs": best}
    dropout = {"network.dropout": round(min(network.dropout + 0.2, 0.5), 3)}
    stop = Remedy(fewer, f"epoch {best} had the lowest val_loss")
    drop = Remedy(dropout, "units that may be missing can't learn by heart")
    decay = Remedy({"network.l2": max(10 * network.l2, 1e-4)}, "small weights draw smooth borders")
    val_loss = history.metrics["val_loss"]
    if val_loss[-1] < SEVERE * min(val_loss):
        return stop, drop, decay
    smaller = {
        "training.epochs": min(max(2 * best, 20), len(val_loss)),
        "training.early_stopping_patience": 10,
        "network.hidden_units": [max(units // 8, 8) for units in network.hidden_units],
    }
    why = f"a smaller network has less room to learn by heart (val_loss was lowest in epoch {best})"
    return Remedy({**smaller, **dropout}, why), stop, decay


def _remedies_stuck(use_case: UseCase, dead_units: float | None) -> tuple[Remedy, ...]:
    if units_died(dead_units):
        leaky = {"network.activation": "leaky_relu"}
        return (
            _rate(use_case, 1 / 30, "too large a step killed the units: a smaller one doesn't"),
            Remedy(leaky, "a unit with a slope on both sides can come back"),
        )
    remedies = (
        _rate(use_case, 10, "steps are too small to see"),
        _rate(use_case, 30, "if ten times is still flat"),
    )
    if use_case.preprocessing.scaling == "standard":
        return remedies
    scaled = {"preprocessing.scaling": "standard"}
    return (*remedies, Remedy(scaled, "features of very different sizes drown each other"))
