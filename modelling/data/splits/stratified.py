"""Random rows, the same mix in every part."""

from typing import TYPE_CHECKING, Literal

import numpy as np

from modelling.data.splits.split import Positions, RowSplit, Target
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
        import pandas as pd
        from sklearn.model_selection import train_test_split

        values = table[target.column]
        if target.classes:
            _refuse_rare(values, target)
            strata = values.to_numpy()
        else:
            strata = pd.qcut(values, q=10, labels=False, duplicates="drop").to_numpy()
        rest, test = train_test_split(
            np.arange(len(table)), test_size=self.test, stratify=strata, random_state=self.seed
        )
        share = self.validation / (1 - self.test)
        train, validation = train_test_split(
            rest, test_size=share, stratify=strata[rest], random_state=self.seed
        )
        return train, validation, test


SPLITS = (Stratified,)


def _refuse_rare(codes: "pd.Series", target: Target) -> None:
    rows_of = codes.value_counts().reindex(range(len(target.classes)), fill_value=0)
    for code, label in enumerate(target.classes):
        if rows_of[code] < PARTS:
            target.refuse_too_few(
                f"class '{label}' has {rows_of[code]} rows, and a row of it is needed in each of "
                f"{PARTS} parts"
            )
