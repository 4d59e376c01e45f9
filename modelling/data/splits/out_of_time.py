"""Train on the past, test on what came last."""

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from modelling.data.splits.split import Fold, Positions, RowSplit, Target
from modelling.schema import Part

if TYPE_CHECKING:
    import pandas as pd

BLOCKS = 24  # of time, and a resample of them says how sure a metric is


class OutOfTime(RowSplit):
    """Train on the past, validate on what came next, test on what came last.

    ``gap_days`` are left out before validation and before test, as long as an outcome takes to be
    known. The cut dates follow from the shares of rows.
    """

    method: Literal["out_of_time"] = "out_of_time"
    tests_on_later_rows = True
    kinds_of_named_columns = {"column": ("time",)}
    column: str
    test: Part = 0.2
    gap_days: Annotated[float, Field(ge=0)] = 0

    def positions(self, table: "pd.DataFrame", target: Target) -> Positions:
        """The cut dates are quantiles of the times; a row at a cut date belongs to the later."""
        import pandas as pd

        times = table[self.column]
        ordered = times.sort_values()
        validation_from = ordered.iloc[int(len(times) * (1 - self.validation - self.test))]
        test_from = ordered.iloc[int(len(times) * (1 - self.test))]
        gap = pd.Timedelta(days=self.gap_days)
        train = times < validation_from - gap
        validation = (times >= validation_from) & (times < test_from - gap)
        return np.flatnonzero(train), np.flatnonzero(validation), np.flatnonzero(times >= test_from)

    def folds(
        self,
        train: "pd.DataFrame",
        validation: "pd.DataFrame",
        target: Target,
        count: int,
    ) -> list[Fold]:
        """Earlier cut dates: each block of the later half of the training rows is validated on what
        came before it, and no block has more rows than ``validation``."""
        import pandas as pd

        gap = pd.Timedelta(days=self.gap_days)
        share = min(len(validation) / len(train), 0.5 / count)
        cuts = [1 - share * block for block in range(1, count + 1)]
        folds, rest = [], train[self.column]
        for begin in pd.to_datetime(train[self.column].quantile(cuts, "lower")):
            block, rest = rest[rest >= begin], rest[rest < begin]
            folds.append((rest.index[rest < begin - gap], block.index))
        return folds

    def groups(self, rows: "pd.DataFrame") -> np.ndarray:
        """Rows of one block of time (Carlstein 1986): months, or weeks, or days, whichever first
        gives two dozen blocks."""
        import pandas as pd

        times = rows[self.column].dt
        for length in ("M", "W", "D"):
            blocks = pd.factorize(times.to_period(length))[0]
            if blocks.max() + 1 >= BLOCKS:
                break
        return blocks

    def check(
        self, train: "pd.DataFrame", validation: "pd.DataFrame", test: "pd.DataFrame"
    ) -> None:
        """Whatever was done to the times on the way here, nobody learns from a later day."""
        trained, validated, tested = (part[self.column] for part in (train, validation, test))
        assert trained.max() < validated.min(), "a training row is later than a validation row"
        assert validated.max() < tested.min(), "a validation row is later than a test row"


SPLITS = (OutOfTime,)
