"""Which of a few group lassos the validation rows prefer, after a short training with each.

Whether a lasso leaves out noise or shrinks what matters can't be told from the table beforehand.
Trainings of half the epochs tell it: they share the compiled program of the training that follows,
so that they take less time than compiling does.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np

from modelling.training.group_lasso import GroupLasso

SHARE_OF_EPOCHS = 0.5
MOST_EPOCHS = 60  # whoever trains for very long is not to wait unseen
BEYOND_NOISE = 2  # standard errors of the differences


def preferred_lasso(
    lassos: Sequence[GroupLasso], losses_after: Callable[[GroupLasso], np.ndarray]
) -> GroupLasso | None:
    """The first of ``lassos``, unless the mean loss of another one is lower beyond noise.

    Parameters
    ----------
    lassos : sequence of GroupLasso
        None of them, or one, is no choice: nothing is trained.
    losses_after : callable
        Returns the losses (m,) of the validation rows after a short training. Where one is NaN, its
        lasso is not chosen.

    Returns
    -------
    GroupLasso or None
        None where there is none to choose from.
    """
    if len(lassos) < 2:
        return next(iter(lassos), None)
    usual, *others = (losses_after(lasso) for lasso in lassos)
    gains = np.stack([usual - losses for losses in others])
    sums = np.nan_to_num(gains.sum(axis=1), nan=-np.inf)
    best = int(np.argmax(sums))
    beyond_noise = sums[best] > BEYOND_NOISE * np.sqrt((gains[best] ** 2).sum())
    return lassos[1 + best] if beyond_noise else lassos[0]


def short_training(epochs: int) -> int:
    """How many epochs come before a training of ``epochs``, with each lasso."""
    return min(math.ceil(SHARE_OF_EPOCHS * epochs), MOST_EPOCHS)


@contextmanager
def as_before(model: keras.Model) -> Iterator[None]:
    """What is trained in the block is forgotten after it: weights and the optimizer's state."""
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    before = [variable.numpy() for variable in variables]
    yield
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
