"""Package a trained network with all that turns raw rows into decisions, as plain files."""

import json
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from modelling import scoring
from modelling.declaration import UseCase
from modelling.preprocessing import Preprocessed
from modelling.scoring import Scorer, Transformer


@dataclass(frozen=True)
class Package:
    """A folder with ``scoring.py``, ``scorer.json``, ``network.onnx`` and ``network.keras``.

    ``inputs`` are the raw columns, ``outputs`` the columns of the answer with
    their pandas type, ``example`` rows that belong to nobody.
    """

    name: str
    folder: Path
    inputs: tuple[str, ...]
    outputs: dict[str, str]
    example: pd.DataFrame
    requirements: tuple[str, ...]

    def address(self, version: str) -> dict[str, str]:
        """Where the registry has this package as ``version``."""
        return {"name": self.name, "version": version, "uri": f"models:/{self.name}/{version}"}


def package_model(
    network_folder: Path, features: Preprocessed, use_case: UseCase, folder: Path
) -> Package:
    """Write the package into the new folder ``folder``, with the files of ``network_folder``."""
    shutil.copytree(network_folder, folder)
    shutil.copy(scoring.__file__, folder / "scoring.py")
    state = {
        "use_case": use_case.name,
        "problem": use_case.problem,
        "classes": list(use_case.classes),
        "cut_off": use_case.cut_off,
        "target_offset": features.target_offset,
        "target_scale": features.target_scale,
        "transformer": features.transformer.state,
    }
    (folder / "scorer.json").write_text(json.dumps(state))
    example = synthetic_example(use_case, features.transformer)
    answers = Scorer(folder).score(example)
    return Package(
        name=use_case.name,
        folder=folder,
        inputs=tuple(column.name for column in use_case.features),
        outputs={str(name): str(dtype) for name, dtype in answers.dtypes.items()},
        example=example,
        requirements=tuple(
            f"{name}=={version(name)}" for name in ("mlflow", "numpy", "onnxruntime", "pandas")
        ),
    )


def synthetic_example(use_case: UseCase, transformer: Transformer) -> pd.DataFrame:
    """One made-up row: the medians of the training rows and the first label of each category."""
    medians = dict(zip(transformer.numeric, transformer.medians.tolist(), strict=True))
    labels = {name: next(iter(positions), "") for name, positions, _ in transformer.categories}
    row = {**medians, **labels}
    return pd.DataFrame([{column.name: row[column.name] for column in use_case.features}])
