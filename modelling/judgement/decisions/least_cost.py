"""Refuse where accepting is expected to cost more; the cut-off is chosen on validation rows."""

import numpy as np
import pandas as pd

from modelling.data.splitting import Parts
from modelling.declaration import LeastCost, UseCase
from modelling.judgement.decisions.costs import amounts_of, costs_at, costs_of_errors
from modelling.judgement.decisions.decision_rule import DecisionRule
from modelling.scorer.decisions import expected_cost_share


def expected_cost_shares(
    probabilities: np.ndarray, rows: pd.DataFrame, use_case: UseCase, known: pd.DataFrame | None
) -> np.ndarray:
    """``scorer.decisions.expected_cost_share`` of the rows' amounts.

    Parameters
    ----------
    probabilities : ndarray of shape (n,)
        Of the positive class.
    rows : DataFrame of n rows
    use_case : UseCase
        It declares costs.
    known : DataFrame, optional
        See ``amounts_of``.

    Returns
    -------
    ndarray of shape (n,)
        From 0 to 1; NaN where a probability is.
    """
    assert use_case.costs is not None  # the declaration sees to it
    amounts = amounts_of(rows, use_case, known)
    return expected_cost_share(probabilities, amounts, use_case.costs.model_dump())


def probabilities_of_equal_cost(
    cut_off: float, rows: pd.DataFrame, use_case: UseCase
) -> np.ndarray:
    """The probability at which the share of the expected cost reaches the cut-off.

    Parameters
    ----------
    cut_off : float
        A share of the expected cost.
    rows : DataFrame of n rows
    use_case : UseCase
        It declares costs.

    Returns
    -------
    ndarray of shape (n,)
        From 0 to 1; 1 where no error costs anything, so that the row is accepted.
    """
    of_false_negative, of_false_positive = costs_of_errors(rows, use_case)
    refused = cut_off * of_false_positive
    both = refused + (1 - cut_off) * of_false_negative
    return np.divide(refused, both, out=np.ones(len(rows)), where=both > 0).clip(0, 1)


def cheapest_cut_off(parts: Parts, probabilities: np.ndarray, use_case: UseCase) -> float:
    """The cut-off, among 401 quantiles, at which the validation rows cost least.

    Parameters
    ----------
    parts : Parts
    probabilities : ndarray of shape (n,)
        Of the validation rows, without NaN.
    use_case : UseCase
        It declares costs.

    Returns
    -------
    float
        A share of the expected cost. One above all rows is among the candidates: to accept
        everybody may cost least.
    """
    shares = expected_cost_shares(probabilities, parts.validation, use_case, parts.train)
    accept_all = np.nextafter(max(1.0, shares.max()), np.inf)
    candidates = np.unique([*np.quantile(shares, np.linspace(0, 1, 401)), accept_all])
    costs = costs_at(candidates, parts.validation, shares, use_case)
    return float(candidates[int(np.argmin(costs))])


DECISION_RULES = (
    DecisionRule(
        declared=LeastCost,
        choose_cut_off=cheapest_cut_off,
        compared=expected_cost_shares,
        compared_title="share of the expected cost",
        refused_from=probabilities_of_equal_cost,
        by_cost=True,
    ),
)
