"""The rows of most benchmarks: Give Me Some Credit."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelling.data.loading import read_table
from modelling.declaration import UseCase
from modelling.features.preprocessing import Preprocessed, preprocess
from tasks.preparation import prepare
from use_cases import find_use_case


def load() -> tuple[UseCase, Preprocessed]:
    """The use case with its preprocessed training and validation rows."""
    use_case = find_use_case("credit_scoring")
    return use_case, preprocess(prepare(use_case).parts, use_case)


def write_arrays(path: Path, rows: int | None = None) -> None:
    """Write training and validation rows (at most ``rows``), preprocessed as in a tutorial.

    120,000 and 30,000 rows of ten columns: medians for missing values, standard scaling.
    """
    use_case = find_use_case("credit_scoring")
    parts = prepare(use_case).parts
    names = [column.name for column in use_case.features]
    train = pd.concat([parts.train, parts.test])
    scale = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(train[names])
    np.savez(
        path,
        x=scale.transform(train[names]).astype(np.float32)[:rows],
        y=train[use_case.target].to_numpy()[:rows],
        x_validation=scale.transform(parts.validation[names]).astype(np.float32)[:rows],
        y_validation=parts.validation[use_case.target].to_numpy()[:rows],
    )


def write_table(path: Path) -> None:
    """Write the raw table as a CSV file."""
    read_table(find_use_case("credit_scoring").source).to_csv(path, index=False)
