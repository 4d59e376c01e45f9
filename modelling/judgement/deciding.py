"""From probabilities to decisions, and decisions to money: cut-offs are chosen on validation."""

from typing import Any

import numpy as np
import pandas as pd

from modelling.data.splitting import Parts
from modelling.declaration import AlertBudget, Column, CutOff, UseCase
from modelling.features.microaggregation import microaggregated_median
from modelling.scorer.scoring import expected_cost_share


def choose_cut_off(parts: Parts, probabilities: np.ndarray, use_case: UseCase) -> float:
    """The cut-off of the declared decision, from the ``probabilities`` (n,) of validation rows.

    ``cut_off``: as declared. ``least_cost``: where the validation rows cost least; it applies to
    the expected cost share (``scorer.scoring``). ``alert_budget``: as many cards a day above it as
    can be looked at, in proportion: validation may hold a part of the cards only.
    """
    rows = parts.validation
    declared = use_case.decision
    if isinstance(declared, CutOff):
        return declared.cut_off
    if isinstance(declared, AlertBudget):
        return _within_budget(parts, probabilities, declared)
    assert use_case.costs is not None  # the declaration sees to it
    amounts = amounts_of(rows, use_case, known=parts.train)
    expected_cost_shares = expected_cost_share(probabilities, amounts, use_case.costs.model_dump())
    # The last one lies above all stakes: to accept everybody may cost least.
    everybody = np.nextafter(max(1.0, expected_cost_shares.max()), np.inf)
    candidates = np.unique([*np.quantile(expected_cost_shares, np.linspace(0, 1, 401)), everybody])
    return float(
        candidates[int(np.argmin(costs_at(candidates, rows, expected_cost_shares, use_case)))]
    )


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


def amounts_of(
    rows: pd.DataFrame, use_case: UseCase, known: pd.DataFrame | None = None
) -> np.ndarray:
    """The amount at stake in each row (n,), in the unit of the costs; missing ones are the median
    of those that are ``known``: the training rows where it is for a decision, as the model keeps
    it, the same rows where it is for counting what was decided. Zeros where no column was
    declared."""
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
    """Missing where nothing is known of the amount, as in ``scorer.scoring``: infinite numbers
    and special codes are no amounts."""
    amounts = rows[column.name].astype("float64")
    return amounts.mask(np.isinf(amounts) | amounts.isin(column.special_codes))


def cost_of(rows: pd.DataFrame, refused: np.ndarray, use_case: UseCase) -> float:
    """What the wrong decisions among ``rows`` cost in all, in the unit of the costs."""
    missed, alarm = _costs_of_mistakes(rows, use_case)
    return float(missed[~refused].sum() + alarm[refused].sum())


def costs_at(
    cut_offs: np.ndarray, rows: pd.DataFrame, compared: np.ndarray, use_case: UseCase
) -> np.ndarray:
    """``cost_of`` for each of the ``cut_offs`` (k,), where the rows are refused whose ``compared``
    value (n,) reaches it: (k,)."""
    order = np.argsort(compared)
    missed, alarm = (
        np.concatenate([[0.0], each[order].cumsum()]) for each in _costs_of_mistakes(rows, use_case)
    )
    accepted = np.searchsorted(compared[order], cut_offs)
    return missed[accepted] + alarm[-1] - alarm[accepted]


def _costs_of_mistakes(rows: pd.DataFrame, use_case: UseCase) -> tuple[np.ndarray, np.ndarray]:
    """What each row costs, both (n,): where it is accepted, and where it is refused."""
    costs = use_case.costs
    assert costs is not None
    amounts = amounts_of(rows, use_case)
    positive = rows[use_case.target].to_numpy() == 1
    accepted = np.where(positive, costs.false_negative + costs.false_negative_share * amounts, 0.0)
    refused = np.where(positive, 0.0, costs.false_positive + costs.false_positive_share * amounts)
    return accepted, refused
