"""Judge outputs against what happened, on rows that training never saw."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from modelling.declaration import UseCase
from modelling.judgement.decisions.costs import amounts_of, costs_by_decision
from modelling.judgement.decisions.decision_rule import decision_rule
from modelling.judgement.group_results import GroupTable
from modelling.judgement.metrics.catalogue import metrics_for
from modelling.judgement.metrics.metric import Scored, format_value


def evaluate(
    rows: pd.DataFrame,
    outputs: np.ndarray,
    decided: np.ndarray,
    use_case: UseCase,
    naive_outputs: np.ndarray | None = None,
) -> dict[str, float]:
    """Compute the metrics that the use case's problem and declaration have.

    Parameters
    ----------
    rows : DataFrame of n rows with their target
    outputs : ndarray of shape (n,) or (n, classes)
        Probabilities of the positive class or forecasts; of three or more classes probabilities.
    decided : ndarray of shape (n,)
        Class codes; a regression's are not read.
    use_case : UseCase
    naive_outputs : ndarray, optional
        The outputs of the first baseline. Without it, metrics that need baselines are left out.

    Returns
    -------
    dict
        Values by the metric's name, in the order of reports. NaN where a metric is not defined on
        these rows (as where only one class occurs).

    Raises
    ------
    ValueError
        Where ``outputs`` hold NaN, or there are no rows.
    """
    arrays, fulfilled = {"decided": decided}, use_case.fulfilled_needs
    if naive_outputs is None:
        fulfilled -= {"baselines"}
    else:
        arrays["naive_outputs"] = naive_outputs
    scored = scored_rows(rows, outputs, use_case, **arrays)
    metrics = metrics_for(use_case.problem, fulfilled)
    return {metric.name: metric.value(scored) for metric in metrics}


def scored_rows(
    rows: pd.DataFrame, outputs: np.ndarray, use_case: UseCase, **arrays: Any
) -> Scored:
    """All that a metric may read of the rows and of a model's outputs.

    Parameters
    ----------
    rows : DataFrame of n rows with their target
    outputs : ndarray of shape (n,) or (n, classes)
    use_case : UseCase
    **arrays : ndarray
        Further arrays of ``Scored`` by their names.

    Returns
    -------
    Scored
        With days and cards where the decision has them, and with what the rows cost where costs are
        declared.
    """
    of_decision = decision_rule(use_case).scored
    known: dict[str, Any] = of_decision(rows, use_case) if of_decision else {}
    if use_case.costs is not None:
        if_accepted, if_refused = costs_by_decision(rows, use_case)
        known |= {"cost_if_accepted": if_accepted, "cost_if_refused": if_refused}
        known |= {"amounts": amounts_of(rows, use_case)}
    return Scored(rows[use_case.target].to_numpy(), outputs, **known, **arrays)


class RequirementResult(NamedTuple):
    """Whether a model meets a requirement, such as the gate, and why."""

    passed: bool
    reason: str


NO_GATE = RequirementResult(False, "no gate declared")  # where there is none, nothing has passed it


def gate_state(gate: RequirementResult) -> str:
    """``passed``, ``failed``, or ``none`` where no gate is declared."""
    if gate == NO_GATE:
        return "none"
    return "passed" if gate.passed else "failed"


def judge_gate(
    metrics: dict[str, float], use_case: UseCase, groups: Iterable[GroupTable] = ()
) -> RequirementResult:
    """Whether the use case's gate is passed on the test metrics and by the ``groups`` for which it
    has a bound, and why, in a few words. A bound on groups that are not there is not met."""
    gate = use_case.gate
    if gate is None:
        return NO_GATE
    value = metrics[gate.metric]
    reason = f"{gate.metric} {format_value(value)}, wanted {gate.wanted}"
    by_column = {table.column: table for table in groups}
    bounds = [
        _selected_alike(name, bound, by_column.get(name), use_case)
        for name, bound in gate.selection_ratio_at_least.items()
    ]
    passed = gate.passes(value) and all(bound.passed for bound in bounds)
    return RequirementResult(passed, "; ".join([reason, *(bound.reason for bound in bounds)]))


def _selected_alike(
    name: str, bound: float, table: GroupTable | None, use_case: UseCase
) -> RequirementResult:
    """Whether the groups of column ``name`` are selected alike, up to the ``bound``."""
    if table is None or not table.groups:
        rows = use_case.minimum_rows_per_group
        return RequirementResult(False, f"{name}: fewer than two groups of {rows} test rows")
    group = table.least_alike
    if group is None:
        return RequirementResult(False, f"{name}: nobody of {table.reference} is selected")
    reason = f"selection ratio {group.four_fifths:.2f} of {name} {group.name} and {table.reference}"
    return RequirementResult(group.four_fifths >= bound, f"{reason}, wanted at least {bound:g}")
