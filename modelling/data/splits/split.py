"""What every split is asked for."""

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from modelling.refusals import DataRefused
from modelling.schema import Declaration, Part

if TYPE_CHECKING:  # declaring a split does not load pandas
    import pandas as pd

Positions = tuple[np.ndarray, np.ndarray, np.ndarray]


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
    """

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

    def groups(self, rows: "pd.DataFrame") -> np.ndarray:
        """Which ``rows`` (n,) can't be taken for independent: int codes (n,) from 0 on.

        Each row stands for itself unless the split says otherwise.
        """
        return np.arange(len(rows))

    def check(
        self, train: "pd.DataFrame", validation: "pd.DataFrame", test: "pd.DataFrame"
    ) -> None:
        """Raise DataRefused where the parts are not what was declared."""
