"""What the expected cost of a decision is, where rows are decided by costs."""

from typing import Any

import numpy as np

# The names of costs in this release, and in the models and declarations of earlier ones.
FORMER_COST_NAMES = {
    "false_negative": "missed",
    "false_negative_share": "missed_share",
    "false_positive": "false_alarm",
    "false_positive_share": "false_alarm_share",
}


def expected_cost_share(
    probabilities: np.ndarray, amounts: np.ndarray, costs: dict[str, Any]
) -> np.ndarray:
    """The expected cost of accepting a row, as a share of those of accepting and of refusing it.

    Parameters
    ----------
    probabilities : (n,)
        Calibrated probabilities of the positive class.
    amounts : (n,)
        The amount at stake in each row, in the unit of the costs.
    costs : dict
        The fields of a declared ``Costs``, by their present or former names.

    Returns
    -------
    (n,) float64
        From 0 to 1; 0 where both costs are 0. With calibrated probabilities, refusing is cheaper
        from 0.5 on. NaN where a probability or amount is NaN.

    References
    ----------
    Elkan (2001), "The foundations of cost-sensitive learning"; Bahnsen, Aouada and Ottersten
    (2014), "Example-dependent cost-sensitive logistic regression", for costs that differ by row.
    """
    of_error = costs
    if "false_negative" not in costs:
        of_error = {name: costs[former] for name, former in FORMER_COST_NAMES.items()}
    false_negative = of_error["false_negative"] + of_error["false_negative_share"] * amounts
    false_positive = of_error["false_positive"] + of_error["false_positive_share"] * amounts
    accepted = probabilities * false_negative
    refused = (1 - probabilities) * false_positive
    return accepted / np.maximum(accepted + refused, 1e-300)
