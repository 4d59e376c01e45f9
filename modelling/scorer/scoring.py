"""From raw rows to decisions, with numpy and an ONNX network only.

This file travels inside every registered model, next to the state it reads, so it imports nothing
of this project, no scikit-learn and no TensorFlow. Training uses its ``transform`` as well: there
is one implementation of preprocessing, and what was trained on is what is scored.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROWS_AT_ONCE = 16_384  # what is computed in float64 on the way fits into a processor's cache
ROWS_TOGETHER = 16  # a matrix product rounds the last rows otherwise where they fill no tile


class Transformer:
    """Fitted preprocessing as plain data: raw columns in, float32 features out.

    ``state`` is JSON-able and written by ``features.preprocessing``. In the arrays below, n is
    rows, c numeric columns, k the label columns of all categories, f features.
    """

    def __init__(self, state: dict[str, Any]):
        self.state = state
        numeric = state["numeric"]
        self.feature_names: list[str] = state["feature_names"]
        self.numeric: list[str] = numeric["names"]
        self.ratios: list[tuple[int, int]] = numeric["ratios"]
        self.medians = np.array(numeric["medians"], dtype=np.float64)
        self.special_codes: list[tuple[int, list[float]]] = numeric["special_codes"]
        self.flagged = np.array(numeric["flagged"], dtype=np.intp)
        self.blocks = [_Block(block) for block in numeric["blocks"]]
        self.categories: list[tuple[str, dict[str, int], int, int]] = [
            (
                category["name"],
                category["positions"],
                category["width"],
                category.get("other", -1),  # in models of before, unknown labels had no column
            )
            for category in state["categories"]
        ]

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """Features of shape (n, f), finite. Missing numbers are imputed, missing labels all zero;
        unknown labels count as rare ones.

        Raises KeyError where a column is missing and ValueError where a number is not one.
        """
        raw = np.empty((len(frame), len(self.numeric)))
        for position, name in enumerate(self.numeric):
            raw[:, position] = _numbers_in(frame[name])
        features = np.empty((len(frame), len(self.feature_names)), dtype=np.float32)
        from_numbers = len(self.feature_names) - sum(width for _, _, width, _ in self.categories)
        for first in range(0, len(frame), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            features[rows, :from_numbers] = self._numbers(raw[rows])
        at = from_numbers
        for name, positions, width, other in self.categories:
            features[:, at : at + width] = _one_hot(frame[name], positions, width, other)
            at += width
        return features

    def _numbers(self, raw: np.ndarray) -> np.ndarray:
        raw[~np.isfinite(raw)] = np.nan
        flags = [np.isnan(raw[:, self.flagged])]
        for position, codes in self.special_codes:
            # Codes are few: np.isin takes a tenth of a single row's time.
            is_code = np.logical_or.reduce([raw[:, position] == code for code in codes])
            raw[is_code, position] = np.nan
            flags.append(is_code[:, None])
        with np.errstate(over="ignore"):  # what overflows is cut off at what training saw
            values = with_ratios(raw, self.ratios)
            filled = np.where(np.isnan(values), self.medians, values)
            return np.concatenate([*(block(filled) for block in self.blocks), *flags], axis=1)


def with_ratios(values: np.ndarray, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """``values`` (n, c), and beside them the quotients of these ``pairs`` of columns: (n, c +
    pairs). Missing where one of the two is, or where the divisor is not above zero."""
    if not pairs:
        return values
    over, under = (values[:, list(side)] for side in zip(*pairs, strict=True))
    ratios = np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)
    return np.concatenate([values, ratios], axis=1)


def _numbers_in(column: pd.Series | np.ndarray) -> np.ndarray:
    if isinstance(column, np.ndarray):  # the contract has read it
        return column
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


def label_text(value: object) -> str | None:
    """A label in its one form, whatever it comes in; None where there is none.

    Text stays what it is, but for blanks around it: "001", "True", "NA" and 19 digits keep every
    character. A number is written without a fraction that says nothing: 7, 7.0, "7.0" (pandas
    writes whole numbers so where a cell is missing) and Decimal("7.00") are "7". Blank text, None
    and NaN are no label.
    """
    if isinstance(value, str):
        text = value.strip()
        return text[:-2] if _WHOLE.fullmatch(text) else text or None
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        whole = bool(np.abs(value) < 1e16) and value == int(value)
        return str(int(value)) if whole else np.format_float_positional(value, trim="-")
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value).strip() or None


_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)\.0")


class Labels:
    """The known labels of one column, and which of them a cell means.

    A cell that arrives as a number has lost how it was written: 7 means "007" where that is the
    only known label of that size. True and False mean "1" and "0" where these are known instead.
    """

    def __init__(self, known: Iterable[str]):
        self.known = frozenset(known)
        by_size: dict[float, list[str]] = {}
        for label in sorted(self.known):
            if _NUMBER.fullmatch(label):
                by_size.setdefault(float(label), []).append(label)
        self.by_size = {size: labels[0] for size, labels in by_size.items() if len(labels) == 1}

    def find(self, cell: object) -> str | None:
        """The label of ``cell``, known or not; None where there is none."""
        text = label_text(cell)
        if text is None or text in self.known:
            return text
        if text in _TRUTH:
            return _TRUTH[text] if _TRUTH[text] in self.known else text
        if isinstance(cell, str) or not _NUMBER.fullmatch(text):
            return text
        return self.by_size.get(float(text), text)


_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE | re.ASCII)
_TRUTH = {"True": "1", "False": "0"}
MISSING_NUMBERS = frozenset(
    ("", "NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "nan", "<NA>", "#N/A", "#NA", "-nan",
     "-NaN", "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN")
)  # fmt: skip


def number_of(cell: object) -> float | None:
    """A cell as a number, NaN where there is none; None where it is something else.

    Text is read as it stands in files: blanks around it, what programs write for a missing number.
    Digits are 0 to 9, what no float can hold is no number, and True and False are none either: see
    ``truth_of``.
    """
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return math.nan
    if isinstance(cell, str):
        text = cell.strip()
        if text in MISSING_NUMBERS:
            return math.nan
        if _INFINITE.fullmatch(text):
            return float(text)
        return _finite(text) if _NUMBER.fullmatch(text) else None
    if isinstance(cell, Decimal):
        return math.nan if cell.is_nan() else float(cell) if cell.is_infinite() else _finite(cell)
    if isinstance(cell, int | float | np.number) and not isinstance(cell, bool):
        try:
            return float(cell)
        except (OverflowError, TypeError):  # an integer beyond all floats; a complex number
            return None
    return None


def _finite(written: str | Decimal) -> float | None:
    return number if math.isfinite(number := float(written)) else None


def truth_of(cell: object) -> float | None:
    """True and False, as values or as text, as 1 and 0; None for anything else.

    They are numbers in a column that holds nothing but 1, 0, True and False. Beside other numbers
    they are a mistake: nobody earns True.
    """
    text = str(cell).strip().title() if isinstance(cell, str | bool | np.bool_) else ""
    return float(_TRUTH[text]) if text in _TRUTH else None


def _one_hot(
    labels: pd.Series | np.ndarray, positions: dict[str, int], width: int, other: int
) -> np.ndarray:
    """One column a kept label; all others, rare or unknown, have the column ``other`` together (-1:
    none), since nobody may tell from a model which rare ones there were. Missing is all zero."""
    if not isinstance(labels, np.ndarray):  # not read by the contract
        codes, cells = pd.factorize(labels)
        known = Labels(positions)
        labels = np.array([*map(known.find, cells), None], dtype=object)[codes]
    where = [-1 if text is None else positions.get(text, other) for text in labels]
    at = np.array(where, dtype=np.intp)
    encoded = np.zeros((len(labels), width), dtype=np.float32)
    found = np.flatnonzero(at >= 0)
    encoded[found, at[found]] = 1.0
    return encoded


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """The logit; probabilities of 0 and 1 count as 1e-7 from there."""
    inside = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return np.log(inside) - np.log1p(-inside)


def calibrated(outputs: np.ndarray, calibration: dict[str, Any]) -> np.ndarray:
    """Outputs as float64 that keep their word; ``calibration`` is ``judgement.calibration``'s.

    Platt and temperature rescale the log-odds (the log-probabilities of several classes), isotonic
    maps probabilities through a monotone curve, level shifts a log variance.
    """
    method, outputs = calibration["method"], outputs.astype(np.float64)
    if method in ("platt", "temperature") and outputs.ndim == 1:
        odds = calibration["slope"] * log_odds(outputs) + calibration.get("offset", 0.0)
        return 1 / (1 + np.exp(-odds))
    if method == "temperature":
        powers = np.clip(outputs, 1e-12, 1) ** calibration["slope"]
        return powers / powers.sum(axis=1, keepdims=True)
    if method == "isotonic":
        # The curve has flat steps: a thousandth of the probability itself keeps the ranking.
        curve = np.interp(outputs, calibration["from"], calibration["to"])
        return 0.999 * curve + 0.001 * outputs
    return outputs + calibration["offset"] if method == "level" else outputs


def expected_cost_share(
    probabilities: np.ndarray, amounts: np.ndarray, costs: dict[str, Any]
) -> np.ndarray:
    """What accepting is expected to cost, as a share of what accepting and refusing cost: (n,).

    Elkan (2001), "The foundations of cost-sensitive learning", with costs of each row (Bahnsen et
    al. 2014): for true probabilities, refusing is right from a half on.
    """
    accepted = probabilities * (costs["missed"] + costs["missed_share"] * amounts)
    refused = (1 - probabilities) * (costs["false_alarm"] + costs["false_alarm_share"] * amounts)
    return accepted / np.maximum(accepted + refused, 1e-300)


class Scorer:
    """A packaged model: raw rows in, one row of probabilities (or forecast) and decision out."""

    def __init__(self, folder: Path):
        import onnxruntime

        state = json.loads((folder / "scorer.json").read_text())
        self.transformer = Transformer(state["transformer"])
        self.problem: str = state["problem"]
        self.classes: list[int | str] = state["classes"]
        self.calibration: dict[str, Any] = state["calibration"]
        self.cut_off: float = state["cut_off"]
        self.costs: dict[str, Any] | None = state["costs"]
        self.target_offset, self.target_scale = state["target_offset"], state["target_scale"]
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1  # so small a network is slower on several
        self.session = onnxruntime.InferenceSession(str(folder / "network.onnx"), options)
        self.input_name = self.session.get_inputs()[0].name

    def outputs(self, frame: pd.DataFrame) -> np.ndarray:
        """Calibrated float64 outputs: shape (n,) for regression (in the target's unit) and binary
        (probability of the positive class), (n, classes) for multi-class."""
        features = self.transformer.transform(frame)
        rows = len(features)
        if short := -rows % ROWS_TOGETHER:  # a row has the same answer alone and among others
            features = np.pad(features, ((0, short), (0, 0)))
        return self.read(self.session.run(None, {self.input_name: features})[0][:rows])

    def read(self, network_outputs: np.ndarray) -> np.ndarray:
        """``outputs``, given what the network itself says: (n, outputs)."""
        outputs = network_outputs.astype(np.float64)
        if self.problem != "multiclass":
            outputs = outputs[:, 0]
        if self.problem == "regression":
            outputs = outputs * self.target_scale + self.target_offset
        return calibrated(outputs, self.calibration)

    def decide(self, frame: pd.DataFrame, outputs: np.ndarray) -> np.ndarray:
        """Class codes (n,): argmax, or the positive class from the cut-off on."""
        if self.problem == "multiclass":
            return outputs.argmax(axis=1)
        if self.costs is None:
            return (outputs >= self.cut_off).astype(np.int64)
        amounts = np.zeros(len(frame))
        if self.costs["amount"] is not None:
            amounts = _numbers_in(frame[self.costs["amount"]])
            position = self.transformer.numeric.index(self.costs["amount"])
            codes = dict(self.transformer.special_codes).get(position, [])
            is_value = np.isfinite(amounts) & ~np.isin(amounts, codes)
            amounts = np.where(is_value, amounts, self.transformer.medians[position])
            amounts = np.minimum(amounts, self.costs["amount_at_most"] or np.inf)
        return (expected_cost_share(outputs, amounts, self.costs) >= self.cut_off).astype(np.int64)

    def score(self, frame: pd.DataFrame) -> pd.DataFrame:
        """One row of answers per row of ``frame``: the forecast, or probabilities and decision."""
        return pd.DataFrame(self.answers(frame))

    def answers(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """``score`` as plain arrays (n,) by name."""
        outputs = self.outputs(frame)
        answers = self.named(outputs)
        if self.problem == "regression":
            return answers
        decided = self.decide(frame, outputs)
        return {**answers, "decision": np.array(self.classes)[decided]}

    def named(self, outputs: np.ndarray) -> dict[str, np.ndarray]:
        """``outputs`` by the name of the answer, each (n,)."""
        if self.problem == "multiclass":
            return {f"probability_{label}": outputs[:, p] for p, label in enumerate(self.classes)}
        return {"forecast" if self.problem == "regression" else "probability": outputs}
