"""The optimizer of a training as declared: steps, schedule, and the group lasso behind them."""

from typing import Any

import keras
import tensorflow as tf

from modelling.declaration import Training
from modelling.training.group_lasso import GroupLasso, GroupLassoAdamW


def build_optimizer(
    declared: Training, steps_per_epoch: int, group_lasso: GroupLasso | None = None
) -> keras.optimizers.Optimizer:
    """The optimizer that ``declared`` names, with its schedule over ``epochs * steps_per_epoch``
    steps; with a ``group_lasso``, which only Adam and AdamW have, that behind each step."""
    steps: Any = declared.epochs * steps_per_epoch
    if group_lasso:  # trainings of several lengths share a program
        steps = tf.Variable(steps, trainable=False, dtype=tf.float32)
    rate: float | keras.optimizers.schedules.LearningRateSchedule = declared.learning_rate
    if declared.schedule == "cosine":
        # Loshchilov and Hutter (2017), SGDR, without restarts.
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer: keras.optimizers.Optimizer
    match declared.optimizer:
        case "sgd":
            optimizer = keras.optimizers.SGD(rate, momentum=declared.momentum)
        case "adam" | "adamw" if group_lasso:
            decay = declared.weight_decay if declared.optimizer == "adamw" else 0.0
            optimizer = GroupLassoAdamW(
                group_lasso.columns,
                group_lasso.shrinkage,
                steps,
                learning_rate=rate,
                weight_decay=decay,
            )
        case "adamw":
            optimizer = keras.optimizers.AdamW(rate, weight_decay=declared.weight_decay)
        case "adam":
            optimizer = keras.optimizers.Adam(rate)
        case "rmsprop":
            optimizer = keras.optimizers.RMSprop(rate)
    if declared.precision == "mixed_float16":  # or small gradients become 0 (Micikevicius 2018)
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer
