"""The network's answer for raw rows, calibrated and decided; it needs ONNX Runtime alone."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .decisions import expected_cost_share
from .transformer import Columns, Transformer, numbers_of

ROWS_PER_TILE = 16  # matrix products round the last rows differently where they fill no whole tile


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """The log-odds (logit) of probabilities.

    Parameters
    ----------
    probabilities : ndarray
        Of any shape, from 0 to 1; they are clipped to 1e-7 and 1 - 1e-7. NaN gives NaN.

    Returns
    -------
    ndarray
        Of the same shape; finite but for NaN.
    """
    inside = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return np.log(inside) - np.log1p(-inside)


def calibrated(outputs: np.ndarray, calibration: dict[str, Any]) -> np.ndarray:
    """Apply a calibration that ``judgement.calibration`` fitted.

    Platt and temperature rescale the log-odds (for several classes the log-probabilities), isotonic
    maps probabilities through a monotone curve, level shifts a log variance.

    Parameters
    ----------
    outputs : (n,) or (n, classes)
        Probabilities, or forecasts in the unit of the target. NaN stays NaN; n may be 0.
    calibration : dict
        ``method`` and its parameters; any other method leaves the outputs as they are.

    Returns
    -------
    float64, of the shape of ``outputs``

    References
    ----------
    Platt (1999), "Probabilistic outputs for support vector machines"; Guo et al. (2017), "On
    calibration of modern neural networks"; Zadrozny and Elkan (2002), "Transforming classifier
    scores into accurate multiclass probability estimates".
    """
    method, outputs = calibration["method"], outputs.astype(np.float64)
    if method in ("platt", "temperature") and outputs.ndim == 1:
        odds = calibration["slope"] * log_odds(outputs) + calibration.get("offset", 0.0)
        return 1 / (1 + np.exp(-odds))
    if method == "temperature":
        powers = np.clip(outputs, 1e-12, 1) ** calibration["slope"]
        return powers / powers.sum(axis=1, keepdims=True)
    if method == "isotonic":
        # The curve has flat steps: adding a thousandth of the probability keeps the ranking.
        curve = np.interp(outputs, calibration["from"], calibration["to"])
        return 0.999 * curve + 0.001 * outputs
    return outputs + calibration["offset"] if method == "level" else outputs


def open_network(network: Path | bytes) -> Any:
    """An ONNX Runtime session over the network in this file, or with this content."""
    # It reads this when it is imported, and would else report its use to its authors.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # more threads make so small a network slower
    return onnxruntime.InferenceSession(network, options)


class Scorer:
    """A packaged model: raw rows in; probabilities and decision, or a forecast, out.

    ``folder`` holds ``scorer.json`` and ``network.onnx``.
    """

    def __init__(self, folder: Path):
        state = json.loads((folder / "scorer.json").read_text())
        self.transformer = Transformer(state["transformer"])
        self.problem: str = state["problem"]
        self.classes: list[int | str] = state["classes"]
        self.labels = np.array(self.classes)
        self.calibration: dict[str, Any] = state["calibration"]
        self.cut_off: float = state["cut_off"]
        self.costs: dict[str, Any] | None = state["costs"]
        if self.costs is not None and self.costs["amount"] is not None:
            position = self.transformer.numeric.index(self.costs["amount"])
            self.median_amount = self.transformer.medians[position]
            self.amount_codes = dict(self.transformer.special_codes).get(position, [])
        self.target_offset, self.target_scale = state["target_offset"], state["target_scale"]
        self.session = open_network(folder / "network.onnx")
        self.input_name = self.session.get_inputs()[0].name
        self.output_names = [self.session.get_outputs()[0].name]

    def outputs(self, frame: pd.DataFrame | Columns) -> np.ndarray:
        """The calibrated outputs for raw rows.

        Parameters
        ----------
        frame : DataFrame or Columns
            Raw rows, as ``Transformer.transform`` takes them; may be empty.

        Returns
        -------
        (n,) or (n, classes) float64
            (n,) for regression (in the unit of the target) and binary problems (the probability of
            the positive class), (n, classes) for multi-class ones.

        Raises
        ------
        KeyError, ValueError
            As ``Transformer.transform``.
        """
        # In tiles, so that a row has the same answer alone and among others.
        batches = self.transformer.batches(frame, ROWS_PER_TILE)
        outputs = [self.session.run(self.output_names, {self.input_name: b})[0] for b in batches]
        joined = outputs[0] if len(outputs) == 1 else np.concatenate(outputs)
        return self.calibrated_outputs(joined[: len(frame)])

    def calibrated_outputs(self, network_outputs: np.ndarray) -> np.ndarray:
        """``outputs`` for given outputs of the network itself, (n, outputs)."""
        outputs = network_outputs.astype(np.float64)
        if self.problem != "multiclass":
            outputs = outputs[:, 0]
        if self.problem == "regression":
            outputs = outputs * self.target_scale + self.target_offset
        return calibrated(outputs, self.calibration)

    def decide(self, frame: pd.DataFrame | Columns, outputs: np.ndarray) -> np.ndarray:
        """The decided class of each row.

        Parameters
        ----------
        frame : DataFrame or Columns
            The raw rows; only the column of amounts is read, where costs have one. A missing,
            infinite or coded amount counts as the median of the training rows.
        outputs : (n,) or (n, classes)
            ``outputs(frame)`` of a classification.

        Returns
        -------
        (n,) int64
            Class codes: argmax, or 1 from the cut-off on (NaN gives 0). The cut-off is on the
            probability, or on the expected cost share where there are costs.
        """
        if self.problem == "multiclass":
            return outputs.argmax(axis=1)
        if self.costs is None:
            return (outputs >= self.cut_off).astype(np.int64)
        amounts = np.zeros(len(frame))
        if self.costs["amount"] is not None:
            amounts = numbers_of(frame[self.costs["amount"]])
            is_value = np.isfinite(amounts)
            for code in self.amount_codes:  # few; np.isin is slow for a single row
                is_value &= amounts != code
            amounts = np.where(is_value, amounts, self.median_amount)
            amounts = np.minimum(amounts, self.costs["amount_at_most"] or np.inf)
        return (expected_cost_share(outputs, amounts, self.costs) >= self.cut_off).astype(np.int64)

    def score(self, frame: pd.DataFrame | Columns) -> pd.DataFrame:
        """One row of answers per row of ``frame``: the forecast, or probabilities and decision."""
        return pd.DataFrame(self.answers(frame))

    def answers(self, frame: pd.DataFrame | Columns) -> dict[str, np.ndarray]:
        """``score`` as arrays (n,) by name, without pandas."""
        outputs = self.outputs(frame)
        answers = self.by_name(outputs)
        if self.problem == "regression":
            return answers
        decided = self.decide(frame, outputs)
        return {**answers, "decision": self.labels[decided]}

    def by_name(self, outputs: np.ndarray) -> dict[str, np.ndarray]:
        """``outputs`` as arrays (n,) by the name of the answer."""
        if self.problem == "multiclass":
            return {f"probability_{label}": outputs[:, p] for p, label in enumerate(self.classes)}
        return {"forecast" if self.problem == "regression" else "probability": outputs}
