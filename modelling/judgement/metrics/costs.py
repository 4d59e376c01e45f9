"""What the decisions cost over all rows, in the currency of the declared costs."""

import numpy as np

from modelling.judgement.metrics.metric import Metric, Scored


def cost(scored: Scored) -> float:
    """What the decisions cost; 0 where all are right."""
    return _cost_of(scored, scored.decided == 1)


def _cost_of(scored: Scored, is_refused: np.ndarray) -> float:
    accepted = scored.cost_if_accepted[~is_refused].sum()
    return float(accepted + scored.cost_if_refused[is_refused].sum())


def cost_of_accepting_all(scored: Scored) -> float:
    """What it would cost to decide without a model, always for the negative class."""
    return _cost_of(scored, np.zeros(len(scored.target), dtype=bool))


def cost_of_refusing_all(scored: Scored) -> float:
    """What it would cost to decide without a model, always for the positive class."""
    return _cost_of(scored, np.ones(len(scored.target), dtype=bool))


def savings(scored: Scored) -> float:
    """The share saved of the cheaper of accepting all and refusing all: 1 is no cost, below 0 is
    worse than no model. NaN where one of these costs nothing.

    References
    ----------
    Bahnsen, Aouada and Ottersten (2014), "Example-dependent cost-sensitive logistic regression for
    credit scoring", ICMLA.
    """
    without_model = min(cost_of_accepting_all(scored), cost_of_refusing_all(scored))
    return 1 - cost(scored) / without_model if without_model else float("nan")


METRICS = (
    Metric(
        name="cost",
        problems=("binary",),
        higher_is_better=False,
        title="cost of the wrong decisions",
        unit="in the currency of the costs",
        plain=cost,
        needs=("costs",),
    ),
    Metric(
        name="saved_against_accept_all",
        problems=("binary",),
        higher_is_better=True,
        title="saved against accepting all",
        unit="in the currency of the costs",
        plain=lambda scored: cost_of_accepting_all(scored) - cost(scored),
        needs=("costs",),
    ),
    Metric(
        name="saved_against_refuse_all",
        problems=("binary",),
        higher_is_better=True,
        title="saved against refusing all",
        unit="in the currency of the costs",
        plain=lambda scored: cost_of_refusing_all(scored) - cost(scored),
        needs=("costs",),
    ),
    Metric(
        name="savings",
        problems=("binary",),
        higher_is_better=True,
        title="share of the cost saved",
        plain=savings,
        needs=("costs",),
    ),
)
