"""A packaged model: raw rows in; answers, its version and broken rules out."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .contract import Contract, InputRefused
from .reasons import Reasons
from .scoring import Scorer
from .transformer import Columns

ROWS_PER_BATCH = 65_536  # bounds the memory of scoring large tables
NO_REASONS = "this model was registered before models gave reasons: train again"


class Model:
    """A packaged model with its contract: raw rows in; answers, version and broken rules out.

    ``folder`` holds ``scorer.json`` and ``network.onnx``, and, where it can give reasons, the two
    parts of the network that these read. The answers of a refused row are None, and its
    ``broken_rules`` say why. ``reasons`` is None for a model of an earlier release.
    """

    def __init__(self, folder: Path, version: str):
        state = json.loads((folder / "scorer.json").read_text())
        self.scorer = Scorer(folder)
        categories = state["transformer"]["categories"]
        trained_labels = {category["name"]: category["positions"] for category in categories}
        self.contract = Contract(state["contract"], trained_labels)
        self.written: dict[str, Any] = state["contract"]["written"]
        self.layout: dict[str, Any] = state["contract"].get("layout", {})
        self.profile: dict[str, Any] | None = state.get("profile")  # not in older models
        self.reasons: Any = Reasons(folder, self.scorer) if "reasons" in state else None
        self.version = version

    def answer(self, frame: pd.DataFrame, reasons: int = 0) -> pd.DataFrame:
        """Score raw rows.

        Parameters
        ----------
        frame : DataFrame
            Raw rows, which may be none; further columns are ignored.
        reasons : int
            How many reasons are given for each row at most.

        Returns
        -------
        DataFrame
            One row of answers per row of ``frame``, in its order and with its index: probabilities
            and decision, or the forecast in the unit of the target; the reasons that are asked for
            (``Reasons.answers``); then ``model_version``,
            ``broken_rules`` and ``unknown`` (the columns with a label that the model does not
            name, since no or too few training rows had it), both text. Where broken rules refuse a
            row, its answers are None; otherwise a broken cell counts as missing.

        Raises
        ------
        InputRefused
            Where columns are missing, as in ``Contract.check``; where the model gives no reasons.
        """
        starts = range(0, max(len(frame), 1), ROWS_PER_BATCH)
        batches = (frame.iloc[start : start + ROWS_PER_BATCH] for start in starts)
        parts = [self._answer(batch, reasons) for batch in batches]
        answers = parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)
        return answers.set_axis(frame.index, axis="index")

    def _answer(self, frame: pd.DataFrame, reasons: int) -> pd.DataFrame:
        columns, broken, unknown = self.contract.check(frame)
        answers = pd.DataFrame(self._answers(columns, reasons))
        refused = broken != ""
        if self.contract.refuses and refused.any():
            answers = answers.astype(object)
            answers.loc[refused] = None
        notes = {"broken_rules": _text(broken), "unknown": _text(unknown)}
        return answers.assign(model_version=self.version, **notes)

    def _answers(self, columns: Columns, reasons: int) -> dict[str, np.ndarray]:
        answers = self.scorer.answers(columns)
        if not reasons:
            return answers
        if self.reasons is None:
            raise InputRefused(NO_REASONS)
        outputs = self.scorer.outputs(columns)
        return {**answers, **self.reasons.answers(columns, outputs, reasons)}

    def answer_row(self, row: Mapping[str, Any], reasons: int = 0) -> dict[str, Any]:
        """``answer`` for one row: the same names, with plain Python values. Raises InputRefused."""
        columns, broken, unknown = self.contract.check_row(row)
        arrays = self._answers(columns, reasons)
        answers = {name: values.tolist()[0] for name, values in arrays.items()}
        if broken and self.contract.refuses:
            answers = dict.fromkeys(answers)
        notes = {"broken_rules": broken, "unknown": unknown}
        return {**answers, "model_version": self.version, **notes}


def _text(notes: np.ndarray) -> Any:
    """Notes (n,) as a column of text; faster where all are empty, as is usual."""
    if any(notes.tolist()):
        return notes.astype("str")
    return pd.Series("", index=range(len(notes)), dtype="str")
