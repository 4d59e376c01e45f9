"""Diagnose a learning curve: a verdict, its evidence, and what to change.

Only the history is used: loss and val_loss by epoch. All rules compare numbers of one curve with
each other, so the unit of the loss doesn't matter. The rules are in the modules of their verdicts.
"""

from dataclasses import dataclass

import numpy as np

from modelling.declaration import UseCase
from modelling.learning_curve.curve_statistics import running_median, safe_ratio
from modelling.learning_curve.curves import Curves, Reading, Verdict, readable
from modelling.learning_curve.diverged import diverged, not_finite
from modelling.learning_curve.history import History
from modelling.learning_curve.jagged import jagged, jumps_in_place
from modelling.learning_curve.leaks import leak_suspected
from modelling.learning_curve.overfitting import overfitting
from modelling.learning_curve.remedies import Remedy, many_units_dead, remedies_for
from modelling.learning_curve.stuck import flat, no_better_than_constant
from modelling.learning_curve.undertrained import too_short, undertrained


@dataclass(frozen=True)
class Diagnosis:
    """A verdict and its evidence.

    ``evidence`` is one line for people, epochs counted from 1. ``remedies`` are in the order in
    which to try them; none for a healthy training. ``region`` holds the first and last epoch
    (from 0) that gave the verdict. ``leak_suspected`` says why the validation loss is too good to
    be true.
    """

    verdict: Verdict
    evidence: str
    remedies: tuple[Remedy, ...]
    region: tuple[int, int] | None
    leak_suspected: str | None


def read_learning_curve(
    history: History, use_case: UseCase, dead_unit_share: float | None = None
) -> Diagnosis:
    """The verdict on a training, with evidence and remedies.

    Parameters
    ----------
    history : History
        ``loss`` and ``val_loss`` with one value per epoch, at least one. NaN or infinity in any
        epoch means diverged; three epochs or fewer are too short for any other verdict but
        undertrained.
    use_case : UseCase
        Its settings are what the remedies change; dropout and class weights matter for the
        suspicion of a leak.
    dead_unit_share : float or None
        The share (0 to 1) of hidden ReLU units that are zero on all training rows.

    Returns
    -------
    Diagnosis
    """
    loss = np.asarray(history.metrics["loss"], dtype=np.float64)
    val_loss = np.asarray(history.metrics["val_loss"], dtype=np.float64)
    verdict, evidence, region = not_finite(loss, val_loss) or _read_finite(
        Curves(
            loss,
            val_loss,
            running_median(loss),
            running_median(val_loss),
            history.constant_val_loss,
            cosine=use_case.training.schedule == "cosine",
            lasso_fades=history.group_lasso is not None,
            began_as_ridge=use_case.network.linear_skip,
        )
    )
    if verdict == "stuck" and many_units_dead(dead_unit_share):
        evidence += f"; {dead_unit_share:.0%} of the hidden units never fire on any training row"
    remedies = remedies_for(verdict, history, use_case, dead_unit_share)
    leak = None if verdict == "diverged" else leak_suspected(history, use_case)
    return Diagnosis(verdict, evidence, remedies, region, leak)


def _read_finite(curves: Curves) -> Reading:
    """The first rule that applies; a rule comes before those whose symptoms it also causes."""
    val_loss = curves.val_loss
    for rule in (
        diverged,
        flat,
        too_short,
        jagged,
        no_better_than_constant,
        overfitting,
        jumps_in_place,
        undertrained,
    ):
        if finding := rule(curves):
            return finding
    lowest = float(curves.val_running_median.min())
    rise = float(curves.val_running_median[-1]) - lowest
    # A network that began as ridge regression may well be at its best in the first epoch.
    fell = f"fell from {readable(val_loss[0])} to" if val_loss.argmin() else "is lowest at once:"
    evidence = (
        f"val_loss {fell} {readable(val_loss.min())} (epoch {int(val_loss.argmin()) + 1} of "
        f"{curves.epochs}) and ends {safe_ratio(rise, lowest):.1%} above its lowest point"
    )
    return "healthy", evidence, None
