"""Which columns a model rests on, for one that is too good to be true."""

import numpy as np
import pandas as pd

from modelling.declaration import UseCase
from modelling.judgement.evaluation import scored_rows
from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.metric import format_value
from modelling.judgement.packaging import Package
from modelling.scorer.scoring import Scorer

ROWS = 2000
NAMED = 3
NOTABLE = 0.1  # of the loss that the column causes which costs most
SEED = 0


def what_it_rests_on(package: Package, validation: pd.DataFrame, use_case: UseCase) -> str:
    """The columns without which the packaged model would lose most, in words.

    By permutation importance (Breiman 2001): the loss after the cells of one column were shuffled
    between ``validation`` rows. Of two columns that say the same, either one looks spared.

    Returns
    -------
    str
        ``it rests on 'x' (0.61 when shuffled): log_loss is 0.0021``; at most three columns.
    """
    rows = validation.sample(min(ROWS, len(validation)), random_state=SEED)
    scorer = Scorer(package.folder)
    metric = find_metric(
        "rmse" if use_case.problem == "regression" else "log_loss", use_case.problem
    )

    def loss(frame: pd.DataFrame) -> float:
        return metric.value(scored_rows(frame, scorer.outputs(frame), use_case))

    order = np.random.default_rng(SEED).permutation(len(rows))
    whole = loss(rows)
    shuffled = {
        column.name: loss(rows.assign(**{column.name: rows[column.name].array.take(order)}))
        for column in use_case.features
    }
    ranked = sorted(shuffled, key=lambda name: -shuffled[name])[:NAMED]
    least = whole + NOTABLE * (shuffled[ranked[0]] - whole)
    said = [
        f"'{n}' ({format_value(shuffled[n])} when shuffled)" for n in ranked if shuffled[n] > least
    ]
    if not said:
        return "it rests on no single column"
    return f"it rests on {', '.join(said)}: {metric.name} is {format_value(whole)}"
