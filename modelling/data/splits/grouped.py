"""Random groups: the rows of one customer stay together."""

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
from modelling.refusals import DataRefused
from modelling.schema import Part, Seed

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("train", "validation", "test")
LOPSIDED = 4  # times fewer rows than declared, and the part is not what was asked for


class Grouped(RowSplit):
    """Random groups: nobody named by ``column`` is in two parts."""

    method: Literal["grouped"] = "grouped"
    kinds_of_named_columns = {"column": ("identifier", "category")}
    column: str
    test: Part = 0.2
    seed: Seed = 42

    def positions(self, table: "pd.DataFrame", target: Target) -> Positions:
        if (count := table[self.column].nunique()) < len(PARTS):
            raise DataRefused(
                f"split.column '{self.column}' holds {count} groups, and each of {len(PARTS)} "
                "parts needs one: split by another column"
            )
        groups = table[self.column].to_numpy()
        rest, test = cut_groups(np.arange(len(table)), groups, self.test, self.seed)
        share = self.validation / (1 - self.test)
        train, validation = cut_groups(rest, groups[rest], share, self.seed)
        return train, validation, test

    def folds(
        self,
        train: "pd.DataFrame",
        validation: "pd.DataFrame",
        target: Target,
        count: int,
    ) -> list[Fold]:
        return group_folds(train, validation, self.column, count)

    def groups(self, rows: "pd.DataFrame") -> np.ndarray:
        import pandas as pd

        return pd.factorize(rows[self.column])[0]

    def check(
        self, train: "pd.DataFrame", validation: "pd.DataFrame", test: "pd.DataFrame"
    ) -> None:
        """Groups are drawn by number: one that holds nearly all rows takes them all to one part."""
        parts = (train, validation, test)
        rows = sum(len(part) for part in parts)
        declared = (1 - self.validation - self.test, self.validation, self.test)
        for name, part, share in zip(PARTS, parts, declared, strict=True):
            if len(part) < rows * share / LOPSIDED:
                raise DataRefused(
                    f"split.column '{self.column}': groups are so unequal that the {name} part has "
                    f"{len(part) / rows:.1%} of the rows instead of {share:.0%}: split by another "
                    "column, or try another split.seed"
                )


SPLITS = (Grouped,)


def cut_groups(
    rows: np.ndarray, groups: np.ndarray, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """``rows`` (n,) without and of a random ``share`` of their ``groups`` (n,)."""
    from sklearn.model_selection import GroupShuffleSplit

    splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    kept, taken = next(splitter.split(rows, groups=groups))
    return rows[kept], rows[taken]


def group_folds(
    train: "pd.DataFrame", validation: "pd.DataFrame", column: str, count: int
) -> list[Fold]:
    """Folds that hold out whole groups of ``column``, about as many rows each."""
    from sklearn.model_selection import GroupKFold

    cutter = GroupKFold(parts_like(train, validation))
    held_out = [rows for _, rows in cutter.split(train, groups=train[column].to_numpy())]
    return folds_without(train, validation, held_out[:count])
