"""How well a group can be told from the features: a model may judge by it without its column.

A forest learns the groups on one half of some training rows and tells them on the other half, and
the other way round.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from modelling.data.independence import groups_of
from modelling.declaration import Column, UseCase
from modelling.judgement.baselines.trees import raw_columns
from modelling.judgement.group_results import Proxies
from modelling.judgement.groups.segments import segments_of

ROWS = 1500
TREES = 20
SHOWN = 3


def proxies_of(column: Column, train: pd.DataFrame, use_case: UseCase) -> Proxies | None:
    """What the features, but for ``column`` itself, tell of its groups in the training rows.

    None where fewer than two groups are large enough in both halves.
    """
    some = train.sample(min(ROWS, len(train)), random_state=0)
    names, groups = segments_of(some[column.name], column, use_case.minimum_rows_per_group)
    kinds = {c.name: c.kind for c in use_case.features if c.name != column.name}
    if len(names) < 2 or not kinds:
        return None
    features = raw_columns(some, kinds)(some)
    halves = _halves(groups_of(some, use_case))
    if any(len(np.unique(groups[halves == half])) < len(names) for half in (0, 1)):
        return None
    from sklearn.ensemble import RandomForestClassifier

    told, importances = np.zeros((len(some), len(names))), np.zeros(len(kinds))
    for half in (0, 1):
        learnt, judged = halves != half, halves == half
        forest = RandomForestClassifier(TREES, min_samples_leaf=5, random_state=0)
        forest.fit(features[learnt], groups[learnt])
        told[judged] = forest.predict_proba(features[judged])
        importances += forest.feature_importances_
    return Proxies(_roc_auc(groups, told), _strongest(importances, kinds))


def _halves(independent: np.ndarray) -> np.ndarray:
    """0 or 1 for each row (n,); rows that are not independent are in one half."""
    return (np.random.default_rng(0).permutation(independent.max() + 1) % 2)[independent]


def _roc_auc(groups: np.ndarray, told: np.ndarray) -> float:
    """The mean over the groups, each against the rest."""
    from sklearn.metrics import roc_auc_score

    return float(
        np.mean([roc_auc_score(groups == code, told[:, code]) for code in range(told.shape[1])])
    )


def _strongest(importances: np.ndarray, kinds: Mapping[str, str]) -> tuple[str, ...]:
    names = [*kinds]
    return tuple(names[at] for at in np.argsort(-importances, kind="stable")[:SHOWN])
