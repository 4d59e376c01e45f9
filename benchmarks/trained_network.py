"""The training that a user gets, without the servers: preparation, network, calibration."""

from pathlib import Path

from modelling.data.splitting import Parts
from modelling.declaration import UseCase
from modelling.features.preprocessing import Preprocessed, preprocess
from modelling.judgement.packaging import Package, package_model
from modelling.training.fitting import TrainingJob, fit


def packaged_network(
    parts: Parts, use_case: UseCase, folder: Path, features: Preprocessed | None = None
) -> Package:
    """The trained model as it would be registered, in ``folder``; ``features`` are those of
    ``parts`` where somebody has them already."""
    features = features or preprocess(parts, use_case)
    job = TrainingJob(
        use_case,
        features.train,
        features.validation,
        folder / "checkpoints",
        folder / "network",
        directions=features.directions,
        columns=features.columns,
    )
    fit(job)
    return package_model(folder / "network", features, parts, use_case, folder / "scorer")
