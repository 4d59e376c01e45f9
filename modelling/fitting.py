"""All of a training that needs Keras, from arrays to saved files: what a worker process runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modelling.declaration import UseCase
from modelling.history import History, OnEpoch
from modelling.preprocessing import Examples


@dataclass(frozen=True)
class Job:
    """What to train, and where: checkpoints are found and left in one folder, the trained network
    is saved in another as ``network.keras`` and ``network.onnx``."""

    use_case: UseCase
    train: Examples
    validation: Examples
    checkpoint_folder: Path
    network_folder: Path


@dataclass(frozen=True)
class Fitted:
    """What came of a job, beside the files: ``dead_units`` is a share, None without ReLU."""

    history: History
    dead_units: float | None
    weights_hash: str
    summary: str


def fit(job: Job, on_epoch: Sequence[OnEpoch] = ()) -> Fitted:
    """Build, train and save the declared network. Imports TensorFlow when it is called."""
    from modelling.checkpoints import Checkpoints
    from modelling.network import (
        build_network,
        dead_units,
        save_network,
        summary_of,
        weights_hash,
    )
    from modelling.training import train_network

    features = job.train.features
    checkpoints = Checkpoints(job.checkpoint_folder, job.use_case.training.checkpoint_every_epochs)
    network = build_network(job.use_case, features.shape[1], job.train.target)
    history = train_network(network, job.train, job.validation, job.use_case, on_epoch, checkpoints)
    save_network(network, job.network_folder, features[:1])
    return Fitted(
        history, dead_units(network, features), weights_hash(network), summary_of(network)
    )
