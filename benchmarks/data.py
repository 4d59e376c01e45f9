"""The benchmark's rows: Give Me Some Credit as the use case ``credit_scoring`` prepares it."""

import os
from pathlib import Path

import numpy as np

from modelling.declaration import UseCase
from modelling.loading import conform_table, convert_types, read_table
from modelling.preprocessing import Preprocessed, preprocess
from modelling.splitting import split_table
from use_cases import find_use_case


def load() -> tuple[UseCase, Preprocessed]:
    """The use case and its training and validation rows as its network sees them."""
    use_case = find_use_case("credit_scoring")
    table = conform_table(convert_types(read_table(use_case.source), use_case), use_case)
    return use_case, preprocess(split_table(table, use_case), use_case)


def write_arrays(path: Path, rows: int | None = None) -> None:
    """Write the first ``rows`` training and validation rows for the peers."""
    _, features = load()
    train, validation = features.train, features.validation
    np.savez(
        path,
        x=train.features[:rows],
        y=train.target[:rows],
        x_validation=validation.features[:rows],
        y_validation=validation.target[:rows],
    )


def write_table(path: Path) -> None:
    """Write the raw table as a CSV file."""
    read_table(find_use_case("credit_scoring").source).to_csv(path, index=False)


def one_cpu_for_all() -> dict[str, str]:
    """An environment in which every library computes on the CPU and keeps quiet about it."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    return {**os.environ, **quiet}
