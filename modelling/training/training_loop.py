"""Train a network as declared: loss, class weights, validation in large batches."""

import functools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelling.declaration import Training, UseCase
from modelling.features.preprocessing import Examples
from modelling.judgement.losses import losses_of_rows
from modelling.learning_curve.history import History, OnEpoch
from modelling.training.checkpoints import Checkpointing, Checkpoints
from modelling.training.compiled_training import (
    CompiledModel,
    Rows,
    repeat_forever,
    tensor_of,
)
from modelling.training.epoch_callbacks import (
    EpochListeners,
    EpochStart,
    declared_callbacks,
    replay,
)
from modelling.training.finished_network import network_outputs
from modelling.training.group_lasso import GroupLasso, begin_with, group_lassos_of
from modelling.training.lasso_choice import as_before, preferred_lasso, short_training
from modelling.training.mirrored_training import MirroredModel
from modelling.training.network import outputs_to_train
from modelling.training.optimizers import build_optimizer

LARGE_BATCH = 65_536  # rows of one validation step
LOSSES = {
    "regression": "mean_squared_error",
    "binary": "binary_crossentropy",
    "multiclass": "sparse_categorical_crossentropy",
}


def train_network(
    network: keras.Model,
    train: Examples,
    validation: Examples,
    use_case: UseCase,
    on_epoch: Sequence[OnEpoch] = (),
    checkpoints: Checkpoints | None = None,
    columns: np.ndarray | None = None,
) -> History:
    """Train ``network`` in place; continue from the newest of ``checkpoints``, where there is one.

    Where there is a choice of group lassos, short trainings of each come first, of which nothing is
    left but the choice: with it declared, the weights would be the same.

    With early stopping the weights of the epoch with the lowest validation loss are kept; without
    it, those of the last epoch. With a group lasso it never ends before the last epoch, in which
    the lasso has faded. Training ends when the loss is NaN or infinite. The same declaration, rows
    and seed give the same weights on a CPU.

    Parameters
    ----------
    network : keras.Model
        As ``build_network`` returns it; its weights are changed.
    train, validation : Examples
        Features (n, f) float32, finite; target (n,). Both need at least one row.
    use_case : UseCase
        ``training``, ``problem`` and ``network.group_lasso`` are read.
    on_epoch : sequence of OnEpoch
        Each is called with the epoch (from 0) and its metrics, also for the epochs before the
        checkpoint; one that returns True ends the training.
    checkpoints : Checkpoints or None
        None neither reads nor writes any.
    columns : (f,) int or None
        The column that each feature is made of; without them there is no group lasso.

    Returns
    -------
    History
        One value per metric and epoch, those before the checkpoint included; the last ones may be
        NaN.

    Raises
    ------
    UsageError
        Where the checkpoint is of another network, of other settings, or of other features.
    """
    declared = use_case.training
    lassos = group_lassos_of(use_case, columns, len(train.features))
    steps_per_epoch = math.ceil(len(train.features) / declared.batch_size)
    optimizer = build_optimizer(declared, steps_per_epoch, next(iter(lassos), None))
    model = _compiled(network, optimizer, use_case)
    rows = Rows(
        train.features,
        train.target,
        row_weights(train.target, declared),
        declared.batch_size,
        lambda epoch: np.random.default_rng([declared.seed, epoch]).permutation(len(train.target)),
    )
    fit = functools.partial(model.fit_rows, rows, **validation_batches(validation), verbose=0)
    epoch_start = EpochStart(rows, declared.seed)  # from here it counts the seconds of the training

    def losses_after(lasso: GroupLasso) -> np.ndarray:
        epochs = short_training(declared.epochs)
        begin_with(optimizer, lasso, epochs * steps_per_epoch)
        with as_before(model):
            callbacks = declared_callbacks(declared, lasso.fades)
            fit(epochs=epochs, callbacks=[EpochStart(rows, declared.seed), *callbacks])
            outputs = network_outputs(network, validation.features)
        return losses_of_rows(outputs, validation.target, use_case.problem)

    if lasso := preferred_lasso(lassos, losses_after):
        begin_with(optimizer, lasso, declared.epochs * steps_per_epoch)
    callbacks = declared_callbacks(declared, lasso is not None and lasso.fades)
    found = checkpoints or Checkpoints.disabled()
    checkpointing = Checkpointing(found, callbacks, train, use_case)
    stopped = replay(checkpointing.metrics, on_epoch)
    fit(
        epochs=declared.epochs,
        initial_epoch=declared.epochs if stopped else checkpointing.first_epoch(declared.epochs),
        callbacks=[epoch_start, *callbacks, checkpointing, EpochListeners(on_epoch)],
    )
    history = epoch_start.history(checkpointing.metrics, len(train.target), model.not_compiled)
    return replace(
        history,
        constant_val_loss=loss_of_constant(train.target, validation.target, use_case),
        group_lasso=lasso.standard_errors if lasso and lasso.fades else None,
        group_lasso_at_limit=lasso.at_limit if lasso else False,
    )


def _compiled(
    network: keras.Model, optimizer: keras.optimizers.Optimizer, use_case: UseCase
) -> CompiledModel | MirroredModel:
    """A model that trains ``network`` on one device, or on all where a strategy is in scope."""
    kind = MirroredModel if tf.distribute.has_strategy() else CompiledModel
    model = kind(network.inputs, outputs_to_train(network))
    model.compile(
        optimizer=optimizer,
        loss=LOSSES[use_case.problem],
        weighted_metrics=_metrics(use_case),
        jit_compile=False,  # CompiledModel compiles the training program itself
    )
    return model


def loss_of_constant(train: np.ndarray, validation: np.ndarray, use_case: UseCase) -> float:
    """The validation loss of the constant answer that fits the training rows best.

    Parameters
    ----------
    train, validation : (n,), (m,)
        Targets in training units, or class codes.
    use_case : UseCase
        With balanced class weights, training asks for equal shares of the classes.

    Returns
    -------
    float
        In the unit of val_loss: the mean squared distance from the mean of ``train``, or the
        cross-entropy of its shares of the classes, each row of ``validation`` weighing the same.
    """
    if use_case.problem == "regression":
        return float(np.mean((validation - train.mean(dtype=np.float64)) ** 2))
    codes, weights = train.astype(np.intp), row_weights(train, use_case.training)
    shares = np.bincount(codes, weights, minlength=len(use_case.classes))
    shares = shares / shares.sum()
    return float(-np.log(shares[validation.astype(np.intp)].clip(1e-7)).mean())


def validation_batches(examples: Examples) -> dict[str, Any]:
    """The arguments ``validation_data`` and ``validation_steps`` of ``fit``, in large batches.

    Parameters
    ----------
    examples : Examples
        Features (n, f) and target (n,); at least one row.
    """
    rows, devices = len(examples.features), tf.distribute.get_strategy().num_replicas_in_sync
    size = min(rows, LARGE_BATCH) // devices * devices or rows  # replicas need equal parts
    batches = [
        tf.data.Dataset.from_tensors(
            (tensor_of(examples.features[first:][:size]), tensor_of(examples.target[first:][:size]))
        )
        for first in range(0, rows, size)
    ]
    together = functools.reduce(tf.data.Dataset.concatenate, batches)
    return {"validation_data": repeat_forever(together), "validation_steps": math.ceil(rows / size)}


def _metrics(use_case: UseCase) -> list[keras.metrics.Metric]:
    if use_case.problem == "binary":
        return [keras.metrics.AUC(name="roc_auc")]
    if use_case.problem == "multiclass":
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    return [keras.metrics.MeanAbsoluteError(name="mae")]


def row_weights(target: np.ndarray, declared: Training) -> np.ndarray | None:
    """Weights (n,), or None for equal ones. 'balanced' gives every class the same total weight:
    n / (classes * rows of the class), as in scikit-learn."""
    if declared.class_weights == "none":
        return None
    codes = target.astype(np.int64)
    counts = np.bincount(codes)
    return (len(codes) / (np.count_nonzero(counts) * counts[codes])).astype(np.float32)
