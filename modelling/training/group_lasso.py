"""Adam with a group lasso: each unit of the first layer keeps the columns that it gains from.

Labels and bins make hundreds of features, and each unit sees all of them. On a few thousand rows it
fits the noise of all columns before it has found which few belong together; dropout and small
weights slow that down for both alike. So weights are grouped by column and unit, and a group that
brings no more than noise would is set to zero, features and all (Yuan and Lin 2006, "Model
selection and estimation in regression with grouped variables"; for networks, Feng and Simon 2017,
"Sparse-input neural networks for high-dimensional nonparametric regression").

The penalty is a step of its own behind Adam's, as the weight decay of AdamW is, and exact (a
proximal step: Parikh and Boyd 2014, "Proximal algorithms"). It falls from its full strength in the
first step to none in the last one, along a quarter of a cosine: columns are chosen before their
noise is learnt, and those that were kept are then fitted with less and less shrinkage, also where
many matter a little each (Meinshausen 2007, "Relaxed lasso").
"""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from modelling.declaration import UseCase
from modelling.schema import Problem

# Where a batch is most of the rows, Adam's steps of all weights are almost equally long, and one
# that shrinks by as much as it grows would never come to anything.
MOST_OF_A_STEP = 0.75
MOST_STANDARD_ERRORS = 1.5  # what a column must bring where there are next to no rows per feature
ENOUGH_ROWS_PER_FEATURE = 600  # from which it need not bring anything
OTHER_STANDARD_ERRORS = 0.5  # what the validation rows may prefer
FIRST_KERNEL = 0  # among the trainable variables: that of the first layer comes first


class GroupLasso(NamedTuple):
    """What is shrunk: ``columns`` (f,) is the column of each feature, ``shrinkage`` (columns,) as
    the function of that name returns it. ``at_limit`` says that more ``standard_errors`` would
    shrink no more."""

    standard_errors: float
    columns: np.ndarray
    shrinkage: np.ndarray
    at_limit: bool

    @property
    def fades(self) -> bool:
        """Whether it shrinks anything, and less so as training goes on."""
        return self.standard_errors > 0


def group_lassos_of(use_case: UseCase, columns: np.ndarray | None, rows: int) -> list[GroupLasso]:
    """The group lassos among which a training on ``rows`` has the choice, the usual one first; none
    where nothing is to be shrunk, and one where it is declared.

    Without ``columns`` (f,) nobody knows what belongs together. A linear model has one unit, which
    is to see all columns; other optimizers than Adam's shrink nothing.
    """
    shrinks = use_case.training.optimizer in ("adam", "adamw")
    if columns is None or not use_case.network.hidden_units or not shrinks:
        return []
    declared, batch_size = use_case.network.group_lasso, use_case.training.batch_size
    usual = strengths_to_try(use_case.problem, rows, len(columns))
    strengths = usual if declared is None else [declared]
    if not any(strengths):
        return []
    return [
        GroupLasso(
            standard_errors,
            columns,
            shrinkage(columns, standard_errors, rows, batch_size),
            at_limit=bool(standard_errors * np.sqrt(batch_size / rows) >= MOST_OF_A_STEP),
        )
        for standard_errors in strengths
    ]


def strengths_to_try(problem: Problem, rows: int, features: int) -> list[float]:
    """What ``network.group_lasso`` may be where it is not declared, the usual strength first.

    A lasso chooses among columns that may all be noise. Where most are not, it shrinks what
    matters; and a regression, which usually has none, may have columns to leave out.
    """
    usual = usual_standard_errors(problem, rows, features)
    by_rows = usual_standard_errors("binary", rows, features)
    if by_rows <= OTHER_STANDARD_ERRORS:
        return [usual]
    return list(dict.fromkeys([usual, OTHER_STANDARD_ERRORS, by_rows]))


def usual_standard_errors(problem: Problem, rows: int, features: int) -> float:
    """What ``network.group_lasso`` is where it is not declared: it falls to none as rows grow, and
    a regression has none. What a number leaves unexplained may shrink to a tenth while it is
    learnt: what one column then adds is less than noise at the beginning, when columns are chosen.

    Its square is the evidence, in units of twice the log-likelihood, that keeps a group. Evidence
    for what is true grows in proportion to the rows, and is shared by all features: where a usual
    feature brings all of it by itself, there is nothing left to ask for.
    """
    if problem == "regression":
        return 0.0
    missing = max(1 - rows / (ENOUGH_ROWS_PER_FEATURE * features), 0.0)
    return float(MOST_STANDARD_ERRORS * np.sqrt(missing))


def shrinkage(columns: np.ndarray, standard_errors: float, rows: int, batch_size: int) -> Any:
    """By how much the norm of each group shrinks in the first step of Adam, in learning rates.

    Adam moves a weight by its mean gradient over the root of its mean square. For a feature that
    has no effect, the first is about a standard error over all ``rows``, the second one over a
    batch: their ratio is the root of ``batch_size / rows``. That is what ``standard_errors``
    counts, up to three quarters of a step; the norm of several weights grows with the root of their
    number.

    Parameters
    ----------
    columns : (f,) int
        The column that each feature is made of.
    standard_errors : float
        The declared ``network.group_lasso``.
    rows, batch_size : int

    Returns
    -------
    (columns,) float32
        In the order of ``np.unique(columns)``.
    """
    of_a_step = min(standard_errors * np.sqrt(batch_size / rows), MOST_OF_A_STEP)
    features = np.unique(columns, return_counts=True)[1]
    return (of_a_step * np.sqrt(features)).astype(np.float32)


def begin_with(optimizer: keras.optimizers.Optimizer, lasso: GroupLasso, steps: int) -> None:
    """Let ``optimizer``, which has a lasso, train with this one, in a training of ``steps``."""
    adam = getattr(optimizer, "inner_optimizer", optimizer)  # behind the scaling of losses
    adam.shrinkage.assign(lasso.shrinkage)
    adam.steps.assign(steps)


class GroupLassoAdamW(keras.optimizers.AdamW):
    """Keras's AdamW; after its step, the norm of each group of the first kernel shrinks by its
    ``shrinkage`` (columns,) times the learning rate, down to zero, and by less as the end of the
    ``steps`` of the training comes nearer. Both are variables of the compiled program: trainings
    that differ in nothing else share one.

    Kernels are (f, units), or (members, f, units); ``columns`` (f,) is the column of each feature.
    """

    def __init__(self, columns: np.ndarray, shrinkage: np.ndarray, steps: Any, **arguments: Any):
        super().__init__(**arguments)
        self.group_of_feature = np.unique(columns, return_inverse=True)[1]
        self.members_of_group = np.eye(len(shrinkage), dtype=np.float32)[self.group_of_feature].T
        self.shrinkage = tf.Variable(shrinkage, trainable=False, dtype=tf.float32)
        self.steps = steps
        self.squared_strength = keras.optimizers.schedules.CosineDecay(1.0, steps)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: Any) -> None:
        super().update_step(gradient, variable, learning_rate)
        if self._get_variable_index(variable) == FIRST_KERNEL:
            strength = tf.sqrt(self.squared_strength(self.iterations))
            by = tf.cast(learning_rate, tf.float32) * strength
            self.assign(variable, self.shrunk(tf.convert_to_tensor(variable), by))

    def shrunk(self, kernel: tf.Tensor, by: Any) -> tf.Tensor:
        """``kernel`` (..., f, units); the norm of each group less by ``by`` times its shrinkage."""
        norms = tf.sqrt(tf.matmul(self.members_of_group, kernel * kernel))
        kept = tf.maximum(1 - by * self.shrinkage[:, None] / tf.maximum(norms, 1e-12), 0)
        return kernel * tf.gather(kept, self.group_of_feature, axis=-2)
