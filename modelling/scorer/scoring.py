"""From raw rows to decisions, with NumPy, pandas and ONNX Runtime only.

This file is part of every registered model, next to the state it reads, so it imports nothing of
this project, no scikit-learn and no TensorFlow. Training uses its ``transform``, too: there is one
implementation of preprocessing, for training and scoring.
"""

import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

ROWS_PER_BATCH = 2_048  # intermediate float64 arrays then fit into the processor's cache
ROWS_PER_TILE = 16  # matrix products round the last rows differently where they fill no whole tile


class Transformer:
    """Fitted preprocessing as plain data: raw columns in, float32 features out.

    ``state`` is JSON-able and written by ``features.preprocessing``. In the arrays below, n is the
    number of rows, c that of numeric columns, f that of features.
    """

    def __init__(self, state: dict[str, Any]):
        self.state = state
        numeric = state["numeric"]
        self.feature_names: list[str] = state["feature_names"]
        self.numeric: list[str] = numeric["names"]
        self.ratios: list[tuple[int, int]] = numeric["ratios"]
        self.medians = np.array(numeric["medians"], dtype=np.float64)
        self.special_codes: list[tuple[int, list[float]]] = numeric["special_codes"]
        self.coded = np.array([position for position, _ in self.special_codes], dtype=np.intp)
        self.codes = _equally_long([codes for _, codes in self.special_codes])
        self.flagged = np.array(numeric["flagged"], dtype=np.intp)
        columns, self.offset, self.scale, self.lowest, self.highest = (
            np.concatenate([np.zeros(0), *(block[part] for block in numeric["blocks"])])
            for part in ("columns", "offset", "scale", "lowest", "highest")
        )
        self.columns = columns.astype(np.intp)
        self.blocks = list(_transformed_blocks(numeric["blocks"]))
        self.categories: list[tuple[str, dict[str, int], int, int]] = [
            (
                category["name"],
                category["positions"],
                category["width"],
                category.get("other", -1),  # in older models unknown labels had no column
            )
            for category in state["categories"]
        ]

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """Raw rows to features.

        Parameters
        ----------
        frame : DataFrame or Columns
            Raw rows, which may be none. Numbers that are NaN or infinite are imputed with the
            medians of the training rows; missing labels are all zero, unknown labels count as rare
            ones.

        Returns
        -------
        (n, f) float32
            Finite.

        Raises
        ------
        KeyError
            Where a column is missing.
        ValueError
            Where a cell of a number column is not a number.
        """
        features = np.empty((len(frame), len(self.feature_names)), dtype=np.float32)
        last = 0
        for batch in self.batches(frame, 1):
            first, last = last, last + len(batch)
            features[first:last] = batch
        return features

    def batches(self, frame: pd.DataFrame, rows_per_tile: int) -> Iterator[np.ndarray]:
        """``transform`` in batches, of which the first may be empty; rows of zeros fill the last
        tile. Each is written over the one before: fresh memory costs more than the arithmetic."""
        rows = len(frame)
        numbers = [_numbers_of(frame[name]) for name in self.numeric]
        labels = [
            (width, _label_columns(frame[name], positions, other))
            for name, positions, width, other in self.categories
        ]
        most = min(rows, ROWS_PER_BATCH)
        raw, scaled = np.empty((most, len(numbers))), np.empty((most, len(self.columns)))
        whole = np.empty((most + -most % rows_per_tile, len(self.feature_names)), dtype=np.float32)
        for first in range(0, max(rows, 1), ROWS_PER_BATCH):
            count = min(rows - first, ROWS_PER_BATCH)
            features = whole[: count + -count % rows_per_tile]
            batch = slice(first, first + count)
            for position, cells in enumerate(numbers):
                raw[:count, position] = cells[batch]
            with np.errstate(over="ignore"):  # overflows are clipped to the range of training
                last = self._numbers(raw[:count], features[:count], scaled[:count])
            features[:, last:] = 0.0
            features[count:] = 0.0
            for width, columns in labels:
                known = np.flatnonzero(columns[batch] >= 0)
                features[known, last + columns[batch][known]] = 1.0
                last += width
            yield features

    def _numbers(self, raw: np.ndarray, features: np.ndarray, scaled: np.ndarray) -> int:
        """Write the features of numbers into the first columns of ``features``, and say how many
        these are. ``scaled`` is memory for them as float64."""
        raw[~np.isfinite(raw)] = np.nan
        is_missing = np.isnan(raw[:, self.flagged])
        cells = raw[:, self.coded]
        is_code = np.zeros_like(cells, dtype=bool)
        for codes in self.codes.T:
            is_code |= cells == codes
        raw[:, self.coded] = np.where(is_code, np.nan, cells)
        values = with_ratios(raw, self.ratios)
        filled = np.where(np.isnan(values), self.medians, values)
        # Without a mode that needs no check, NumPy would write to fresh memory first.
        filled.take(self.columns, axis=1, out=scaled, mode="clip")
        for block in self.blocks:
            cells = scaled[:, block.features]
            scaled[:, block.features] = block.transform(cells, block.parameters)
        scaled -= self.offset
        scaled /= self.scale
        last = len(self.columns)
        np.maximum(scaled, self.lowest, out=scaled)  # three times as fast as clip
        features[:, :last] = np.minimum(scaled, self.highest, out=scaled)
        for flags in (is_missing, is_code):
            first, last = last, last + flags.shape[1]
            features[:, first:last] = flags
        return last


def _equally_long(lists: Sequence[Sequence[float]]) -> np.ndarray:
    """Lists as rows of one array; NaN, which equals nothing, fills the shorter ones."""
    array = np.full((len(lists), max(map(len, lists), default=0)), np.nan)
    for row, numbers in zip(array, lists, strict=True):
        row[: len(numbers)] = numbers
    return array


def with_ratios(values: np.ndarray, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Append the ratios of pairs of columns.

    Parameters
    ----------
    values : (n, c) float64
        NaN is missing.
    pairs : sequence of (int, int)
        Positions of numerator and denominator; may be empty.

    Returns
    -------
    (n, c + pairs) float64
        A ratio is NaN where one of its two columns is, or where the denominator is not above zero.
    """
    if not pairs:
        return values
    over, under = (values[:, list(side)] for side in zip(*pairs, strict=True))
    ratios = np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)
    return np.concatenate([values, ratios], axis=1)


def _numbers_of(column: pd.Series | np.ndarray) -> np.ndarray:
    if isinstance(column, np.ndarray):  # already read by the contract
        return column
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError):  # pandas quotes the cell, which may be a customer's
        raise ValueError(f"column '{column.name}' must hold numbers only") from None


class _Block(NamedTuple):
    """The transformation of some features, before all are scaled."""

    features: slice
    transform: Callable[[np.ndarray, np.ndarray], np.ndarray]
    parameters: np.ndarray


def _transformed_blocks(states: Sequence[dict[str, Any]]) -> Iterator[_Block]:
    """The blocks whose transformation is not ``none``."""
    last = 0
    for state in states:
        first, last = last, last + len(state["columns"])
        if state["transform"] != "none":
            parameters = np.array(state["parameters"], dtype=np.float64)
            yield _Block(slice(first, last), TRANSFORMS[state["transform"]], parameters)


def _identity(values: np.ndarray, _: np.ndarray) -> np.ndarray:
    return values


def _log(values: np.ndarray, units: np.ndarray) -> np.ndarray:
    """log1p with the sign of the value: monotone, and linear near zero, up to about the ``units``
    (columns,); without any, as in older models, up to 1."""
    sizes = np.abs(values) / units if len(units) else np.abs(values)
    return np.sign(values) * np.log1p(sizes)


def _quantile(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """The share of training rows below, from 0 to 1; ``quantiles`` is (columns, levels).

    Ties are averaged from both sides, as in scikit-learn's QuantileTransformer.
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


TRANSFORMS = {"none": _identity, "log": _log, "quantile": _quantile, "yeo_johnson": _yeo_johnson}


def label_text(value: object) -> str | None:
    """The text of a label, the same for all types that it may have; None where it is missing.

    Text is kept except for blanks around it: "001", "True", "NA" and 19 digits keep every
    character. A whole number is written without a fraction: 7, 7.0, "7.0" (as pandas writes whole
    numbers in a column with missing cells) and Decimal("7.00") are "7". Blank text, None and NaN
    are missing.
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
    """The known labels of one column, and which of them a cell stands for.

    A number has lost the way it was written: 7 stands for "007" where that is the only known label
    with this value. True and False stand for "1" and "0" where these are known instead.
    """

    def __init__(self, known: Iterable[str]):
        self.known = frozenset(known)
        by_size: dict[float, list[str]] = {}
        for label in sorted(self.known):
            if _NUMBER.fullmatch(label):
                by_size.setdefault(float(label), []).append(label)
        self.by_size = {size: labels[0] for size, labels in by_size.items() if len(labels) == 1}

    def find(self, cell: object) -> str | None:
        """The label of ``cell``, known or unknown; None where it is missing."""
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
    """A cell as a float; NaN where it is missing; None where it is not a number.

    Text is read as files have it: with blanks around it, and with what programs write for a missing
    number (``MISSING_NUMBERS``). Only digits 0 to 9 count. A number too large for a float is not a
    number; nor are True and False: see ``truth_of``.
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
        except (OverflowError, TypeError):  # an integer too large for a float; a complex number
            return None
    return None


def _finite(written: str | Decimal) -> float | None:
    return number if math.isfinite(number := float(written)) else None


def truth_of(cell: object) -> float | None:
    """1 and 0 for True and False, as values or as text; None for anything else.

    They count as numbers only in a column that holds nothing but 1, 0, True and False. Among other
    numbers they are an error: nobody earns True.
    """
    text = str(cell).strip().title() if isinstance(cell, str | bool | np.bool_) else ""
    return float(_TRUTH[text]) if text in _TRUTH else None


def _label_columns(
    labels: pd.Series | np.ndarray, positions: dict[str, int], other: int
) -> np.ndarray:
    """Which of a category's columns is 1, for each row (n,): one for each kept label. All others,
    rare or unknown, share the column ``other`` (-1: none), so that a model does not reveal its rare
    labels. -1 where the label is missing."""
    if not isinstance(labels, np.ndarray):  # not read by the contract
        codes, cells = pd.factorize(labels)
        known = Labels(positions)
        labels = np.array([*map(known.find, cells), None], dtype=object)[codes]
    found = [-1 if text is None else positions.get(text, other) for text in labels]
    return np.array(found, dtype=np.intp)


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


# The names of costs in this release, and in the models and declarations of earlier ones.
FORMER_COST_NAMES = {
    "false_negative": "missed",
    "false_negative_share": "missed_share",
    "false_positive": "false_alarm",
    "false_positive_share": "false_alarm_share",
}


def expected_cost_share(
    probabilities: np.ndarray, amounts: np.ndarray, costs: dict[str, Any]
) -> np.ndarray:
    """The expected cost of accepting a row, as a share of those of accepting and of refusing it.

    Parameters
    ----------
    probabilities : (n,)
        Calibrated probabilities of the positive class.
    amounts : (n,)
        The amount at stake in each row, in the unit of the costs.
    costs : dict
        The fields of a declared ``Costs``, by their present or former names.

    Returns
    -------
    (n,) float64
        From 0 to 1; 0 where both costs are 0. With calibrated probabilities, refusing is cheaper
        from 0.5 on. NaN where a probability or amount is NaN.

    References
    ----------
    Elkan (2001), "The foundations of cost-sensitive learning"; Bahnsen, Aouada and Ottersten
    (2014), "Example-dependent cost-sensitive logistic regression", for costs that differ by row.
    """
    of_error = costs
    if "false_negative" not in costs:
        of_error = {name: costs[former] for name, former in FORMER_COST_NAMES.items()}
    false_negative = of_error["false_negative"] + of_error["false_negative_share"] * amounts
    false_positive = of_error["false_positive"] + of_error["false_positive_share"] * amounts
    accepted = probabilities * false_negative
    refused = (1 - probabilities) * false_positive
    return accepted / np.maximum(accepted + refused, 1e-300)


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

    def outputs(self, frame: pd.DataFrame) -> np.ndarray:
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

    def decide(self, frame: pd.DataFrame, outputs: np.ndarray) -> np.ndarray:
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
            amounts = _numbers_of(frame[self.costs["amount"]])
            is_value = np.isfinite(amounts)
            for code in self.amount_codes:  # few; np.isin is slow for a single row
                is_value &= amounts != code
            amounts = np.where(is_value, amounts, self.median_amount)
            amounts = np.minimum(amounts, self.costs["amount_at_most"] or np.inf)
        return (expected_cost_share(outputs, amounts, self.costs) >= self.cut_off).astype(np.int64)

    def score(self, frame: pd.DataFrame) -> pd.DataFrame:
        """One row of answers per row of ``frame``: the forecast, or probabilities and decision."""
        return pd.DataFrame(self.answers(frame))

    def answers(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
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
