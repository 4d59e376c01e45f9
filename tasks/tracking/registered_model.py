"""This file travels inside every registered model: MLflow runs it when the model is loaded.

A model from code: no pickle, nothing of this project on the path, no TensorFlow. It is not imported
by the program. The scorer's code is run from the model's own folder, not imported under
a name, so that two versions can be loaded side by side.
"""

from pathlib import Path
from runpy import run_path

import mlflow
from mlflow.pyfunc import PythonModel


class RegisteredModel(PythonModel):
    """Raw rows in; per row the probability (or class probabilities, or forecast) and decision."""

    def load_context(self, context):
        folder = Path(context.artifacts["scorer"])
        self.scorer = run_path(str(folder / "scoring.py"))["Scorer"](folder)

    def predict(self, context, model_input, params=None):
        return self.scorer.score(model_input)


mlflow.models.set_model(RegisteredModel())
