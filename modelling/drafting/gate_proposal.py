"""What a model should reach at least: a little below a linear one, on rows held out from it."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, r2_score, roc_auc_score
from threadpoolctl import threadpool_limits

from modelling.data.splitting import Parts, split_table
from modelling.data.target_codes import code_classes, merge_classes
from modelling.declaration import Preprocessing, UseCase
from modelling.drafting.columns.findings import GateFinding
from modelling.features.preprocessing import preprocess
from modelling.refusals import DataRefused

MOST_ROWS = 20_000
MOST_CELLS = 1_000_000
PLAIN = Preprocessing(piecewise_bins=0)  # a draft is written in seconds
NEARLY_PERFECT = 0.98
MOST_TRIED = 30  # columns, of which each is tried alone
MOST_TOGETHER = 4


def propose_gate(use_case: UseCase, sample: pd.DataFrame) -> GateFinding | None:
    """``sample`` (s rows) is typed; its last rows are left out where there are many.

    None where the sample can't be split as declared, or a linear model learns nothing of it.
    """
    most = min(MOST_ROWS, MOST_CELLS // len(use_case.features))
    use_case = use_case.model_copy(update={"preprocessing": PLAIN})
    some = sample.sample(min(most, len(sample)), random_state=0).sort_index()
    try:
        table = code_classes(merge_classes(some, use_case), use_case)
        parts = split_table(table, use_case)
        reached = _reached(parts, use_case)
    except DataRefused:
        return None
    truth = parts.validation[use_case.target].to_numpy()
    gate = _gate(use_case, reached, truth, len(parts.train))
    if gate is None or not gate.too_good:
        return gate
    return replace(gate, together=_nearly_perfect_together(parts, use_case, truth))


def _nearly_perfect_together(parts: Parts, use_case: UseCase, truth: np.ndarray) -> tuple[str, ...]:
    """The fewest columns found of which a linear model is nearly perfect, too: the best one is
    added until it is, and each that is not needed then is left out again."""
    names = [column.name for column in use_case.features[:MOST_TRIED]]
    better = min if use_case.problem == "multiclass" else max

    def reached(chosen: list[str]) -> float:
        columns = tuple(column for column in use_case.features if column.name in chosen)
        return _reached(parts, use_case.model_copy(update={"columns": columns}))

    def too_good(chosen: list[str]) -> bool:
        gate = _gate(use_case, reached(chosen), truth, len(parts.train))
        return gate is not None and gate.too_good

    chosen: list[str] = []
    while len(chosen) < min(MOST_TOGETHER, len(names)) and not (chosen and too_good(chosen)):
        scores = {name: reached([*chosen, name]) for name in names if name not in chosen}
        chosen.append(better(scores, key=lambda name: scores[name]))
    if not too_good(chosen):
        return ()
    for name in list(chosen):
        without = [other for other in chosen if other != name]
        chosen = without if without and too_good(without) else chosen
    return tuple(chosen)


def _reached(parts: Parts, use_case: UseCase) -> float:
    """How good a linear model is on the validation rows."""
    features = preprocess(parts, use_case)
    regression = use_case.problem == "regression"
    model = Ridge() if regression else LogisticRegression(max_iter=50, C=0.1)
    with warnings.catch_warnings(), threadpool_limits(1):  # so small that threads only wait
        warnings.simplefilter("ignore")  # a draft needs no converged model
        model.fit(features.train.features, features.train.target)
        held_out, truth = features.validation.features, features.validation.target
        if regression:
            return float(r2_score(truth, model.predict(held_out)))
        probabilities = model.predict_proba(held_out)
    if use_case.problem == "binary":
        return float(roc_auc_score(truth, probabilities[:, 1]))
    return float(log_loss(truth, probabilities, labels=range(len(use_case.classes))))


def _gate(use_case: UseCase, reached: float, truth: np.ndarray, rows: int) -> GateFinding | None:
    said = (
        f"A linear model of {rows:,} training rows reached {reached:.3f} on {len(truth):,} held "
        "out: this is a little worse."
    )
    if use_case.problem == "multiclass":
        shares = np.bincount(truth.astype(int)) / len(truth)
        guessed = float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
        worse = math.ceil((reached + 0.1 * guessed) * 100) / 100
        return GateFinding("log_loss", said, at_most=worse, too_good=reached < 0.3 * guessed)
    if use_case.problem == "regression":
        least = math.floor((reached - 0.1) * 20) / 20
        too_good = reached > NEARLY_PERFECT
        return GateFinding("r2", said, at_least=least, too_good=too_good) if least > 0 else None
    rare = max(min(truth.sum(), len(truth) - truth.sum()), 1)
    chance = 0.5 * math.sqrt(1 / rare)  # near the standard error of a ROC AUC around 0.75
    least = max(math.floor((reached - max(0.02, chance)) * 100) / 100, 0.5)
    too_good = reached > NEARLY_PERFECT
    return (
        GateFinding("roc_auc", said, at_least=least, too_good=too_good) if reached > 0.5 else None
    )
