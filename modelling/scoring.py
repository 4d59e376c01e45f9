"""From raw rows to decisions, with numpy and an ONNX network only.

This file travels inside every registered model, next to the state it reads, so it imports nothing
of this project, no scikit-learn and no TensorFlow. Training uses its ``transform`` as well: there
is one implementation of preprocessing, and what was trained on is what is scored.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


class Transformer:
    """Fitted preprocessing as plain data: raw columns in, float32 features out.

    ``state`` is JSON-able and written by ``modelling.preprocessing``. In the arrays below, n is
    rows, c numeric columns, k the label columns of all categories, f features.
    """

    def __init__(self, state: dict[str, Any]):
        self.state = state
        numeric = state["numeric"]
        self.feature_names: list[str] = state["feature_names"]
        self.numeric: list[str] = numeric["names"]
        self.medians = np.array(numeric["medians"], dtype=np.float64)
        self.special_codes: list[tuple[int, list[float]]] = numeric["special_codes"]
        self.flagged = np.array(numeric["flagged"], dtype=np.intp)
        self.blocks = [_Block(block) for block in numeric["blocks"]]
        self.categories: list[tuple[str, dict[str, int], int]] = [
            (category["name"], category["positions"], category["width"])
            for category in state["categories"]
        ]

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """Features of shape (n, f), finite. Missing numbers are imputed, unknown labels all zero.

        Raises KeyError where a column is missing and ValueError where a number is not one.
        """
        raw = np.empty((len(frame), len(self.numeric)))
        for position, name in enumerate(self.numeric):
            raw[:, position] = _numbers_in(frame[name])
        parts = [self._numbers(raw)]
        for name, positions, width in self.categories:
            parts.append(_one_hot(frame[name], positions, width))
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def _numbers(self, raw: np.ndarray) -> np.ndarray:
        raw[~np.isfinite(raw)] = np.nan
        flags = [np.isnan(raw[:, self.flagged])]
        for position, codes in self.special_codes:
            is_code = np.isin(raw[:, position], codes)
            raw[is_code, position] = np.nan
            flags.append(is_code[:, None])
        filled = np.where(np.isnan(raw), self.medians, raw)
        return np.concatenate([*(block(filled) for block in self.blocks), *flags], axis=1)


def _numbers_in(column: pd.Series) -> np.ndarray:
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError):  # pandas quotes the cell, which may be a customer's
        raise ValueError(f"column '{column.name}' must hold numbers only") from None


class _Block:
    """The same transformation and scaling of some numeric columns: (n, c) -> (n, columns)."""

    def __init__(self, state: dict[str, Any]):
        self.transform = TRANSFORMS[state["transform"]]
        self.columns = np.array(state["columns"], dtype=np.intp)
        self.parameters = np.array(state["parameters"], dtype=np.float64)
        self.offset = np.array(state["offset"], dtype=np.float64)
        self.scale = np.array(state["scale"], dtype=np.float64)
        self.lowest = np.array(state["lowest"], dtype=np.float64)
        self.highest = np.array(state["highest"], dtype=np.float64)

    def __call__(self, filled: np.ndarray) -> np.ndarray:
        transformed = self.transform(filled[:, self.columns], self.parameters)
        scaled = (transformed - self.offset) / self.scale
        return np.clip(scaled, self.lowest, self.highest).astype(np.float32)


def _plain(values: np.ndarray, _: np.ndarray) -> np.ndarray:
    return values


def _log(values: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Signed log1p: odd, monotone, linear near zero."""
    return np.sign(values) * np.log1p(np.abs(values))


def _quantile(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """The share of training rows below, in [0, 1]; ``quantiles`` has shape (columns, levels).

    Ties are averaged from both sides, as scikit-learn's QuantileTransformer does.
    """
    levels = np.linspace(0, 1, quantiles.shape[1])
    shares = np.empty_like(values)
    for column, points in enumerate(quantiles):
        below = np.interp(values[:, column], points, levels)
        above = -np.interp(-values[:, column], -points[::-1], -levels[::-1])
        shares[:, column] = (below + above) / 2
    return shares


def _yeo_johnson(values: np.ndarray, lambdas: np.ndarray) -> np.ndarray:
    """Yeo and Johnson (2000), 'A new family of power transformations', equation 2.1."""
    positive = values >= 0
    up, down = np.where(positive, values, 0.0), np.where(positive, 0.0, values)
    power, mirrored = lambdas, 2.0 - lambdas
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        right = np.where(power == 0, np.log1p(up), ((up + 1) ** power - 1) / power)
        left = np.where(mirrored == 0, -np.log1p(-down), -((1 - down) ** mirrored - 1) / mirrored)
    return np.where(positive, right, left)


TRANSFORMS = {"none": _plain, "log": _log, "quantile": _quantile, "yeo_johnson": _yeo_johnson}


def label_text(value: object) -> str:
    """A label as text, whatever type its column was read as: 1, 1.0, True and "1" are the same."""
    if isinstance(value, bool | np.bool_ | int | float | np.integer | np.floating):
        return f"{float(value):.15g}"
    return str(value)


def _one_hot(labels: pd.Series, positions: dict[str, int], width: int) -> np.ndarray:
    """One column a kept label, one for the rare ones together; unknown and missing are all zero."""
    encoded = np.zeros((len(labels), width), dtype=np.float32)
    at = labels.map(label_text).map(positions).to_numpy(dtype=np.float64, na_value=np.nan)
    known = np.flatnonzero(~np.isnan(at))
    encoded[known, at[known].astype(np.intp)] = 1.0
    return encoded


class Scorer:
    """A packaged model: raw rows in, one row of probabilities (or forecast) and decision out."""

    def __init__(self, folder: Path):
        import onnxruntime

        state = json.loads((folder / "scorer.json").read_text())
        self.transformer = Transformer(state["transformer"])
        self.problem: str = state["problem"]
        self.classes: list[int | str] = state["classes"]
        self.cut_off: float = state["cut_off"]
        self.target_offset, self.target_scale = state["target_offset"], state["target_scale"]
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(folder / "network.onnx"), options)
        self.input_name = self.session.get_inputs()[0].name

    def outputs(self, frame: pd.DataFrame) -> np.ndarray:
        """The network's outputs: shape (n,) for regression (in the target's unit) and binary
        (probability of the positive class), (n, classes) for multi-class."""
        features = self.transformer.transform(frame)
        outputs = self.session.run(None, {self.input_name: features})[0]
        if self.problem == "multiclass":
            return outputs
        if self.problem == "regression":
            return outputs[:, 0].astype(np.float64) * self.target_scale + self.target_offset
        return outputs[:, 0]

    def score(self, frame: pd.DataFrame) -> pd.DataFrame:
        """One row of answers per row of ``frame``: the forecast, or probabilities and decision."""
        outputs = self.outputs(frame)
        if self.problem == "regression":
            return pd.DataFrame({"forecast": outputs})
        if self.problem == "binary":
            decided = (outputs >= self.cut_off).astype(np.int64)
            answers = {"probability": outputs.astype(np.float64)}
        else:
            decided = outputs.argmax(axis=1)
            answers = {
                f"probability_{label}": outputs[:, code].astype(np.float64)
                for code, label in enumerate(self.classes)
            }
        return pd.DataFrame({**answers, "decision": np.array(self.classes)[decided]})
