"""From probabilities to decisions, and decisions to money: cut-offs are chosen on validation."""

from typing import Any

import numpy as np
import pandas as pd

from modelling.declaration import AlertBudget, Costs, CutOff, UseCase
from modelling.scoring import stake
from modelling.splitting import Parts


def choose_cut_off(parts: Parts, probabilities: np.ndarray, use_case: UseCase) -> float:
    """The cut-off of the declared decision, from the ``probabilities`` (n,) of validation rows.

    ``cut_off``: as declared. ``least_cost``: where the validation rows cost least; it applies to
    the stake (see ``modelling.scoring.stake``). ``alert_budget``: as many cards a day above it as
    can be looked at, in proportion: validation may hold a part of the cards only.
    """
    rows = parts.validation
    declared = use_case.decision
    if isinstance(declared, CutOff):
        return declared.cut_off
    if isinstance(declared, AlertBudget):
        return _within_budget(parts, probabilities, declared)
    assert use_case.costs is not None  # the declaration sees to it
    stakes = stake(probabilities, amounts_of(rows, use_case.costs), use_case.costs.model_dump())
    candidates = np.unique(np.quantile(stakes, np.linspace(0, 1, 401)))
    by_cut_off = [cost_of(rows, stakes >= one, use_case) for one in candidates]
    return float(candidates[int(np.argmin(by_cut_off))])


def _within_budget(parts: Parts, probabilities: np.ndarray, declared: AlertBudget) -> float:
    def worst_of_cards(rows: pd.DataFrame, values: Any) -> pd.Series:
        return pd.Series(values, rows.index).groupby(list(cards(rows, declared))).max()

    known = pd.concat([parts.train, parts.validation])
    days = known[declared.time].dt.normalize().nunique()
    cards_a_day = len(worst_of_cards(known, 0.0)) / days
    suspicions = worst_of_cards(parts.validation, probabilities)
    alerts = round(declared.alerts_a_day / cards_a_day * len(suspicions))
    return float(suspicions.nlargest(min(max(alerts, 1), len(suspicions))).iloc[-1])


def cards(rows: pd.DataFrame, budget: AlertBudget) -> tuple[np.ndarray, np.ndarray]:
    """The day and the card of each row, both (n,)."""
    return rows[budget.time].dt.normalize().to_numpy(), rows[budget.card].to_numpy()


def amounts_of(rows: pd.DataFrame, costs: Costs) -> np.ndarray:
    """The amount at stake in each row (n,), in the unit of the costs; missing ones are the median
    of those that are known. Zeros where no column was declared."""
    if costs.amount is None:
        return np.zeros(len(rows))
    amounts = rows[costs.amount].to_numpy(dtype=np.float64)
    amounts = np.where(np.isnan(amounts), np.nanmedian(amounts), amounts)
    return amounts if costs.amount_at_most is None else np.minimum(amounts, costs.amount_at_most)


def cost_of(rows: pd.DataFrame, refused: np.ndarray, use_case: UseCase) -> float:
    """What the wrong decisions among ``rows`` cost in all, in the unit of the costs."""
    costs = use_case.costs
    assert costs is not None
    amounts = amounts_of(rows, costs)
    positive = rows[use_case.target].to_numpy() == 1
    missed = costs.missed + costs.missed_share * amounts
    alarm = costs.false_alarm + costs.false_alarm_share * amounts
    return float(missed[positive & ~refused].sum() + alarm[~positive & refused].sum())
