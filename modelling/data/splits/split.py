"""What every split is asked for."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from modelling.refusals import DataRefused
from modelling.schema import Declaration, Part

if TYPE_CHECKING:  # declaring a split does not load pandas
    import pandas as pd

Positions = tuple[np.ndarray, np.ndarray, np.ndarray]
Fold = tuple["pd.Index", "pd.Index"]  # the labels of the rows to train on, and to validate on


class Target(NamedTuple):
    """What is predicted: its column holds the codes of ``classes``, or numbers without classes."""

    column: str
    classes: tuple[int | str, ...] = ()

    def refuse_too_few(self, why: str) -> None:
        """Raise DataRefused: ``why`` a class has too few rows, and what to do."""
        merge = "merge it into another with merge_classes, or " if len(self.classes) > 2 else ""
        raise DataRefused(f"{self.column}: {why}: {merge}collect more of them")


class RowSplit(Declaration):
    """A declared way to cut a table into training, validation and test rows.

    Its ``method`` is the name by which files and flags call it. ``known_leak_free`` is the reason
    why equal rows on both sides are no leak: without one, a table with many of them is refused.
    ``tests_on_later_rows``: no test row is older than a training row, so rows that come later are
    new to every model that was trained before.
    """

    tests_on_later_rows: ClassVar[bool] = False

    method: str
    validation: Part = 0.2
    known_leak_free: str = ""

    @abstractmethod
    def positions(self, table: "pd.DataFrame", target: Target) -> Positions:
        """Cut the table.

        Parameters
        ----------
        table : DataFrame of n rows
            Typed and complete in the columns that the split names.
        target : Target
            Its column holds int64 codes, or finite numbers without classes.

        Returns
        -------
        tuple of three int arrays
            Disjoint row positions, from 0 to n - 1, of train, validation and test.

        Raises
        ------
        DataRefused
            Where the table can't be cut so, in the words of its columns.
        ValueError
            scikit-learn's, where there are too few rows.
        """

    def folds(
        self,
        train: "pd.DataFrame",
        validation: "pd.DataFrame",
        target: Target,
        count: int,
    ) -> list[Fold]:
        """At most ``count`` further folds, in which rows of ``train`` are the validation rows.

        Each is as the declared cut: what belongs together stays together, and nobody learns from a
        later day. A split that does not say how has none, and its declared cut is the only one.

        Raises
        ------
        ValueError
            scikit-learn's, where there are too few rows.
        """
        return []

    def groups(self, rows: "pd.DataFrame") -> np.ndarray:
        """Which ``rows`` (n,) can't be taken for independent: int codes (n,) from 0 on.

        Each row stands for itself unless the split says otherwise.
        """
        return np.arange(len(rows))

    def check(
        self, train: "pd.DataFrame", validation: "pd.DataFrame", test: "pd.DataFrame"
    ) -> None:
        """Raise DataRefused where the parts are not what was declared."""


def folds_without(
    train: "pd.DataFrame", validation: "pd.DataFrame", held_out: Iterable[np.ndarray]
) -> list[Fold]:
    """For each array of positions in ``train``: a fold that is validated on them, and trained on
    the other rows of both parts."""
    return [
        (train.index.delete(rows).append(validation.index).sort_values(), train.index[rows])
        for rows in held_out
    ]


def parts_like(train: "pd.DataFrame", validation: "pd.DataFrame") -> int:
    """Into how many parts ``train`` is cut, so that each has about as many rows as
    ``validation``."""
    return max(round(len(train) / len(validation)), 2)
