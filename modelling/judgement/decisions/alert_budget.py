"""Refuse the most suspicious cards, as many a day as people can look at."""

from typing import Any

import numpy as np
import pandas as pd

from modelling.data.splitting import Parts
from modelling.declaration import AlertBudget, UseCase
from modelling.judgement.decisions.decision_rule import DecisionRule


def cut_off_within_budget(parts: Parts, probabilities: np.ndarray, use_case: UseCase) -> float:
    """The cut-off above which there are as many cards a day as can be looked at.

    In proportion: the validation rows may hold a part of the cards only.

    Parameters
    ----------
    parts : Parts
    probabilities : ndarray of shape (n,)
        Of the validation rows, without NaN.
    use_case : UseCase

    Returns
    -------
    float
        The probability of a card and day of the validation rows: at least one is alerted.
    """
    budget = _budget(use_case)

    def highest_by_card_and_day(rows: pd.DataFrame, values: Any) -> pd.Series:
        return pd.Series(values, rows.index).groupby(list(days_and_cards(rows, budget))).max()

    known = pd.concat([parts.train, parts.validation])
    days = known[budget.time].dt.normalize().nunique()
    cards_per_day = len(highest_by_card_and_day(known, 0.0)) / days
    scores = highest_by_card_and_day(parts.validation, probabilities)
    alerts = round(budget.alerts_a_day / cards_per_day * len(scores))
    return float(scores.nlargest(min(max(alerts, 1), len(scores))).iloc[-1])


def days_and_cards(rows: pd.DataFrame, budget: AlertBudget) -> tuple[np.ndarray, np.ndarray]:
    """The day and the card of each of n rows.

    Returns
    -------
    days : ndarray of datetime64, of shape (n,)
        Midnight of the day.
    cards : ndarray of shape (n,)
        As the column has them.
    """
    return rows[budget.time].dt.normalize().to_numpy(), rows[budget.card].to_numpy()


def _arrays_for_metrics(rows: pd.DataFrame, use_case: UseCase) -> dict[str, Any]:
    budget = _budget(use_case)
    days, cards = days_and_cards(rows, budget)
    return {"days": days, "cards": cards, "alerts_per_day": budget.alerts_a_day}


def _budget(use_case: UseCase) -> AlertBudget:
    assert isinstance(use_case.decision, AlertBudget)
    return use_case.decision


DECISION_RULES = (
    DecisionRule(
        declared=AlertBudget,
        choose_cut_off=cut_off_within_budget,
        refused_at_least=0.0,  # the budget itself says how few are refused
        scored=_arrays_for_metrics,
    ),
)
