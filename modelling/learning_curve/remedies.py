"""What to change when a learning curve is not healthy: settings with their new values."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelling.declaration import Training, UseCase
from modelling.learning_curve.curve_statistics import epoch_share_to_half_fall, running_median
from modelling.learning_curve.history import History

FAR_FROM_CONSTANT = 1.25  # times its loss, or the last one
STRONGER_LASSO = 4 / 3  # times its standard errors
MEMORISED = 1.5  # if val_loss ends at this multiple of its lowest value, fewer epochs do not help


@dataclass(frozen=True)
class Remedy:
    """Settings to change, as dotted names of the declaration with their values, and why."""

    overrides: dict[str, Any]
    why: str


def many_units_dead(dead_unit_share: float | None) -> bool:
    """Whether so many hidden ReLU units are dead that a large step must have killed them: after
    initialisation few are, and steps that are too small do not change that."""
    return dead_unit_share is not None and dead_unit_share >= 0.15


def came_down_to_constant(history: History) -> bool:
    """Whether val_loss came from far above the loss of the constant answer to stay there, as steps
    that were too large leave it; one that was never far is flat since steps are too small."""
    constant, losses = history.constant_val_loss, history.metrics["loss"]
    if constant is None or losses[0] < FAR_FROM_CONSTANT * losses[-1]:
        return False
    return history.metrics["val_loss"][-1] < FAR_FROM_CONSTANT * constant


def went_up_beyond_constant(history: History) -> bool:
    """Whether val_loss ended above its first value and well above the loss of the constant answer,
    as it does after steps that are too large; after steps that are too small it lies still."""
    constant, val_loss = history.constant_val_loss, history.metrics["val_loss"]
    if constant is None:
        return False
    end = float(np.median(val_loss[-max(len(val_loss) // 4, 1) :]))
    return end > FAR_FROM_CONSTANT * max(constant, val_loss[0])


def remedies_for(
    verdict: str, history: History, use_case: UseCase, dead_unit_share: float | None
) -> tuple[Remedy, ...]:
    """The remedies for a verdict, in the order in which to try them; none for a healthy curve.

    ``dead_unit_share`` is the share (0 to 1) of hidden ReLU units that are zero on all training
    rows.
    """
    if verdict == "undertrained":
        return _remedies_undertrained(history, use_case)
    if verdict == "overfitting":
        return _remedies_overfitting(history, use_case)
    if verdict == "stuck":
        return _remedies_stuck(history, use_case, dead_unit_share)
    if verdict == "jagged":
        larger = {"training.batch_size": use_case.training.batch_size * 4}
        return (
            _scaled_learning_rate(use_case, 1 / 10, "smaller steps do not jump across the minimum"),
            Remedy(larger, "gradients of four times as many rows are half as noisy"),
        )
    if verdict == "diverged":
        return (
            _scaled_learning_rate(
                use_case, 1 / 100, "each step went further than the one before: much smaller steps"
            ),
            _scaled_learning_rate(use_case, 1 / 1000, "if that still diverges"),
        )
    return ()


def _scaled_learning_rate(use_case: UseCase, factor: float, why: str) -> Remedy:
    rate = float(f"{use_case.training.learning_rate * factor:.3g}")
    return Remedy({"training.learning_rate": rate}, why)


def _remedies_undertrained(history: History, use_case: UseCase) -> tuple[Remedy, ...]:
    """More epochs below 20. Otherwise, more epochs first where the loss flattens out, and a larger
    learning rate first where it falls almost linearly: half of the fall took 40 % of the epochs or
    more."""
    loss = np.asarray(history.metrics["loss"], dtype=np.float64)
    more = _longer_training(history, use_case.training)
    faster = _scaled_learning_rate(use_case, 5, "larger steps need fewer epochs")
    if len(loss) < 20:
        both = {**more.overrides, **faster.overrides}
        return more, Remedy(both, "if more epochs alone are not enough")
    if epoch_share_to_half_fall(running_median(loss), loss[0]) < 0.4:
        return more, faster
    return _scaled_learning_rate(
        use_case, 10, "the loss still falls almost linearly: steps are much too small"
    ), more


def _longer_training(history: History, declared: Training) -> Remedy:
    """Three times the epochs that were trained. Where early stopping ended them, more would end
    there as well: it has to wait longer, too."""
    epochs, patience = len(history.metrics["loss"]), declared.early_stopping_patience
    stopped_early = 0 < patience < epochs - history.best_epoch and epochs < declared.epochs
    if not stopped_early:
        more = {"training.epochs": max(3 * epochs, 20)}
        return Remedy(more, "the losses still fell when training ended")
    longer = {
        "training.epochs": max(3 * epochs, declared.epochs),
        "training.early_stopping_patience": 3 * patience,
    }
    return Remedy(longer, "early stopping ended the training before it had learnt enough")


def _remedies_overfitting(history: History, use_case: UseCase) -> tuple[Remedy, ...]:
    """Fewer epochs, then dropout, then L2. Where the first epoch was the best, as it may be
    where the network begins as ridge regression, no epoch can be spared: smaller steps come first.
    Where a group lasso was at work, a stronger one is second: the epochs after the best one are
    those in which it faded, and let in the columns that are learnt by heart.

    Where the validation loss ended half above its lowest value, the network is large enough to
    memorise rows: then a smaller one with more dropout comes first, with enough epochs to find its
    own minimum.
    """
    network, best = use_case.network, history.best_epoch + 1
    fewer = {"training.epochs": best}
    dropout = {"network.dropout": round(min(network.dropout + 0.2, 0.5), 3)}
    stop = Remedy(fewer, f"epoch {best} had the lowest val_loss")
    if best == 1:
        stop = _scaled_learning_rate(
            use_case, 1 / 10, "the first epoch had the lowest val_loss: smaller steps go less far"
        )
    drop = Remedy(dropout, "units that are dropped at random can't memorise rows")
    decay = Remedy(
        {"network.l2": max(10 * network.l2, 1e-4)}, "small weights give smooth decision boundaries"
    )
    first = (stop, *_stronger_lasso(history))
    val_loss = history.metrics["val_loss"]
    if val_loss[-1] < MEMORISED * min(val_loss):
        return *first, drop, decay
    smaller = {
        "training.epochs": min(max(2 * best, 20), len(val_loss)),
        "training.early_stopping_patience": 10,
        "network.hidden_units": [max(units // 8, 8) for units in network.hidden_units],
    }
    why = f"a smaller network can memorise fewer rows (val_loss was lowest in epoch {best})"
    return Remedy({**smaller, **dropout}, why), *first, decay


def _stronger_lasso(history: History) -> tuple[Remedy, ...]:
    if history.group_lasso is None or history.group_lasso_at_limit:
        return ()
    stronger = {"network.group_lasso": float(f"{STRONGER_LASSO * history.group_lasso:.2g}")}
    return (Remedy(stronger, "columns that bring little are left out, and can't be memorised"),)


def _remedies_stuck(
    history: History, use_case: UseCase, dead_unit_share: float | None
) -> tuple[Remedy, ...]:
    if went_up_beyond_constant(history):
        return (
            _scaled_learning_rate(use_case, 1 / 10, "the losses rose: smaller steps come down"),
            _scaled_learning_rate(use_case, 1 / 100, "if a tenth still rises"),
        )
    if many_units_dead(dead_unit_share) or came_down_to_constant(history):
        leaky = {"network.activation": "leaky_relu"}
        return (
            _scaled_learning_rate(
                use_case, 1 / 30, "steps that were too large left units dead: smaller ones do not"
            ),
            Remedy(leaky, "a unit with a slope on both sides can recover"),
        )
    remedies = (
        _scaled_learning_rate(use_case, 10, "steps are too small to have an effect"),
        _scaled_learning_rate(use_case, 30, "if ten times is still flat"),
    )
    if use_case.preprocessing.scaling == "standard":
        return remedies
    scaled = {"preprocessing.scaling": "standard"}
    return (*remedies, Remedy(scaled, "features on very different scales hide each other"))
