"""This file is part of every registered model: MLflow runs it when the model is loaded.

A model from code: it needs no pickle, nothing of this project, and no TensorFlow. The program does
not import it. The scorer's code is run from the folder of the model, under a name of its own, so
that two versions can be loaded side by side.
"""

import sys
from pathlib import Path
from types import ModuleType
from uuid import uuid4
from weakref import finalize

import mlflow
import numpy as np
import pandas as pd
import yaml
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext

# The scorer's modules: each imports only those before it.
MODULES = (
    "cells",
    "transforms",
    "transformer",
    "decisions",
    "scoring",
    "column_names",
    "contract",
    "coalitions",
    "contributions",
    "reasons",
    "model",
)
_Rows = pd.DataFrame | dict[str, object] | list[dict[str, object]]


class RowsRefused(MlflowException):
    """No row can be scored, for the reason in the message: a 400 from MLflow's scoring server.

    That server would prepend all rows to the message; they are customers' data, so the message
    can't be changed.
    """

    def __init__(self, reason: object) -> None:
        super().__init__(f"input contract: {reason}", error_code=INVALID_PARAMETER_VALUE)

    def __setattr__(self, name: str, value: object) -> None:
        if name != "message" or "message" not in self.__dict__:
            super().__setattr__(name, value)


class RegisteredModel(PythonModel):
    """Raw rows in, as a frame, or one row as a dictionary; for each row the probability (or class
    probabilities, or forecast), the decision, the version of the model and the rules of the input
    contract that the row breaks; with ``params={"reasons": 4}`` also up to four reasons."""

    # With the type hints that MLflow otherwise requires, its server refuses dataframe_records.
    _skip_type_hint_validation = True

    def load_context(self, context: PythonModelContext) -> None:
        folder = Path(context.artifacts["scorer"])
        code = modules_of(folder)
        finalize(self, forget, code).atexit = False
        self.refusal = code["contract"].InputRefused
        self.model = code["model"].Model(folder, version_of(folder.parents[1]))

    # A comment, since MLflow would derive a signature from type hints.
    def predict(self, context, model_input, params=None):
        # type: (PythonModelContext, _Rows, dict[str, int] | None) -> pd.DataFrame | dict[str, object]
        reasons = int((params or {}).get("reasons", 0))
        try:
            if isinstance(model_input, dict) and not all(map(is_several, model_input.values())):
                return self._of_row(model_input, reasons)
            if isinstance(model_input, list) and are_unlike(model_input):
                return pd.DataFrame([self._of_row(row, reasons) for row in model_input])
            if not isinstance(model_input, pd.DataFrame):
                model_input = pd.DataFrame(model_input)
            if len(model_input) == 1:
                cells = model_input.to_numpy(dtype=object)[0]
                row = dict(zip(model_input.columns, cells, strict=True))
                return pd.DataFrame([self._of_row(row, reasons)], index=model_input.index)
            answers = self.model.answer(model_input, reasons)
            return without_nan(answers) if reasons else answers
        except self.refusal as error:
            raise RowsRefused(error) from None

    def _of_row(self, row: dict[str, object], reasons: int) -> dict[str, object]:
        answer = self.model.answer_row(row, reasons)
        if not reasons:
            return answer
        return {name: None if cell != cell else cell for name, cell in answer.items()}


def modules_of(folder: Path) -> dict[str, ModuleType]:
    """The scorer's modules in ``folder`` by their names, run anew from their text: Python's own
    import would write compiled code beside them, and believe what it finds there."""
    package = ModuleType(f"scorer_{uuid4().hex}")
    package.__path__ = []
    sys.modules[package.__name__] = package
    modules = {name: ModuleType(f"{package.__name__}.{name}") for name in MODULES}
    for name, module in modules.items():
        file = folder / f"{name}.py"
        module.__file__, module.__package__ = str(file), package.__name__
        sys.modules[module.__name__] = module
        exec(compile(file.read_bytes(), file, "exec"), module.__dict__)
    return modules


def forget(modules: dict[str, ModuleType]) -> None:
    """Undo ``modules_of``, when the model is no more: a server that follows champions loads many.
    While it lives, pickle and the like find its classes by the names of their modules."""
    for module in modules.values():
        sys.modules.pop(module.__name__, None)
        sys.modules.pop(str(module.__package__), None)


def is_several(cells: object) -> bool:
    """Whether these are the cells of several rows, not of one."""
    return isinstance(cells, (list, tuple, np.ndarray, pd.Series))


def are_unlike(rows: list[dict[str, object]]) -> bool:
    """Whether some rows lack a column that others have: a frame would make a missing cell of it."""
    are_rows = all(isinstance(row, dict) for row in rows)
    return are_rows and any(row.keys() != rows[0].keys() for row in rows)


def without_nan(answers: pd.DataFrame) -> pd.DataFrame:
    """The answers with None for a reason that there is not, as for what a refused row lacks:
    MLflow's scoring server would write NaN, which is not JSON."""
    for name in answers.columns[answers.isna().any()]:
        answers[name] = answers[name].astype(object).where(answers[name].notna(), None)
    return answers


def version_of(folder: Path) -> str:
    """The version in the registry, which MLflow writes next to a model that is loaded by its
    registered name; for a model that is loaded by its run, its id; otherwise ``unregistered``."""
    registered = folder / "registered_model_meta"
    if registered.exists():
        return str(yaml.safe_load(registered.read_text())["model_version"])
    return str(yaml.safe_load((folder / "MLmodel").read_text()).get("model_id", "unregistered"))


mlflow.models.set_model(RegisteredModel())
