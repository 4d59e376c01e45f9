"""This file travels inside every registered model: MLflow runs it when the model is loaded.

A model from code: no pickle, nothing of this project on the path, no TensorFlow. It is not imported
by the program. The scorer's code is loaded from the model's own folder, under a name of its own, so
that two versions can be loaded side by side.
"""

import importlib.util
from pathlib import Path

import mlflow
from mlflow.pyfunc import PythonModel


class RegisteredModel(PythonModel):
    """Raw rows in; per row the probability (or class probabilities, or forecast) and decision."""

    def load_context(self, context):
        folder = Path(context.artifacts["scorer"])
        spec = importlib.util.spec_from_file_location(f"scoring_{id(self)}", folder / "scoring.py")
        scoring = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(scoring)
        self.scorer = scoring.Scorer(folder)

    def predict(self, context, model_input, params=None):
        return self.scorer.score(model_input)


mlflow.models.set_model(RegisteredModel())
