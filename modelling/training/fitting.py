"""All of a training that needs Keras, from arrays to saved files: what a worker process runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modelling.declaration import UseCase
from modelling.features.preprocessing import Examples
from modelling.learning_curve.attempt import Fitted
from modelling.learning_curve.history import OnEpoch
from modelling.training.pruning import Pruning, PruningThresholds


@dataclass(frozen=True)
class Job:
    """What to train, and where: checkpoints are found and left in one folder, the trained network
    is saved in another as ``network.keras`` and ``network.onnx``, if it is to be kept.

    ``pruning_thresholds`` is the val_loss by epoch above which the training is not worth finishing.
    """

    use_case: UseCase
    train: Examples
    validation: Examples
    checkpoint_folder: Path
    network_folder: Path | None
    pruning_thresholds: PruningThresholds = ()


def fit(job: Job, on_epoch: Sequence[OnEpoch] = ()) -> Fitted:
    """Build, train and save the declared network. Imports TensorFlow when it is called."""
    from modelling.training.checkpoints import Checkpoints
    from modelling.training.mirrored_training import over_declared_devices
    from modelling.training.network import (
        build_network,
        dead_units,
        outputs_of,
        save_network,
        summary_of,
        weights_hash,
    )
    from modelling.training.training_loop import train_network

    use_case, features = job.use_case, job.train.features
    checkpoints = Checkpoints(job.checkpoint_folder, use_case.training.checkpoint_every_epochs)
    pruning = Pruning(job.pruning_thresholds)
    listeners: list[OnEpoch] = [*on_epoch, pruning]
    with over_declared_devices(use_case.training):
        network = build_network(use_case, features.shape[1], job.train.target)
        history = train_network(
            network, job.train, job.validation, use_case, listeners, checkpoints
        )
    if job.network_folder is not None:
        save_network(network, job.network_folder, features[:1])
    return Fitted(
        history=history,
        dead_units=dead_units(network, features),
        weights_hash=weights_hash(network),
        summary=summary_of(network),
        validation_outputs=outputs_of(network, job.validation.features),
        pruned=pruning.pruned,
    )
