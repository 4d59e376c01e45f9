"""The models that the scoring benchmark compares: the same network twice, and boosting."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.models.signature import infer_signature
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.trained_network import packaged_network
from modelling.data.splitting import Parts
from modelling.declaration.overrides import override
from tasks.preparation import prepare
from use_cases import find_use_case


def load_models(scratch: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """The models by name, each loaded by MLflow from a folder, and raw rows to score."""
    ours, parts, raw = load_ours(scratch)
    train, target = parts.train[list(raw)], parts.train[find_use_case("credit_scoring").target]
    boosting = HistGradientBoostingClassifier().fit(train, target)
    models = {
        "ours": ours,
        "keras": _keras(scratch / "network", train, scratch / "keras"),
        "boosting": _boosting(boosting, raw, scratch / "boosting"),
    }
    return models, raw


def load_ours(scratch: Path) -> tuple[Any, Parts, pd.DataFrame]:
    """A model as it is registered, after two epochs; its rows by part, and raw rows to score."""
    from tasks.registry.registration import MODEL_CODE, signature_of

    use_case = override(find_use_case("credit_scoring"), {"training.epochs": 2})
    parts = prepare(use_case).parts
    package = packaged_network(parts, use_case, scratch)
    folder = scratch / "ours"
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(MODEL_CODE),
        artifacts={"scorer": str(package.folder)},
        signature=signature_of(package),
        pip_requirements=list(package.requirements),
    )
    raw = parts.validation[list(package.inputs)].reset_index(drop=True)
    return mlflow.pyfunc.load_model(str(folder)), parts, raw


def _keras(network_folder: Path, train: pd.DataFrame, folder: Path) -> Any:
    """Keras's flavour takes features only, so a scikit-learn pipeline in memory precedes it.

    The pipeline gives as many features as the network needs, so that it does the same work.
    """
    import keras

    keras.utils.disable_interactive_logging()
    network = keras.models.load_model(network_folder / "network.keras")
    width = network.input_shape[1]
    scale = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(train)
    mlflow.keras.save_model(network, str(folder), pip_requirements=["keras"])
    loaded = mlflow.pyfunc.load_model(str(folder))
    repeats = -(-width // train.shape[1])

    def predict(frame: pd.DataFrame) -> Any:
        scaled = scale.transform(frame).astype("float32")
        return loaded.predict(np.tile(scaled, repeats)[:, :width])

    return predict


def _boosting(fitted: Any, raw: pd.DataFrame, folder: Path) -> Any:
    signature = infer_signature(raw, fitted.predict(raw.head()))
    mlflow.sklearn.save_model(
        fitted,
        folder,
        signature=signature,
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )
    return mlflow.pyfunc.load_model(str(folder))
