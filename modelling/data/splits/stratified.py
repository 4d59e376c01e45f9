"""Random rows, the same mix in every part."""

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np

from modelling.data.splits.split import (
    Fold,
    Positions,
    RowSplit,
    Target,
    folds_without,
    parts_like,
)
from modelling.schema import Part, Seed

if TYPE_CHECKING:
    import pandas as pd

PARTS = 3


class Stratified(RowSplit):
    """Random rows, with the same share of each class (or of target deciles) in every part."""

    method: Literal["stratified"] = "stratified"
    test: Part = 0.2
    seed: Seed = 42

    def positions(self, table: "pd.DataFrame", target: Target) -> Positions:
        from sklearn.model_selection import train_test_split

        values = table[target.column]
        if target.classes:
            _refuse_rare(values, target)
        strata = _strata(values, target)
        rest, test = train_test_split(
            np.arange(len(table)), test_size=self.test, stratify=strata, random_state=self.seed
        )
        share = self.validation / (1 - self.test)
        train, validation = train_test_split(
            rest, test_size=share, stratify=strata[rest], random_state=self.seed
        )
        return train, validation, test

    def folds(
        self, train: "pd.DataFrame", validation: "pd.DataFrame", target: Target, count: int
    ) -> list[Fold]:
        from sklearn.model_selection import StratifiedKFold

        strata = _strata(train[target.column], target)
        cutter = StratifiedKFold(
            parts_like(train, validation), shuffle=True, random_state=self.seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a class of fewer rows than parts
            held_out = [rows for _, rows in cutter.split(train, strata)]
        return folds_without(train, validation, held_out[:count])


SPLITS = (Stratified,)


def _strata(values: "pd.Series", target: Target) -> np.ndarray:
    import pandas as pd

    if target.classes:
        return values.to_numpy()
    return pd.qcut(values, q=10, labels=False, duplicates="drop").to_numpy()


def _refuse_rare(codes: "pd.Series", target: Target) -> None:
    rows_of = codes.value_counts().reindex(range(len(target.classes)), fill_value=0)
    for code, label in enumerate(target.classes):
        if rows_of[code] < PARTS:
            target.refuse_too_few(
                f"class '{label}' has {rows_of[code]} rows, and a row of it is needed in each of "
                f"{PARTS} parts"
            )
