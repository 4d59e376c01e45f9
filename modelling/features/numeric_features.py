"""Turn numbers into features: missing values, special codes, ratios, transformations and scaling.

Fitted on training rows by scikit-learn; the result is plain data for the scorer's transformer.
"""

from typing import Any

import numpy as np
import pandas as pd

from modelling.data.absurd_values import plausible_limit
from modelling.declaration import Column, UseCase
from modelling.features.memory import refuse_too_many_cells
from modelling.features.microaggregation import microaggregate
from modelling.features.number_blocks import fit_blocks, fit_piecewise
from modelling.features.ratios import ALL_RATIOS_UP_TO, ColumnPair, best_ratios, possible_ratios
from modelling.scorer.transformer import with_ratios

ROWS_PER_BIN = 50


def fit_numbers(
    train: pd.DataFrame, columns: list[Column], use_case: UseCase
) -> tuple[dict[str, Any], list[str]]:
    """Fit how the number ``columns`` become features.

    Parameters
    ----------
    train : DataFrame
        The training rows; NaN and infinity are missing values.
    columns : list of Column
        The columns of numbers, which may be none.
    use_case : UseCase
        ``preprocessing``, ``minimum_rows_per_value``, ``target`` and ``problem`` are read.

    Returns
    -------
    numeric : dict
        The ``numeric`` state of ``scorer.transformer.Transformer``, JSON-able. A column with fewer
        than ``minimum_rows_per_value`` known values is constant.
    feature_names : list of str
        In the order of the transformer's output.
    """
    declared, minimum_rows = use_case.preprocessing, use_case.minimum_rows_per_value
    names = [column.name for column in columns]
    values = train[names].to_numpy(dtype=np.float64, copy=True)
    values[~np.isfinite(values)] = np.nan
    flagged = _flagged(np.isnan(values), minimum_rows) if declared.missing_flags else []
    for position, column in enumerate(columns):
        values[np.isin(values[:, position], column.special_codes), position] = np.nan
    values = _clip_implausible(values)
    values, ratios, with_bins = _beside_ratios(values, train, columns, use_case)
    columns = columns + [
        Column(name=f"{names[over]} / {names[under]}", kind="number") for over, under in ratios
    ]
    values[:, np.isfinite(values).sum(axis=0) < minimum_rows] = np.nan  # treated as empty
    filled, grouped, medians = _impute(values, minimum_rows)
    blocks, features = fit_blocks(filled, grouped, columns, use_case)
    if declared.piecewise_bins:
        rows_per_bin = max(ROWS_PER_BIN, minimum_rows)
        block, bin_names = fit_piecewise(
            grouped[:, :with_bins], columns[:with_bins], declared.piecewise_bins, rows_per_bin
        )
        blocks.append(block)
        features += bin_names
    codes = [(p, list(c.special_codes)) for p, c in enumerate(columns) if c.special_codes]
    features += [f"{names[p]} is missing" for p in flagged]
    features += [f"{names[p]} is a special code" for p, _ in codes]
    numeric = {
        "names": names,
        "ratios": ratios,
        "medians": medians,
        "special_codes": codes,
        "flagged": flagged,
        "blocks": blocks,
    }
    return numeric, features


def _flagged(missing: np.ndarray, minimum_rows: int) -> list[int]:
    """The positions of the columns whose ``missing`` (n, c) cells are worth a flag: the weight of
    one that never changes in training stays as initialised, and that of one with few rows depends
    on those rows alone."""
    fewer = np.minimum(missing.sum(axis=0), (~missing).sum(axis=0))
    flagged: list[int] = np.flatnonzero(fewer >= minimum_rows).tolist()
    return flagged


def _beside_ratios(
    values: np.ndarray, train: pd.DataFrame, columns: list[Column], use_case: UseCase
) -> tuple[np.ndarray, list[ColumnPair], int]:
    """``values`` (n, c) with their ratios beside them, the positions that each ratio is of, and how
    many columns of both have bins: of a ratio among many the log is enough.

    Refuses more cells than fit into the memory.
    """
    ratios = possible_ratios(values, columns) if use_case.preprocessing.ratios else []
    with_bins = len(columns)
    if len(ratios) <= ALL_RATIOS_UP_TO:
        with_bins += len(ratios)
    else:
        target = train[use_case.target].to_numpy()
        ratios = best_ratios(values, ratios, target, use_case.problem)
    refuse_too_many_cells(len(values), len(columns), len(ratios))
    with np.errstate(over="ignore"):  # such a ratio is clipped like any other that is implausible
        return _clip_implausible(with_ratios(values, ratios)), ratios, with_bins


def _impute(values: np.ndarray, minimum_rows: int) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """``values`` (n, c) without NaN, the same microaggregated, and the medians that fill them."""
    from sklearn.impute import SimpleImputer

    grouped = microaggregate(values, minimum_rows)
    if not values.shape[1]:
        return values, grouped, []
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    grouped = imputer.fit_transform(grouped)
    return imputer.transform(values), grouped, imputer.statistics_.tolist()


def _clip_implausible(values: np.ndarray) -> np.ndarray:
    """``values`` (n, c) clipped to plausible sizes: two huge ones could overflow the mean."""
    limits = np.array([plausible_limit(column) for column in values.T])
    return np.clip(values, -limits, limits) if len(limits) else values
