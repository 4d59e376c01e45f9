"""A registered model as the server uses it: without the checks and copies of MLflow's wrapper."""

from pathlib import Path
from typing import Any

from mlflow.pyfunc import load_model

from .tables import RequestRefused, Rows


class ServedModel:
    """The model in ``folder``, as MLflow saved it."""

    def __init__(self, folder: Path):
        loaded = load_model(str(folder))
        signature = loaded.metadata.signature
        self.registered: Any = loaded.unwrap_python_model()  # type: ignore[no-untyped-call]
        self.version = str(self.registered.model.version)
        self.gives_reasons = signature is not None and signature.params is not None
        written = getattr(self.registered.model, "written", {})  # not in older models
        # As text, 1.234 may be a thousand times as much in the files of this model.
        self.takes_csv = written.get("decimal", ".") == "." and not written.get("thousands")

    def answers(self, rows: Rows, reasons: int) -> list[dict[str, Any]]:
        """The answers by name for each row; None where there are fewer reasons than asked for: JSON
        has no NaN. Raises RequestRefused where no row can be answered."""
        model = self.registered.model
        asked = (reasons,) if reasons else ()  # a model of an earlier release gives none
        try:
            if isinstance(rows, dict):
                answers = [model.answer_row(rows, *asked)]
            else:
                answers = model.answer(rows, *asked).to_dict(orient="records")
        except self.registered.refusal as error:
            message = f"input contract: {error}"
            raise RequestRefused(400, message, "INVALID_PARAMETER_VALUE") from None
        return [*map(_without_nan, answers)] if asked else answers


def _without_nan(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in answer.items()}
