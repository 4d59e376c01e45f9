"""Whether a history looks as if the validation rows leaked into the training."""

import numpy as np

from modelling.declaration import UseCase
from modelling.learning_curve.curve_statistics import TOO_SHORT_EPOCHS
from modelling.learning_curve.history import History

PERFECT_FIT = 1e-4  # of the val_loss of a constant prediction: 99.99 % of the variance explained


def leak_suspected(history: History, use_case: UseCase) -> str | None:
    """Why a leak is suspected, in one line; None where it is not.

    * val_loss is below a quarter of the training loss of the next epoch, as a median over the last
      third of the epochs. (The next epoch starts from the weights that val_loss measures, so the
      average over an epoch is no explanation.) Dropout alone raises the training loss by up to
      1 / (1 - p) squared where classes are easy to separate, so with dropout p the limit is a
      quarter of (1 - p) squared. Not checked with balanced class weights, which put the two losses
      on different scales.
    * a perfect score: ROC AUC or accuracy of at least 0.9999 in the best epoch, with val_loss below
      1 % of the first training loss; or a val_loss below 0.01 % of that of a constant prediction.

    Histories with fewer than 4 epochs, NaN or infinity are not checked.
    """
    loss, val_loss = (np.asarray(history.metrics[name], float) for name in ("loss", "val_loss"))
    if len(loss) <= TOO_SHORT_EPOCHS or not np.isfinite([loss, val_loss]).all():
        return None
    third = len(loss) // 3
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.median((val_loss[:-1] / loss[1:])[-third:]))
    bound = 0.25 * (1 - use_case.network.dropout) ** 2
    if ratio < bound and use_case.training.class_weights == "none":
        return (
            f"val_loss is {ratio:.0%} of the training loss over the last {third} epochs: are "
            "validation rows also among the training rows, or easier than they are?"
        )
    for name in ("val_roc_auc", "val_accuracy"):
        score = history.metrics.get(name, [0.0] * len(loss))[history.best_epoch]
        if score >= 0.9999 and val_loss.min() < 0.01 * loss[0]:
            return (
                f"{name} is {score:.4g} and val_loss {val_loss.min() / loss[0]:.2%} of the first "
                "training loss: does a column contain the outcome?"
            )
    constant = history.constant_val_loss
    if constant and history.best_val_loss < PERFECT_FIT * constant:
        return (
            f"val_loss is {history.best_val_loss / constant:.2g} of that of a constant prediction: "
            "does a column contain the outcome?"
        )
    return None
