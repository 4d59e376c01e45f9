"""The split of fraud detection: whether a transaction was a fraud is known only days later.

The protocol of the Fraud Detection Handbook (Le Borgne, Siblini, Lebichot and Bontempi, 2022,
chapters 3 and 5), which removes from the test period whoever is known to be compromised by then.
"""

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit

from modelling.declaration import DelayedFeedback


def split_delayed(
    times: pd.Series, customers: np.ndarray, frauds: np.ndarray, split: DelayedFeedback
) -> tuple[np.ndarray, ...]:
    """Row numbers of train, validation and test; rows of no part are left out.

    ``frauds`` is (n,) bool. Days are calendar days. Raises ValueError where the training period
    holds a single customer.
    """
    day = times.to_numpy().astype("datetime64[D]")
    begin, trained, tested, end = _cut_days(day, split)
    learned = np.flatnonzero((day >= begin) & (day < trained))
    train, validation = _by_customer(learned, customers[learned], split)
    asked = np.flatnonzero((day >= tested) & (day < end))
    struck = np.flatnonzero((day >= begin) & frauds)
    first_fraud = pd.Series(day[struck]).groupby(customers[struck]).min()
    struck_on = first_fraud.reindex(customers[asked]).to_numpy()
    known = struck_on < day[asked] - np.timedelta64(split.delay_days, "D")  # NaT is never
    return train, validation, asked[~known]


def _by_customer(
    rows: np.ndarray, customers: np.ndarray, split: DelayedFeedback
) -> tuple[np.ndarray, np.ndarray]:
    if not len(rows):
        return rows, rows
    splitter = GroupShuffleSplit(n_splits=1, test_size=split.validation, random_state=split.seed)
    kept, taken = next(splitter.split(rows, groups=customers))
    return rows[kept], rows[taken]


def _cut_days(day: np.ndarray, split: DelayedFeedback) -> tuple[np.datetime64, ...]:
    """The first day of training, of the delay and of the test, and the first after the test."""
    one = np.timedelta64(1, "D")
    tested = (
        day.max() + one - split.test_days * one
        if split.test_from is None
        else np.datetime64(split.test_from, "D")
    )
    trained = tested - split.delay_days * one
    return trained - split.train_days * one, trained, tested, tested + split.test_days * one
