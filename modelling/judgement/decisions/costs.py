"""From decisions to money: what each row costs, and what all of them cost at many cut-offs."""

import numpy as np
import pandas as pd

from modelling.declaration import Column, UseCase
from modelling.features.microaggregation import microaggregated_median


def amounts_of(
    rows: pd.DataFrame, use_case: UseCase, known: pd.DataFrame | None = None
) -> np.ndarray:
    """The amount of each row, in the currency of the costs.

    Parameters
    ----------
    rows : DataFrame of n rows
    use_case : UseCase
        It declares costs. Without ``costs.amount`` all amounts are 0.
    known : DataFrame, optional
        The rows whose median stands for a missing amount: the training rows where it is for a
        decision, as the model keeps it. Without it the median of ``rows``, to count what was
        decided.

    Returns
    -------
    ndarray of shape (n,)
        At most ``costs.amount_at_most``. Missing, infinite and special codes are the median, or 0
        where no amount is known at all.
    """
    costs = use_case.costs
    assert costs is not None  # the declaration sees to it
    if costs.amount is None:
        return np.zeros(len(rows))
    column = next(column for column in use_case.columns if column.name == costs.amount)
    amounts = _amounts_in(rows, column)
    median = amounts.median()
    if known is not None:
        least = use_case.minimum_rows_per_value
        median = microaggregated_median(_amounts_in(known, column).to_numpy(), least)
    filled = amounts.fillna(0.0 if np.isnan(median) else median).to_numpy()
    return filled if costs.amount_at_most is None else np.minimum(filled, costs.amount_at_most)


def _amounts_in(rows: pd.DataFrame, column: Column) -> pd.Series:
    """Missing where nothing is known of the amount, as in ``Scorer.decide``: infinite numbers and
    special codes are no amounts."""
    amounts = rows[column.name].astype("float64")
    return amounts.mask(np.isinf(amounts) | amounts.isin(column.special_codes))


def costs_by_decision(rows: pd.DataFrame, use_case: UseCase) -> tuple[np.ndarray, np.ndarray]:
    """What each row costs by either decision.

    Parameters
    ----------
    rows : DataFrame of n rows with their target
    use_case : UseCase
        It declares costs.

    Returns
    -------
    if_accepted, if_refused : ndarray of shape (n,)
        In the currency of the costs; a right decision costs nothing.
    """
    is_positive = rows[use_case.target].to_numpy() == 1
    of_false_negative, of_false_positive = costs_of_errors(rows, use_case)
    return np.where(is_positive, of_false_negative, 0.0), np.where(
        is_positive, 0.0, of_false_positive
    )


def costs_of_errors(rows: pd.DataFrame, use_case: UseCase) -> tuple[np.ndarray, np.ndarray]:
    """What each row would cost if the decision on it were wrong.

    Parameters
    ----------
    rows : DataFrame of n rows
    use_case : UseCase
        It declares costs.

    Returns
    -------
    of_false_negative, of_false_positive : ndarray of shape (n,)
        In the currency of the costs.
    """
    costs = use_case.costs
    assert costs is not None  # the declaration sees to it
    amounts = amounts_of(rows, use_case)
    return (
        costs.false_negative + costs.false_negative_share * amounts,
        costs.false_positive + costs.false_positive_share * amounts,
    )


def costs_at(
    cut_offs: np.ndarray, rows: pd.DataFrame, compared: np.ndarray, use_case: UseCase
) -> np.ndarray:
    """What the decisions cost in all, at each of many cut-offs, with one sort.

    Parameters
    ----------
    cut_offs : ndarray of shape (k,)
    rows : DataFrame of n rows with their target
    compared : ndarray of shape (n,)
        What is compared with the cut-off, without NaN: a row is refused where it reaches it.
    use_case : UseCase
        It declares costs.

    Returns
    -------
    ndarray of shape (k,)
        In the currency of the costs.
    """
    order = np.argsort(compared)
    if_accepted, if_refused = (
        np.concatenate([[0.0], costs[order].cumsum()])
        for costs in costs_by_decision(rows, use_case)
    )
    accepted = np.searchsorted(compared[order], cut_offs)
    return if_accepted[accepted] + if_refused[-1] - if_refused[accepted]
