"""Proof that the score only rises, or only falls, with a column that declares a direction."""

from copy import copy
from typing import NamedTuple

import numpy as np
import pandas as pd

from modelling.declaration import Column, UseCase
from modelling.features.directions import SIGNS
from modelling.judgement.packaging import Package
from modelling.refusals import UsageError
from modelling.scorer.scoring import Scorer, calibrated

ROWS = 500
STEPS = 41
TOLERANCE = 1e-6  # of a probability, or of the standard deviation of a forecast: float32 rounds
SEED = 0


class Sweep(NamedTuple):
    """One column, moved over its range in each of ``rows`` test rows: in how many of ``steps`` the
    score went the wrong way, and how far at most; how far it moved the right way on average."""

    column: str
    direction: str
    rows: int
    steps: int
    violations: int
    largest_violation: float
    mean_effect: float


def sweep_directions(
    package: Package, train: pd.DataFrame, test: pd.DataFrame, use_case: UseCase
) -> list[Sweep]:
    """Sweep each column with a direction over the range of the training rows, everything else held.

    Parameters
    ----------
    package : Package
        Scores raw rows as the registered model does: preprocessing, network and calibration.
    train, test : DataFrame
        Training rows give the range; up to ``ROWS`` test rows are swept.
    use_case : UseCase

    Returns
    -------
    list of Sweep
        Empty where no column has a direction. Counts and differences of scores, no cell.
    """
    rows = test.sample(min(ROWS, len(test)), random_state=SEED)
    scorer = Scorer(package.folder)
    return [
        _sweep(column, scorer, train[column.name], rows)
        for column in use_case.features
        if column.direction
    ]


def refuse_violations(sweeps: list[Sweep]) -> None:
    """Raise UsageError where a score went the wrong way."""
    for sweep in sweeps:
        if sweep.violations:
            word = "fell" if sweep.direction == "up" else "rose"
            raise UsageError(
                f"{sweep.column}: direction='{sweep.direction}' does not hold: the score {word} by "
                f"up to {sweep.largest_violation:.2g} in {sweep.violations:,} of {sweep.steps:,} "
                "steps: nothing is registered; remove the direction, or train again"
            )


def _sweep(column: Column, scorer: Scorer, trained: pd.Series, rows: pd.DataFrame) -> Sweep:
    values = _grid(column, trained)
    moved = rows.loc[rows.index.repeat(len(values))]
    moved = moved.assign(**{column.name: np.tile(values, len(rows))})
    of_network, outputs = (
        np.diff(scores.reshape(len(rows), len(values)), axis=1)
        * SIGNS[column.direction]
        / scorer.target_scale
        for scores in _scores(scorer, moved)
    )
    rounded = (of_network >= -TOLERANCE) & (of_network < 0)
    rises = np.where(rounded, np.maximum(outputs, 0), outputs)
    wrong = rises < -TOLERANCE
    return Sweep(
        column=column.name,
        direction=str(column.direction),
        rows=len(rows),
        steps=rises.size,
        violations=int(wrong.sum()),
        largest_violation=float(-rises.min(initial=0)) if wrong.any() else 0.0,
        mean_effect=float(rises.sum(axis=1).mean()),
    )


def _scores(scorer: Scorer, moved: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The network's own outputs (n,), and the calibrated ones. Where an overfitted network says one
    in ten million, the last digits of float32 are all that is left, and calibration, which makes
    one in a hundred of it, makes these digits large: a fall that is none of the network's."""
    plain = copy(scorer)
    plain.calibration = {"method": "none"}
    outputs = plain.outputs(moved)
    return outputs, calibrated(outputs, scorer.calibration)


def _grid(column: Column, trained: pd.Series) -> np.ndarray:
    """Even steps and quantiles, in order, without the codes."""
    numbers = trained.to_numpy(dtype=np.float64)
    known = numbers[np.isfinite(numbers) & ~np.isin(numbers, column.special_codes)]
    if not len(known):
        return np.zeros(2)
    shares = np.linspace(0, 1, STEPS)
    even = known.min() + shares * (known.max() - known.min())
    grid = np.unique(np.concatenate([even, np.quantile(known, shares)]))
    return grid[~np.isin(grid, column.special_codes)]
