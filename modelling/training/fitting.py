"""Train a network, from arrays to saved files: what a worker process runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelling.declaration import UseCase
from modelling.features.preprocessing import Examples
from modelling.learning_curve.attempt import TrainedNetwork
from modelling.learning_curve.history import OnEpoch
from modelling.training.pruning import Pruning, PruningThresholds


@dataclass(frozen=True)
class TrainingJob:
    """What to train, and where to save it.

    Checkpoints are read from and written to ``checkpoint_folder``. The trained network is saved in
    ``network_folder`` as ``network.keras`` and ``network.onnx``; None saves nothing.
    ``pruning_thresholds`` holds the val_loss by epoch above which the training ends early.
    ``directions`` (f,) says which features may only raise (1) or lower (-1) the output; None is
    none. ``columns`` (f,) is the column that each feature is made of; None knows no columns, and
    trains without group lasso.
    """

    use_case: UseCase
    train: Examples
    validation: Examples
    checkpoint_folder: Path
    network_folder: Path | None
    pruning_thresholds: PruningThresholds = ()
    directions: np.ndarray | None = None
    columns: np.ndarray | None = None


def fit(job: TrainingJob, on_epoch: Sequence[OnEpoch] = ()) -> TrainedNetwork:
    """Build, train and save the declared network. TensorFlow is imported in this call.

    Parameters
    ----------
    job : TrainingJob
        Features (n, f) and targets (n,) of training and validation rows, and the folders.
    on_epoch : sequence of OnEpoch
        Each is called after every epoch; one that returns True ends the training.

    Returns
    -------
    TrainedNetwork
        History, ``validation_outputs`` (n, outputs) and what else is known of the network. A
        training that diverged is returned too: its last losses are NaN.

    Raises
    ------
    UsageError
        Where the devices of the machine do not fit the declaration, or a checkpoint is of another
        training.
    """
    from modelling.training.checkpoints import Checkpoints
    from modelling.training.finished_network import (
        dead_unit_share,
        network_outputs,
        save_network,
        summary_of,
        weights_hash,
    )
    from modelling.training.linear_skip import begin_as_ridge
    from modelling.training.mirrored_training import on_declared_devices
    from modelling.training.network import build_network
    from modelling.training.training_loop import train_network

    use_case, features = job.use_case, job.train.features
    checkpoints = Checkpoints(job.checkpoint_folder, use_case.training.checkpoint_every_epochs)
    pruning = Pruning(job.pruning_thresholds)
    listeners: list[OnEpoch] = [*on_epoch, pruning]
    with on_declared_devices(use_case.training):
        network = build_network(use_case, features.shape[1], job.train.target, job.directions)
        begin_as_ridge(network, job.train, job.validation)
        history = train_network(
            network, job.train, job.validation, use_case, listeners, checkpoints, job.columns
        )
    if job.network_folder is not None:
        save_network(network, job.network_folder, features[:1])
    return TrainedNetwork(
        history=history,
        dead_unit_share=dead_unit_share(network, features),
        weights_hash=weights_hash(network),
        summary=summary_of(network),
        validation_outputs=network_outputs(network, job.validation.features),
        pruned=pruning.pruned,
    )
