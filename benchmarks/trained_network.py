"""The training that a user gets, without the servers: preparation, network, calibration."""

import subprocess
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from benchmarks.measuring import REPOSITORY
from modelling.data.splitting import Parts
from modelling.declaration import UseCase
from modelling.declaration.overrides import override
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


def of_seed(use_case: UseCase, seed: int) -> UseCase:
    """The seed is that of the initial weights, and of the split where that has one."""
    settings = {"training.seed": seed, "training.checkpoint_every_epochs": 0}
    if hasattr(use_case.split, "seed"):
        settings["split.seed"] = seed
    return override(use_case, settings)


@cache
def code_of_network() -> str:
    """The hash of all code from raw rows to calibrated outputs, and of the version of Keras. Drafts
    only write declarations, which whoever keeps a result compares themselves."""
    rooms = REPOSITORY / "modelling"
    files = [file for file in rooms.rglob("*.py") if not file.is_relative_to(rooms / "drafting")]
    texts = [file.read_text() for file in (*sorted(files), Path(__file__))]
    return sha256("\0".join([version("keras"), *texts]).encode()).hexdigest()[:16]


@cache
def commit() -> str:
    """The checked-out commit, with a + where files differ from it."""
    command = ("git", "describe", "--always", "--dirty=+", "--exclude=*", "--abbrev=10")
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    return done.stdout.strip()
