"""This file travels inside every registered model: MLflow runs it when the model is loaded.

A model from code: no pickle, nothing of this project on the path, no TensorFlow. It is not imported
by the program. The scorer's code is run from the model's own folder, not imported under
a name, so that two versions can be loaded side by side.
"""

from pathlib import Path
from runpy import run_path

import mlflow
import numpy as np
import pandas as pd
import yaml
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext

_Rows = pd.DataFrame | dict[str, object] | list[dict[str, object]]


class RowsRefused(MlflowException):
    """No row can be scored, for the reason in the message: a 400 from MLflow's scoring server.

    That server would put all the rows before the message, which are customers': it can't.
    """

    def __init__(self, reason: object) -> None:
        super().__init__(f"input contract: {reason}", error_code=INVALID_PARAMETER_VALUE)

    def __setattr__(self, name: str, value: object) -> None:
        if name != "message" or "message" not in self.__dict__:
            super().__setattr__(name, value)


class RegisteredModel(PythonModel):
    """Raw rows in, as a frame, or one of them as a dictionary; per row the probability (or class
    probabilities, or forecast), the decision, the version of the model and the rules of the input
    contract that the row breaks."""

    # The type hints that MLflow asks for otherwise would close dataframe_records to its server.
    _skip_type_hint_validation = True

    def load_context(self, context: PythonModelContext) -> None:
        folder = Path(context.artifacts["scorer"])
        code = run_path(str(folder / "contract.py"))
        self.refusal = code["InputRefused"]
        self.model = code["Model"](folder, version_of(folder.parents[1]))

    # MLflow would read type hints here, and make a signature of them; it reads no comment.
    def predict(self, context, model_input, params=None):
        # type: (PythonModelContext, _Rows, object) -> pd.DataFrame | dict[str, object]
        try:
            if isinstance(model_input, dict) and not all(map(is_several, model_input.values())):
                return self.model.answer_row(model_input)
            if not isinstance(model_input, pd.DataFrame):
                model_input = pd.DataFrame(model_input)
            if len(model_input) == 1:
                cells = model_input.to_numpy(dtype=object)[0]
                row = dict(zip(model_input.columns, cells, strict=True))
                return pd.DataFrame([self.model.answer_row(row)], index=model_input.index)
            return self.model.answer(model_input)
        except self.refusal as error:
            raise RowsRefused(error) from None


def is_several(cells: object) -> bool:
    """Whether these are cells of several rows, not the one of a row."""
    return isinstance(cells, (list, tuple, np.ndarray, pd.Series))


def version_of(folder: Path) -> str:
    """The version in the registry, which MLflow writes beside the model when it is loaded by its
    registered name; for a model that was loaded by its run, its id; else ``unregistered``."""
    registered = folder / "registered_model_meta"
    if registered.exists():
        return str(yaml.safe_load(registered.read_text())["model_version"])
    return str(yaml.safe_load((folder / "MLmodel").read_text()).get("model_id", "unregistered"))


mlflow.models.set_model(RegisteredModel())
