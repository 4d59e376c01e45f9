"""Whether a packaged model answers in another process as the network did where it was trained."""

from pathlib import Path

import numpy as np
import pandas as pd

from modelling.declaration import UseCase
from modelling.refusals import UsageError
from modelling.scorer.scoring import Scorer

# Half precision rounds at the third digit, and not in the same order in every library.
TOLERANCE = {"float32": 1e-5, "mixed_float16": 5e-3, "mixed_bfloat16": 4e-2}


def refuse_disagreement(
    folder: Path, network_outputs: np.ndarray, answers: pd.DataFrame, use_case: UseCase
) -> float:
    """Compare the answers of another process with what follows from Keras's own outputs.

    Calibration is monotone and may be steep (at a step of an isotonic curve, or where float32 can't
    tell a probability from 1), so an answer also agrees with outputs a rounding error away: a tenth
    of the tolerance, the backward error of Higham. A class's probability rises with its own output
    and falls with the others', so its extremes are where they err in opposite directions.

    Parameters
    ----------
    folder : Path
        Of the package.
    network_outputs : ndarray of shape (n, outputs)
        What the network says of the validation rows, before calibration.
    answers : DataFrame of n rows
        What the packaged model answered for the same rows in another process.
    use_case : UseCase

    Returns
    -------
    float
        The largest difference; relative where values are beyond 1.

    Raises
    ------
    UsageError
        Naming the worst column, where it exceeds ``TOLERANCE`` or is NaN; or where the model's own
        contract refuses rows on which it was validated.

    References
    ----------
    Higham (2002), "Accuracy and stability of numerical algorithms", chapter 1.
    """
    if (broken := answers["broken_rules"] != "").any():
        rule = answers.loc[broken, "broken_rules"].iloc[0]
        raise UsageError(
            f"not registered: the model refuses {broken.sum()} validation rows: {rule}"
        )
    scorer = Scorer(folder)
    tolerance = TOLERANCE[use_case.training.precision]
    rounding = tolerance / 10 * np.maximum(np.abs(network_outputs), 1)
    difference = {}
    for position, name in enumerate(scorer.by_name(scorer.calibrated_outputs(network_outputs))):
        own = np.where(np.arange(network_outputs.shape[1]) == position, 1, -1)
        lowest, highest = (
            scorer.by_name(scorer.calibrated_outputs(network_outputs + sign * own * rounding))[name]
            for sign in (-1, 1)
        )
        difference[name] = _distance(answers[name], lowest, highest)
    worst = max(difference, key=lambda name: np.nan_to_num(difference[name], nan=np.inf))
    if difference[worst] <= tolerance:
        return difference[worst]
    raise UsageError(
        "not registered: in a new process the packaged model differs from the trained network by "
        f"{difference[worst]:.2g} in column '{worst}'"
    )


def _distance(values: pd.Series, one_end: np.ndarray, other_end: np.ndarray) -> float:
    """How far the farthest of ``values`` (n,) lies outside of its interval; NaN where one is."""
    lowest, highest = np.minimum(one_end, other_end), np.maximum(one_end, other_end)
    outside = np.maximum(np.maximum(lowest - values, values - highest), 0)
    return float((outside / np.maximum(np.abs(lowest), 1)).to_numpy().max())
