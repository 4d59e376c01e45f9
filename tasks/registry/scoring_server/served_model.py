"""A registered model as the server uses it: without the checks and copies of MLflow's wrapper."""

import json
import sys
from pathlib import Path
from typing import Any

from mlflow.pyfunc import load_model

from .tables import RequestRefused, Rows


class ServedModel:
    """The model in ``folder``, as MLflow saved it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.loaded = loaded = load_model(str(folder))
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
            elif isinstance(rows, list):
                answers = [model.answer_row(row, *asked) for row in rows]
            else:
                answers = model.answer(rows, *asked).to_dict(orient="records")
        except self.registered.refusal as error:
            message = f"input contract: {error}"
            raise RequestRefused(400, message, "INVALID_PARAMETER_VALUE") from None
        return [*map(_without_nan, answers)] if asked else answers

    def answer_example(self) -> None:
        """Answer the example that the model brings, if it does; a first answer also takes longest.
        Raises RequestRefused where it is refused, ValueError where the answer is no number."""
        if (example := self.loaded.input_example) is None:
            return
        (answer,) = self.answers(example.to_dict(orient="records")[0], 0)
        json.dumps(answer, allow_nan=False)
        if broken := answer["broken_rules"]:
            raise RequestRefused(400, f"it breaks a rule of its own: {broken}")

    def columns(self) -> set[str]:
        """What it takes and gives, in words."""
        signature = self.loaded.metadata.signature
        given = signature.outputs.input_names() if signature and signature.outputs else []
        taken = {f"{one['name']} ({one['kind']})" for one in self.registered.model.contract.columns}
        return taken | {f"{name} of its answers" for name in given}


def try_successor(present: str, successor: str) -> None:
    """End this process with code 3 and one line where the model in the folder ``successor`` can't
    take the place of the ``present`` one."""
    try:
        old, new = ServedModel(Path(present)), ServedModel(Path(successor))
        new.answer_example()
    except Exception as error:  # which may quote the example
        said = str(error) if isinstance(error, RequestRefused) else type(error).__name__
        why = f"it does not answer its example ({said})"
    else:
        changes = [f"new {name}" for name in sorted(new.columns() - old.columns())]
        changes += [f"without {name}" for name in sorted(old.columns() - new.columns())]
        why = f"it has other columns: {', '.join(changes)}" if changes else ""
    if why:
        print(why, file=sys.stderr)
        sys.exit(3)


def _without_nan(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in answer.items()}
