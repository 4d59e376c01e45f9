"""The split of fraud detection: whether a transaction was a fraud is known only days later.

The protocol of the Fraud Detection Handbook (Le Borgne, Siblini, Lebichot and Bontempi, 2022,
chapters 3 and 5), which removes from the test period whoever is known to be compromised by then.
"""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt

from modelling.data.splits.grouped import cut_groups, group_folds
from modelling.data.splits.split import Fold, Positions, RowSplit, Target
from modelling.schema import Seed

if TYPE_CHECKING:
    import pandas as pd

DAY = np.timedelta64(1, "D")


class DelayedFeedback(RowSplit):
    """Train on a few days, wait until their frauds are known, test on the days that follow.

    Test begins at ``test_from`` (without it, ``test_days`` before the table's last day ends) and
    training ``train_days + delay_days`` earlier. Customers of whom a fraud is known leave the test
    period: known are the frauds since training began that are more than ``delay_days`` old on the
    day. A random ``validation`` share of the training period's customers is the validation part.
    """

    method: Literal["delayed_feedback"] = "delayed_feedback"
    tests_on_later_rows = True
    kinds_of_named_columns = {"column": ("time",), "customer": ("identifier",)}
    column: str
    customer: str
    test_from: date | None = None
    train_days: PositiveInt = 7
    delay_days: Annotated[int, Field(ge=0)] = 7
    test_days: PositiveInt = 7
    seed: Seed = 42

    def positions(self, table: "pd.DataFrame", target: Target) -> Positions:
        """Days are calendar days; rows of no part are left out."""
        import pandas as pd

        day = table[self.column].to_numpy().astype("datetime64[D]")
        customers = table[self.customer].to_numpy()
        begin, trained, tested, end = self._cut_days(day)
        learned = np.flatnonzero((day >= begin) & (day < trained))
        train, validation = learned, learned
        if len(learned):
            train, validation = cut_groups(learned, customers[learned], self.validation, self.seed)
        candidates = np.flatnonzero((day >= tested) & (day < end))
        frauds = np.flatnonzero((day >= begin) & (table[target.column] == 1).to_numpy())
        first_fraud = pd.Series(day[frauds]).groupby(customers[frauds]).min()
        first_fraud_on = first_fraud.reindex(customers[candidates]).to_numpy()
        known = first_fraud_on < day[candidates] - self.delay_days * DAY  # NaT is never
        return train, validation, candidates[~known]

    def folds(
        self,
        train: "pd.DataFrame",
        validation: "pd.DataFrame",
        target: Target,
        count: int,
    ) -> list[Fold]:
        """Validated on other customers of the same days, as declared."""
        return group_folds(train, validation, self.customer, count)

    def groups(self, rows: "pd.DataFrame") -> np.ndarray:
        import pandas as pd

        return pd.factorize(rows[self.customer])[0]

    def check(
        self, train: "pd.DataFrame", validation: "pd.DataFrame", test: "pd.DataFrame"
    ) -> None:
        """Whatever was done to the times on the way here, nobody learns from a later day."""
        trained, validated, tested = (part[self.column] for part in (train, validation, test))
        assert trained.max() < tested.min(), "a training row is later than a test row"
        assert validated.max() < tested.min(), "a validation row is later than a test row"

    def _cut_days(self, day: np.ndarray) -> tuple[np.datetime64, ...]:
        """The first day of training, of the delay and of the test, and the first after the test."""
        if self.test_from is None:
            tested = day.max() + DAY - self.test_days * DAY
        else:
            tested = np.datetime64(self.test_from, "D")
        trained = tested - self.delay_days * DAY
        return trained - self.train_days * DAY, trained, tested, tested + self.test_days * DAY


SPLITS = (DelayedFeedback,)
