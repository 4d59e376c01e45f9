"""Whether a packaged model answers elsewhere as the network did where it was trained."""

from pathlib import Path

import numpy as np
import pandas as pd

from modelling.declaration import UseCase
from modelling.refusals import UsageError
from modelling.scoring import Scorer

# Half precision rounds at the third digit, and not in the same order in every library.
TOLERANCE = {"float32": 1e-5, "mixed_float16": 5e-3, "mixed_bfloat16": 4e-2}


def refuse_disagreement(
    folder: Path, network_outputs: np.ndarray, answers: pd.DataFrame, use_case: UseCase
) -> float:
    """The largest difference between ``answers`` (n rows, of another process) and what follows from
    ``network_outputs`` (n, outputs), Keras's own; beyond 1 it is relative.

    Raises UsageError, naming the worst column, where it exceeds 1e-5 (float32), or where the
    model's own contract refuses rows on which it was validated.
    """
    if (broken := answers["broken_rules"] != "").any():
        rule = answers.loc[broken, "broken_rules"].iloc[0]
        raise UsageError(
            f"not registered: the model refuses {broken.sum()} validation rows: {rule}"
        )
    scorer = Scorer(folder)
    expected = scorer.named(scorer.read(network_outputs))
    difference = {
        name: float((np.abs(answers[name] - values) / np.maximum(np.abs(values), 1)).max())
        for name, values in expected.items()
    }
    worst = max(difference, key=lambda name: np.nan_to_num(difference[name], nan=np.inf))
    if difference[worst] <= TOLERANCE[use_case.training.precision]:
        return difference[worst]
    raise UsageError(
        "not registered: in a new process the packaged model differs from the trained network by "
        f"{difference[worst]:.2g} in column '{worst}'"
    )
